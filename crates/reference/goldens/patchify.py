"""Writes patchify.safetensors: patches by jax.lax.conv_general_dilated_patches, the embedding by a convolution in f64.

python patchify.py   (needs jax, numpy, safetensors)
"""

import jax
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)

random = np.random.default_rng(4)
x = random.standard_normal((2, 3, 4, 6)).astype(np.float32)
weight = random.standard_normal((5, 3, 2, 2)).astype(np.float32)
bias = random.standard_normal(5).astype(np.float32)
position = random.standard_normal((6, 5)).astype(np.float32)


def tokens(picture):
    """[batch, features, down, across] to [batch, tokens, features]."""
    return np.asarray(picture).reshape(2, -1, 6).transpose(0, 2, 1)


highest = jax.lax.Precision.HIGHEST
patches = jax.lax.conv_general_dilated_patches(x.astype(np.float64), (2, 2), (2, 2), "VALID", precision=highest)
convolved = jax.lax.conv_general_dilated(
    x.astype(np.float64), weight.astype(np.float64), (2, 2), "VALID", precision=highest
)
save_file(
    {"x": x, "weight": weight, "bias": bias, "position": position,
     "patches": np.ascontiguousarray(tokens(patches)),
     "embedded": np.ascontiguousarray(tokens(convolved) + bias.astype(np.float64) + position.astype(np.float64))},
    "patchify.safetensors",
)
