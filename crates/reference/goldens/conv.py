"""Makes conv.safetensors: convolutions by JAX in f64, their boundaries by numpy.pad, their transposes by JAX too.

Run with JAX and safetensors installed: python conv.py
The cases stand in the same order in tests/conv.rs.
"""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import numpy as np
from safetensors.numpy import save_file

jax.config.update("jax_enable_x64", True)

MODES = {"circular": "wrap", "reflect": "reflect", "replicate": "edge", "symmetric": "symmetric"}
LETTERS = {1: "X", 2: "YX", 3: "ZYX"}

# name: x shape, w shape, groups, stride, dilation, padding, boundaries (a number is a constant)
CASES = {
    "line": ([2, 3, 11], [4, 3, 3], 1, [2], [2], [[3, 1]], [0]),
    "grouped": ([1, 4, 6, 7], [6, 2, 3, 2], 2, [1, 2], [1, 1], [[1, 1], [0, 1]], [0, 0]),
    "depthwise": ([1, 3, 5, 5], [3, 1, 3, 3], 3, [1, 1], [1, 1], [[1, 1], [1, 1]], ["circular", "circular"]),
    "mixed": ([2, 2, 5, 6], [3, 2, 3, 3], 1, [1, 1], [2, 1], [[2, 3], [4, 2]], ["reflect", "replicate"]),
    "wide": ([1, 1, 2, 3], [1, 1, 2, 3], 1, [1, 1], [1, 1], [[5, 3], [7, 4]], ["circular", 0]),
    "solid": ([1, 2, 3, 4, 5], [2, 2, 2, 3, 2], 1, [1, 2, 1], [1, 1, 2], [[1, 0], [2, 1], [1, 1]], ["circular", "reflect", "replicate"]),
    "constant": ([1, 2, 4, 5], [2, 2, 3, 3], 1, [1, 1], [1, 2], [[2, 1], [2, 3]], [1.5, -0.25]),
    "corners": ([1, 1, 3, 4], [1, 1, 3, 3], 1, [1, 1], [1, 1], [[2, 2], [1, 2]], [2.0, "reflect"]),
}
# The same with channels last.
LAST = {
    "last": ([2, 5, 6, 4], [6, 3, 2, 2], 2, [2, 1], [1, 1], [[1, 2], [0, 1]], ["replicate", 0.5]),
    "last_line": ([1, 9, 3], [2, 4, 3], 1, [1], [2], [[3, 3]], ["circular"]),
}
# As above; the last case of all, so that the others keep their numbers.
MIRRORED = {
    "mirrored": ([1, 2, 3, 4], [2, 2, 2, 3], 1, [1, 1], [1, 1], [[8, 2], [3, 5]], ["symmetric", "symmetric"]),
}
# name: case as above, how often x is repeated
UPSAMPLED = {
    "upsampled": (([1, 2, 3, 4], [3, 2, 3, 3], 1, [1, 1], [1, 1], [[1, 1], [4, 3]], ["reflect", "circular"]), [2, 3]),
    "upsampled_strided": (([1, 1, 5], [2, 1, 4], 1, [3], [2], [[2, 6]], [-1.0]), [2]),
}
# name: x shape, w shape [in, out / groups, kernel..], groups, stride, dilation, padding, output padding, channels last
TRANSPOSED = {
    "transposed": ([2, 3, 4, 5], [3, 2, 4, 4], 1, [2, 2], [1, 1], [[1, 1], [1, 1]], [0, 0], False),
    "transposed_odd": ([1, 2, 5], [2, 3, 3], 1, [3], [2], [[2, 1]], [2], False),
    "transposed_gaps": ([1, 1, 4, 3], [1, 1, 2, 2], 1, [3, 4], [1, 2], [[0, 0], [0, 1]], [1, 3], False),
    "transposed_common": ([1, 1, 6], [1, 2, 5], 1, [4], [6], [[5, 3]], [1], False),
    "transposed_groups": ([1, 4, 3, 4], [4, 3, 3, 2], 2, [2, 1], [1, 2], [[1, 0], [0, 1]], [1, 0], False),
    "transposed_last": ([1, 3, 4, 4], [4, 3, 3, 1], 2, [2, 2], [1, 1], [[1, 1], [0, 2]], [1, 0], True),
    "transposed_solid": ([1, 2, 2, 3, 2], [2, 1, 2, 3, 2], 1, [2, 1, 3], [1, 2, 1], [[1, 0], [1, 1], [0, 0]], [0, 0, 2], False),
}


def padded(x, padding, boundaries, first):
    """Axis after axis, as a padding by hand would be."""
    for axis, (sides, boundary) in enumerate(zip(padding, boundaries)):
        widths = [(0, 0)] * x.ndim
        widths[axis + first] = tuple(sides)
        if isinstance(boundary, str):
            x = np.pad(x, widths, mode=MODES[boundary])
        else:
            x = np.pad(x, widths, constant_values=boundary)
    return x


