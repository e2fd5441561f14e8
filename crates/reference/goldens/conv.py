"""Makes conv.safetensors: convolutions by JAX in f64, their boundaries by numpy.pad.

Run with JAX and safetensors installed: python conv.py
The cases stand in the same order in tests/conv.rs.
"""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)

MODES = {"zero": "constant", "circular": "wrap", "reflect": "reflect", "replicate": "edge"}
LETTERS = {1: "X", 2: "YX", 3: "ZYX"}

# name: x shape, w shape, groups, stride, dilation, padding, boundaries, bias
CASES = {
    "line": ([2, 3, 11], [4, 3, 3], 1, [2], [2], [[3, 1]], ["zero"], False),
    "grouped": ([1, 4, 6, 7], [6, 2, 3, 2], 2, [1, 2], [1, 1], [[1, 1], [0, 1]], ["zero", "zero"], True),
    "depthwise": ([1, 3, 5, 5], [3, 1, 3, 3], 3, [1, 1], [1, 1], [[1, 1], [1, 1]], ["circular", "circular"], False),
    "mixed": ([2, 2, 5, 6], [3, 2, 3, 3], 1, [1, 1], [2, 1], [[2, 3], [4, 2]], ["reflect", "replicate"], False),
    "wide": ([1, 1, 2, 3], [1, 1, 2, 3], 1, [1, 1], [1, 1], [[5, 3], [7, 4]], ["circular", "zero"], False),
    "solid": ([1, 2, 3, 4, 5], [2, 2, 2, 3, 2], 1, [1, 2, 1], [1, 1, 2], [[1, 0], [2, 1], [1, 1]], ["circular", "reflect", "replicate"], True),
}


def convolution(x, w, groups, stride, dilation, padding, boundaries, bias):
    for axis, (sides, boundary) in enumerate(zip(padding, boundaries)):
        widths = [(0, 0)] * x.ndim
        widths[axis + 2] = tuple(sides)
        x = np.pad(x, widths, mode=MODES[boundary])
    axes = LETTERS[x.ndim - 2]
    out = jax.lax.conv_general_dilated(
        x,
        w,
        window_strides=stride,
        padding=[(0, 0)] * (x.ndim - 2),
        rhs_dilation=dilation,
        dimension_numbers=("NC" + axes, "OI" + axes, "NC" + axes),
        feature_group_count=groups,
        precision=jax.lax.Precision.HIGHEST,
    )
    out = np.asarray(out)
    assert out.dtype == np.float64
    if bias is not None:
        out = out + bias.reshape([-1] + [1] * (x.ndim - 2))
    return out


random = np.random.default_rng(1)
tensors = {}
for name, (x_shape, w_shape, groups, stride, dilation, padding, boundaries, has_bias) in CASES.items():
    draw = lambda shape: random.uniform(-1.0, 1.0, shape).astype(np.float32)
    x, w = draw(x_shape), draw(w_shape)
    bias = draw([w_shape[0]]) if has_bias else None
    wide = lambda array: None if array is None else array.astype(np.float64)
    out = convolution(wide(x), wide(w), groups, stride, dilation, padding, boundaries, wide(bias))
    tensors |= {f"{name}.x": x, f"{name}.w": w, f"{name}.out": np.ascontiguousarray(out)}
    if has_bias:
        tensors[f"{name}.bias"] = bias
save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "conv.safetensors"))
