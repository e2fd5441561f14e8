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
for name, shape in {
    "q_scale": (BATCH, HEADS, SEQ_Q),
    "k_scale": (1, KV_HEADS, 1),
    "v_scale": (BATCH, 1, SEQ_KV),
}.items():
    inputs[name] = random.uniform(0.25, 2.0, shape).astype(np.float32)
# Three sequences one behind the other, the second without a query.
PACKED_Q, PACKED_KV = 9, 11
inputs["packed.q"] = normal(1, HEADS, PACKED_Q, HEAD_DIM)
inputs["packed.k"] = normal(1, KV_HEADS, PACKED_KV, HEAD_DIM)
inputs["packed.v"] = normal(1, KV_HEADS, PACKED_KV, V_DIM)
inputs["packed.q_offsets"] = np.array([0, 2, 2, 9], np.int32)
inputs["packed.kv_offsets"] = np.array([0, 3, 7, 11], np.int32)
outputs = {}


def attention(
    name,
    seq_q=SEQ_Q,
    seq_kv=SEQ_KV,
    diagonal=None,
    window=None,
    mask=None,
    bias=0.0,
    scale=HEAD_DIM**-0.5,
    cap=None,
    sinks=None,
    scaled=False,
):
    """Query i sees key j when j <= i + diagonal, and when low <= j - i <= high with a window of both."""
    q, k, v = (jnp.asarray(inputs[key], jnp.float64) for key in "qkv")
    q, k, v = q[:, :, :seq_q], k[:, :, :seq_kv], v[:, :, :seq_kv]
    if scaled:
        q, k, v = (x * inputs[f"{key}_scale"].astype(np.float64)[..., None] for key, x in zip("qkv", (q, k, v)))
    k, v = (jnp.repeat(x, HEADS // KV_HEADS, axis=1) for x in (k, v))
    logits = jnp.einsum("bhid,bhjd->bhij", q, k) * scale
    if cap:
        logits = cap * jnp.tanh(logits / cap)
    logits += bias
    seen = jnp.ones((BATCH, HEADS, seq_q, seq_kv), bool)
    if diagonal is not None:
        seen &= jnp.tri(seq_q, seq_kv, diagonal, bool)
    if window is not None:
        distance = np.arange(seq_kv)[None, :] - np.arange(seq_q)[:, None]
        seen &= (window[0] <= distance) & (distance <= window[1])
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
END = SEQ_KV - SEQ_Q
attention("window", window=(END - 1, END + 1))
attention("window_causal", diagonal=0, window=(-2, 0), sinks=inputs["sinks"])
attention("scales", scaled=True, scale=0.5)


def sequences(name, left):
    """Each sequence by itself, causal from its end, at most `left` keys before the one opposite."""
    q, k, v = (jnp.asarray(inputs[f"packed.{key}"], jnp.float64) for key in "qkv")
    k, v = (jnp.repeat(x, HEADS // KV_HEADS, axis=1) for x in (k, v))
    rows, lse = [], []
    q_offsets, kv_offsets = (inputs[f"packed.{key}_offsets"] for key in ("q", "kv"))
    for q0, q1, k0, k1 in zip(q_offsets, q_offsets[1:], kv_offsets, kv_offsets[1:]):
        logits = jnp.einsum("bhid,bhjd->bhij", q[:, :, q0:q1], k[:, :, k0:k1]) * HEAD_DIM**-0.5
        distance = np.arange(k1 - k0)[None, :] - np.arange(q1 - q0)[:, None] - ((k1 - k0) - (q1 - q0))
        seen = jnp.broadcast_to((-left <= distance) & (distance <= 0), logits.shape)
        any_seen = seen.any(axis=-1)
        weights = jax.nn.softmax(logits, axis=-1, where=seen)
        out = jnp.einsum("bhij,bhjd->bhid", weights, v[:, :, k0:k1])
        rows.append(jnp.where(any_seen[..., None], out, 0.0))
        lse.append(jnp.where(any_seen, jax.nn.logsumexp(logits, axis=-1, where=seen), -jnp.inf))
    outputs[f"{name}.out"] = np.asarray(jnp.concatenate(rows, axis=2))
    outputs[f"{name}.lse"] = np.asarray(jnp.concatenate(lse, axis=2))


sequences("sequences", 2)
save_file({**inputs, **outputs}, "attention.safetensors")