def numbers(axes, last):
    letters = LETTERS[axes]
    if last:
        return (f"N{letters}C", f"O{letters}I", f"N{letters}C")
    return (f"NC{letters}", f"OI{letters}", f"NC{letters}")


def convolution(x, w, groups, stride, dilation, padding, boundaries, last=False, repeats=None):
    axes, first = x.ndim - 2, 1 if last else 2
    for axis, repeat in enumerate(repeats or []):
        x = np.repeat(x, repeat, axis=axis + first)
    out = jax.lax.conv_general_dilated(
        padded(x, padding, boundaries, first),
        w,
        window_strides=stride,
        padding=[(0, 0)] * axes,
        rhs_dilation=dilation,
        dimension_numbers=numbers(axes, last),
        feature_group_count=groups,
        precision=jax.lax.Precision.HIGHEST,
    )
    return np.asarray(out)


def transposed(x, w, groups, stride, dilation, padding, output_padding, last):
    """Every group by jax.lax.conv_transpose, which pads its dilated input."""
    axes, channels = x.ndim - 2, x.ndim - 1 if last else 1
    extents = w.shape[1:-1] if last else w.shape[2:]
    pads = [
        (d * (k - 1) - before, d * (k - 1) - after + more)
        for k, d, (before, after), more in zip(extents, dilation, padding, output_padding)
    ]
    outs = [
        jax.lax.conv_transpose(
            x_of_group,
            w_of_group,
            strides=stride,
            padding=pads,
            rhs_dilation=dilation,
            dimension_numbers=numbers(axes, last),
            transpose_kernel=True,
            precision=jax.lax.Precision.HIGHEST,
        )
        for x_of_group, w_of_group in zip(np.split(x, groups, axis=channels), np.split(w, groups, axis=0))
    ]
    return np.concatenate([np.asarray(out) for out in outs], axis=channels)


random = np.random.default_rng(1)
tensors = {}


def draw(shape):
    return random.uniform(-1.0, 1.0, shape).astype(np.float32)


def wide(array):
    return array.astype(np.float64)


def keep(name, x, w, out, **others):
    assert out.dtype == np.float64
    tensors.update({f"{name}.x": x, f"{name}.w": w, f"{name}.out": np.ascontiguousarray(out)})
    tensors.update({f"{name}.{other}": value for other, value in others.items()})


for name, (x_shape, w_shape, *settings) in CASES.items():
    x, w = draw(x_shape), draw(w_shape)
    out = convolution(wide(x), wide(w), *settings)
    if name in ["grouped", "solid"]:
        bias = draw([w_shape[0]])
        keep(name, x, w, out + wide(bias).reshape([-1] + [1] * (x.ndim - 2)), bias=bias)
    else:
        keep(name, x, w, out)
for name, (x_shape, w_shape, *settings) in LAST.items():
    x, w, bias = draw(x_shape), draw(w_shape), draw([w_shape[0]])
    keep(name, x, w, convolution(wide(x), wide(w), *settings, last=True) + wide(bias), bias=bias)
for name, ((x_shape, w_shape, *settings), repeats) in UPSAMPLED.items():
    x, w = draw(x_shape), draw(w_shape)
    keep(name, x, w, convolution(wide(x), wide(w), *settings, repeats=repeats))
for name, (x_shape, w_shape, *settings) in TRANSPOSED.items():
    x, w = draw(x_shape), draw(w_shape)
    keep(name, x, w, transposed(wide(x), wide(w), *settings))

# Codes with their scales, and everything after the sum.
x, w = (random.integers(-128, 128, shape).astype(np.int8) for shape in ([1, 2, 4, 6], [3, 2, 3, 3]))
x_scale, w_scale, bias, residual = np.float32(0.003), random.uniform(0.01, 0.02, 3).astype(np.float32), draw([3]), draw([1, 3, 4, 6])
sums = convolution(wide(x), wide(w), 1, [1, 1], [1, 1], [[1, 1], [1, 1]], [7, 7])
by_channel = lambda values: wide(values).reshape([-1, 1, 1])
scaled = np.float64(x_scale) * by_channel(w_scale) * sums + by_channel(bias)
out = np.asarray(jax.nn.silu(scaled)) + wide(residual)
keep("scaled", x, w, out, x_scale=np.asarray(x_scale), w_scale=w_scale, bias=bias, residual=residual)

for name, (x_shape, w_shape, *settings) in MIRRORED.items():
    x, w = draw(x_shape), draw(w_shape)
    keep(name, x, w, convolution(wide(x), wide(w), *settings))

save_file(tensors, os.path.join(os.path.dirname(os.path.abspath(__file__)), "conv.safetensors"))
