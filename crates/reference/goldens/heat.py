"""Makes heat.safetensors: steps of the heat equation in f64 by numpy.roll and by scipy.ndimage.laplace.

Run with SciPy and safetensors installed: python heat.py
The cases stand in the same order in tests/heat.rs.
"""

import os

import numpy as np
import scipy.ndimage
from safetensors.numpy import save_file


def rolled(u):
    neighbours = [np.roll(u, shift, axis) for axis in range(u.ndim) for shift in (1, -1)]
    return sum(neighbours) - 2.0 * u.ndim * u


def steps(u, laplacian, factor, count):
    for _ in range(count):
        u = u + factor * laplacian(u)
    return u


random = np.random.default_rng(3)
tensors = {}
diffusivity, time_step, spacing = 0.8, 0.07, 0.6
factor = time_step * diffusivity / spacing**2
for name, shape, laplacian in [
    ("roll", (6, 9), rolled),
    ("constant", (5, 7), lambda u: scipy.ndimage.laplace(u, mode="constant")),
    ("reflect", (4, 8), lambda u: scipy.ndimage.laplace(u, mode="reflect")),
    ("solid", (3, 4, 5), rolled),
]:
    u = random.uniform(0.0, 1.0, shape).astype(np.float32)
    for count in (1, 12):
        tensors[f"{name}.{count}"] = steps(u.astype(np.float64), laplacian, factor, count)
    tensors[f"{name}.u"] = u
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "heat.safetensors"))
