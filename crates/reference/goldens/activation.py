"""Writes activation.safetensors: jax.nn's functions in f64.

python activation.py   (needs jax, numpy, safetensors)
"""

import jax
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)

x = np.concatenate([np.linspace(-8.0, 8.0, 33), [-30.0, 30.0, 1e-3, -1e-3]])
save_file(
    {"x": x, "relu": np.asarray(jax.nn.relu(x)), "silu": np.asarray(jax.nn.silu(x)),
     "gelu_tanh": np.asarray(jax.nn.gelu(x, approximate=True))},
    "activation.safetensors",
)
