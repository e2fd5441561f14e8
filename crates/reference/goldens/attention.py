"""Writes attention.safetensors: attention by JAX in f64, from jax.nn.softmax and jax.nn.logsumexp over where-masks.

The cases without softcap and sinks are also compared here with jax.nn.dot_product_attention, which rounds its
probabilities to f32.

python attention.py   (needs jax, numpy, safetensors)
"""

import jax
import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)

BATCH, HEADS, KV_HEADS, SEQ_Q, SEQ_KV, HEAD_DIM, V_DIM = 2, 4, 2, 5, 7, 6, 3
random = np.random.default_rng(11)


def normal(*shape):
    return random.standard_normal(shape).astype(np.float32)


inputs = {
    "q": normal(BATCH, HEADS, SEQ_Q, HEAD_DIM),
    "k": normal(BATCH, KV_HEADS, SEQ_KV, HEAD_DIM),
    "v": normal(BATCH, KV_HEADS, SEQ_KV, V_DIM),
    "mask": (random.random((BATCH, 1, SEQ_Q, SEQ_KV)) < 0.6).astype(np.uint8),
    "bias": normal(1, HEADS, SEQ_Q, SEQ_KV),
    "sinks": normal(HEADS),
}
# One query of the first item sees nothing.
inputs["mask"][0, 0, 3] = 0
outputs = {}


def attention(
    name, seq_q=SEQ_Q, seq_kv=SEQ_KV, diagonal=None, mask=None, bias=0.0, scale=HEAD_DIM**-0.5, cap=None, sinks=None
):
    """Query i sees key j when j <= i + diagonal."""
    q, k, v = (jnp.asarray(inputs[key], jnp.float64) for key in "qkv")
    q, k, v = q[:, :, :seq_q], k[:, :, :seq_kv], v[:, :, :seq_kv]
    k, v = (jnp.repeat(x, HEADS // KV_HEADS, axis=1) for x in (k, v))
    logits = jnp.einsum("bhid,bhjd->bhij", q, k) * scale
    if cap:
        logits = cap * jnp.tanh(logits / cap)
    logits += bias
    seen = jnp.ones((BATCH, HEADS, seq_q, seq_kv), bool)
    if diagonal is not None:
        seen &= jnp.tri(seq_q, seq_kv, diagonal, bool)
    if mask is not None:
        seen &= mask != 0
    lse = jax.nn.logsumexp(logits, axis=-1, where=seen)
    extended, extended_seen = logits, seen
    if sinks is not None:
        sink = jnp.broadcast_to(jnp.asarray(sinks, jnp.float64)[:, None, None], (BATCH, HEADS, seq_q, 1))
        extended = jnp.concatenate([logits, sink], axis=-1)
        extended_seen = jnp.concatenate([seen, jnp.ones_like(sink, bool)], axis=-1)
    weights = jax.nn.softmax(extended, axis=-1, where=extended_seen)[..., :seq_kv]
    any_seen = seen.any(axis=-1)
    out = jnp.where(any_seen[..., None], jnp.einsum("bhij,bhjd->bhid", weights, v), 0.0)
    outputs[f"{name}.out"] = np.asarray(out)
    outputs[f"{name}.lse"] = np.asarray(jnp.where(any_seen, lse, -jnp.inf))
    if cap is None and sinks is None:
        # It wants values as long as keys.
        padded = jnp.pad(v, [(0, 0)] * 3 + [(0, HEAD_DIM - V_DIM)])
        wide = [jnp.swapaxes(x, 1, 2) for x in (q, k, padded)]
        bias = jnp.broadcast_to(bias, logits.shape)
        peer = jax.nn.dot_product_attention(*wide, bias=bias, mask=seen, scale=scale)
        peer = jnp.where(any_seen[..., None], jnp.swapaxes(peer, 1, 2)[..., :V_DIM], 0.0)
        np.testing.assert_allclose(out, peer, rtol=1e-5, atol=1e-6)


attention("plain")
attention("scale", scale=1.5)
attention("top_left", diagonal=0)
attention("bottom_right", diagonal=SEQ_KV - SEQ_Q)
attention("more_queries", seq_kv=3, diagonal=3 - SEQ_Q)
attention("offset", diagonal=-2)
attention("mask", mask=inputs["mask"])
attention("bias", bias=inputs["bias"].astype(np.float64), diagonal=0)
attention("softcap", cap=0.5)
attention("sinks", sinks=inputs["sinks"])
attention(
    "everything",
    diagonal=1,
    mask=inputs["mask"],
    bias=inputs["bias"].astype(np.float64),
    scale=0.75,
    cap=2.0,
    sinks=inputs["sinks"],
)
save_file({**inputs, **outputs}, "attention.safetensors")
