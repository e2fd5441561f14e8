"""Makes laplacian.safetensors: scipy.ndimage.laplace, and a sparse matrix for edges that it does not have, in f64.

Run with SciPy and safetensors installed: python laplacian.py
The cases stand in the same order in tests/laplacian.rs.
"""

import os

import numpy as np
import scipy.ndimage
import scipy.sparse
from safetensors.numpy import save_file


def matrix(extent, spacing, low, high):
    """The matrix of the 3-point stencil along one axis, and what its edges add."""
    matrix = scipy.sparse.diags([1.0, -2.0, 1.0], [-1, 0, 1], shape=(extent, extent)).tolil()
    added = np.zeros(extent)
    for position, (kind, value) in [(0, low), (extent - 1, high)]:
        if kind == "fixed":
            added[position] += value
        elif kind == "dirichlet":
            matrix[position, position] -= 1.0
            added[position] += 2.0 * value
        elif kind == "neumann":
            matrix[position, position] += 1.0
            added[position] += spacing * value
    return matrix.tocsr() / spacing**2, added / spacing**2


def laplacian(u, spacings, edges):
    out = np.zeros_like(u)
    for axis, (spacing, (low, high)) in enumerate(zip(spacings, edges)):
        along, added = matrix(u.shape[axis], spacing, low, high)
        lines = np.moveaxis(u, axis, 0)
        flat = along @ lines.reshape(lines.shape[0], -1) + added[:, None]
        out += np.moveaxis(flat.reshape(lines.shape), 0, axis)
    return out


random = np.random.default_rng(2)
draw = lambda *shape: random.uniform(-1.0, 1.0, shape).astype(np.float32)
tensors = {}
# SciPy's own operator: wrap is periodic, constant is fixed at 0 outside, reflect repeats the edge cell: no flux.
for name, mode, shape in [("wrap", "wrap", (5, 7)), ("constant", "constant", (4, 6)), ("reflect", "reflect", (3, 4, 5)), ("line", "wrap", (9,))]:
    u = draw(*shape)
    tensors |= {f"{name}.u": u, f"{name}.out": scipy.ndimage.laplace(u.astype(np.float64), mode=mode)}
u = draw(3, 5, 4)
spacings = [0.5, 2.0, 0.75]
edges = [
    (("dirichlet", 0.75), ("fixed", -0.5)),
    (("neumann", 1.5), ("dirichlet", -2.0)),
    (("fixed", 3.0), ("neumann", -0.25)),
]
tensors |= {"edges.u": u, "edges.out": np.ascontiguousarray(laplacian(u.astype(np.float64), spacings, edges))}
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "laplacian.safetensors"))
