"""Writes combine.safetensors: guidance and an Euler step in f64.

The guided velocity is the straight line through the unconditional one (at 0) and the conditional one (at 1), taken
at the scale by SciPy's interpolation.

python combine.py   (needs numpy, scipy, safetensors)
"""

import numpy as np
from safetensors.numpy import save_file
from scipy.interpolate import BarycentricInterpolator

random = np.random.default_rng(3)
velocity = random.standard_normal((6, 4)).astype(np.float32)
x = random.standard_normal((3, 4)).astype(np.float32)
factors = np.array([2.5, -0.125], dtype=np.float32)
conditional, unconditional = np.split(velocity.astype(np.float64), 2)
line = BarycentricInterpolator([0.0, 1.0], np.stack([unconditional, conditional]))
out = x.astype(np.float64) + np.float64(factors[1]) * line(np.float64(factors[0]))
save_file({"velocity": velocity, "x": x, "factors": factors, "out": out}, "combine.safetensors")
