"""Writes norm.safetensors: layer and RMS norm in f64, by jax.nn.standardize and by the formula.

python norm.py   (needs jax, numpy, safetensors)
"""

import jax
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)

EPS = np.float32(1e-3)
random = np.random.default_rng(1)
x = (random.standard_normal((2, 3, 11)) * 2.0 + 1.5).astype(np.float32)
weight = random.standard_normal(11).astype(np.float32)
bias = random.standard_normal(11).astype(np.float32)
# The shift stands in columns 2..13, the scale in columns 14..25.
modulation = random.standard_normal((2, 26)).astype(np.float32)

wide = x.astype(np.float64)
layer = np.asarray(jax.nn.standardize(wide, axis=-1, epsilon=np.float64(EPS)))
rms = np.asarray(wide * jax.lax.rsqrt(jax.numpy.mean(jax.numpy.square(wide), -1, keepdims=True) + np.float64(EPS)))
affine = layer * weight.astype(np.float64) + bias.astype(np.float64)
shift = modulation[:, None, 2:13].astype(np.float64)
scale = modulation[:, None, 14:25].astype(np.float64)
modulated = affine * (1.0 + scale) + shift

save_file(
    {"x": x, "weight": weight, "bias": bias, "modulation": modulation,
     "layer": layer, "rms": rms, "affine": affine, "modulated": modulated},
    "norm.safetensors",
)
