"""Writes gated_residual.safetensors: residual + gate x in f64, by numpy.einsum.

python gated_residual.py   (needs numpy, safetensors)
"""

import numpy as np
from safetensors.numpy import save_file

random = np.random.default_rng(2)
x = random.standard_normal((2, 3, 5)).astype(np.float32)
residual = random.standard_normal((2, 3, 5)).astype(np.float32)
# The gate stands in columns 4..9.
gate = random.standard_normal((2, 11)).astype(np.float32)
gated = np.einsum("brw,bw->brw", x.astype(np.float64), gate[:, 4:9].astype(np.float64))
save_file(
    {"x": x, "residual": residual, "gate": gate, "out": residual.astype(np.float64) + gated},
    "gated_residual.safetensors",
)
