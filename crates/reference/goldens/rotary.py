"""Writes rotary.safetensors: rotary embedding by complex multiplication, angles in 80-bit floats, and JAX's RMS norm before it.

python rotary.py   (needs numpy, jax, safetensors; an x86 machine, whose long double has 64 bits of fraction)
"""

import jax

jax.config.update("jax_enable_x64", True)

import jax.numpy as jnp
import numpy as np
from safetensors.numpy import save_file

assert np.finfo(np.longdouble).nmant >= 63, "the angles need a long double"
random = np.random.default_rng(8)
tensors = {}


def angles(positions, axes, base):
    """[tokens, pairs], of positions [tokens, axes]."""
    columns = []
    for axis, n in enumerate(axes):
        exponents = -2 * np.arange(n // 2, dtype=np.longdouble) / n
        columns.append(positions[:, axis, None].astype(np.longdouble) * np.longdouble(base) ** exponents)
    return np.concatenate(columns, axis=1)


def turned(x, positions, axes, base, interleaved):
    """Rows [.., tokens, dim], every pair as a complex number."""
    turns = np.exp(1j * angles(positions, axes, base))
    out = x.astype(np.longdouble)
    start = 0
    for n in axes:
        pairs = turns[:, start // 2 : (start + n) // 2]
        real, imaginary = (
            (slice(start, start + n, 2), slice(start + 1, start + n, 2))
            if interleaved
            else (slice(start, start + n // 2), slice(start + n // 2, start + n))
        )
        z = (x[..., real] + 1j * x[..., imaginary].astype(np.clongdouble)) * pairs
        out[..., real], out[..., imaginary] = z.real, z.imag
        start += n
    return out.astype(np.float64)


def rms(x, weight, eps):
    x = jnp.asarray(x, jnp.float64)
    y = x * jax.lax.rsqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + jnp.float64(np.float32(eps)))
    return np.asarray(y * jnp.asarray(weight, jnp.float64))


def save(name, positions, axes, base):
    positions = np.asarray(positions, np.float64)
    table = angles(positions, axes, base)
    tensors[f"{name}.positions"] = positions
    tensors[f"{name}.cos"], tensors[f"{name}.sin"] = (f(table).astype(np.float64) for f in (np.cos, np.sin))
    for interleaved in (False, True):
        pairing = "interleaved" if interleaved else "half_split"
        tensors[f"{name}.{pairing}"] = turned(tensors["x"], positions, axes, base, interleaved)


tensors["x"] = random.standard_normal((2, 3, 5, 14)).astype(np.float32)
tensors["weight"] = random.standard_normal(14).astype(np.float32)
# A text that starts at 0, one far behind, another base, and one axis that leaves the end of a row alone.
save("text", [[t] for t in range(5)], [14], 10_000.0)
save("far", [[1_000_000 + 1001 * t] for t in range(5)], [14], 10_000.0)
save("base", [[7 + t] for t in range(5)], [14], 500_000.0)
save("part", [[3 * t] for t in range(5)], [8], 10_000.0)
# Patches of a picture, in no order, and a fraction of one.
save("picture", [[0, 0], [0, 1], [3, 2], [-1, 9], [2.5, 0.25]], [6, 8], 100.0)
save("video", [[0, 1, 2], [1, 0, 0], [5, 5, 5], [2, 0, 7], [9, 8, 7]], [2, 4, 6], 10_000.0)
normed = rms(tensors["x"], tensors["weight"], 1e-3)
tensors["normed"] = turned(normed, tensors["picture.positions"], [6, 8], 100.0, False)
save_file(tensors, "rotary.safetensors")
