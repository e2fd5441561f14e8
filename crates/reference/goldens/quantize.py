"""Makes quantize.safetensors: quantization and dequantization by NumPy and ml_dtypes.

    pip install numpy ml_dtypes safetensors
    python crates/reference/goldens/quantize.py

Each case is a group of tensors `CASE.tensor`. The I8 cases with zero points are the ONNX definitions

    QuantizeLinear:   y = saturate(round_half_even(x / y_scale) + y_zero_point)
    DequantizeLinear: y = (x - x_zero_point) * x_scale

with scales that are powers of two, for which dividing by the scale and multiplying by its inverse are the same. NumPy's
f32 operations are those of IEEE 754. The output is deterministic; the versions that made it are in its metadata.
"""

from pathlib import Path

import ml_dtypes
import numpy as np
from safetensors.numpy import save_file

FP8 = {"e4m3": (ml_dtypes.float8_e4m3fn, 448.0), "e5m2": (ml_dtypes.float8_e5m2, 57344.0)}
random = np.random.default_rng(20240607)
tensors = {}


def add(case, **parts):
    for name, part in parts.items():
        tensors[f"{case}.{name}"] = np.asarray(part, order="C")


def codes(dtype, values):
    """ml_dtypes' codes, every NaN made the largest code of its sign: libraries write different ones."""
    narrow = values.astype(dtype)
    bits = narrow.view(np.uint8)
    return np.where(np.isnan(narrow.astype(np.float32)), (bits & 0x80) | 0x7F, bits).astype(np.uint8)


def wide(shape):
    return (random.normal(size=shape) * 2.0 ** random.integers(-8, 8, shape)).astype(np.float32)


def boundaries(dtype, largest):
    """Every third midpoint of neighbouring codes, and its neighbours in f32; the number formats have all of them."""
    count = int(np.asarray(largest, dtype).view(np.uint8)) + 1
    values = np.arange(count, dtype=np.uint8).view(dtype).astype(np.float64)
    following = np.append(values[1:], 2 * values[-1] - values[-2])
    middle = ((values + following) / 2).astype(np.float32)[::-3]
    return np.concatenate([middle, np.nextafter(middle, np.float32(0)), np.nextafter(middle, np.float32(np.inf))])


def static_fp8():
    for name, (dtype, largest) in FP8.items():
        scale = np.float32(0.25)
        special = np.array([0, np.inf, np.nan, 1e30, largest, largest / 3, 1e-12], np.float32)
        values = np.concatenate([boundaries(dtype, largest), special]) * scale
        x = np.concatenate([values, -values])
        scaled = x * (np.float32(1) / scale)
        clipped = np.clip(scaled, np.float32(-largest), np.float32(largest))
        add(f"static_{name}", x=x, scale=scale, saturate=codes(dtype, clipped), non_saturating=codes(dtype, scaled))


def dynamic():
    for name, (dtype, largest) in FP8.items():
        x = wide((5, 13))
        for kind, axis in [("row", -1), ("tensor", None)]:
            scale = np.max(np.abs(x), axis=axis).astype(np.float32) / np.float32(largest)
            inverse = np.float32(1) / scale
            scaled = np.clip(x * (inverse[:, None] if axis else inverse), np.float32(-largest), np.float32(largest))
            add(f"{kind}_{name}", x=x, scale=scale, q=codes(dtype, scaled))
    x = wide((5, 13))
    scale = np.max(np.abs(x), axis=-1) / np.float32(127)
    add("row_i8", x=x, scale=scale, q=np.clip(np.rint(x * (np.float32(1) / scale)[:, None]), -127, 127).astype(np.int8))


def asymmetric():
    x = wide((6, 11)) + np.array([0, 30, -30, 500, -500, 0], np.float32)[:, None]
    low, high = np.minimum(x.min(-1), 0), np.maximum(x.max(-1), 0)
    scale = (high - low) / np.float32(255)
    zero = (-128 - np.rint(low / scale)).astype(np.int32)
    q = np.clip(np.rint(x * (np.float32(1) / scale)[:, None]) + zero[:, None], -128, 127).astype(np.int8)
    add("asymmetric", x=x, scale=scale, zero_point=zero, q=q)


def onnx():
    scale = np.float32(2.0) ** np.array([-3, 0, 4, -10], np.float32)
    zero = np.array([0, -128, 127, 7], np.int32)
    ties = (np.arange(-300, 301, 7) / 2).astype(np.float32)
    x = np.concatenate([ties * s for s in scale]).reshape(4, -1)
    q = np.clip(np.rint(x / scale[:, None]) + zero[:, None], -128, 127).astype(np.int8)
    add("onnx_quantize", x=x, scale=scale, zero_point=zero, q=q)
    q = np.tile(np.arange(-128, 128).astype(np.int8), (4, 1))
    out = (q.astype(np.int32) - zero[:, None]).astype(np.float32) * scale[:, None]
    add("onnx_dequantize", q=q, scale=scale, zero_point=zero, out=out)


def decode():
    every = np.arange(256, dtype=np.uint8)
    for name, (dtype, _) in FP8.items():
        add(f"decode_{name}", q=every, scale=np.float32(8), out=every.view(dtype).astype(np.float32) * np.float32(8))


def tiles(x, rows, columns):
    """Every block of x, its place among the blocks first; rows are those of the last axis but one."""
    for i in range(-(-x.shape[0] // rows)):
        for j in range(-(-x.shape[1] // columns)):
            yield (i, j), (slice(i * rows, (i + 1) * rows), slice(j * columns, (j + 1) * columns))


def granularities():
    for kind, name, rows, columns in [("column", "e4m3", 9, 1), ("group", "e5m2", 1, 32), ("block", "e4m3", 4, 8),
                                      ("strip", "e5m2", 5, 1)]:
        dtype, largest = FP8[name]
        x = wide((9, 38))
        scale = np.zeros((-(-9 // rows), -(-38 // columns)), np.float32)
        q = np.zeros(x.shape, np.uint8)
        for place, tile in tiles(x, rows, columns):
            scale[place] = np.abs(x[tile]).max() / np.float32(largest)
            scaled = x[tile] * (np.float32(1) / scale[place])
            q[tile] = codes(dtype, np.clip(scaled, np.float32(-largest), np.float32(largest)))
        add(f"{kind}_{name}", x=x, scale=scale[0] if kind == "column" else scale, q=q)


def mx():
    """MXFP8: the scale of a block is a power of two, made of its largest magnitude by torchao's rules, here in f64."""
    for name, (dtype, largest) in FP8.items():
        x = wide((6, 70))
        x[0, 3], x[1, 40], x[2, :32] = 448 * 1.05, 61000, 0
        top, digits = (8, 3) if name == "e4m3" else (15, 2)
        for rounding in ["floor", "rceil", "ceil", "even"]:
            scale, q = np.zeros((6, 3)), np.zeros(x.shape, np.uint8)
            for place, tile in tiles(x, 1, 32):
                amax = np.abs(x[tile]).max().astype(np.float64)
                power = np.floor(np.log2(amax)) if amax > 0 else top
                if rounding == "rceil" and amax > 0:
                    power = np.ceil(np.log2(amax / largest)) + top
                if rounding == "ceil" and amax > 0:
                    power = np.ceil(np.log2(amax))
                if rounding == "even" and amax / 2.0**power >= 2 - 0.5 ** (digits + 1):
                    power += 1
                scale[place] = 2.0 ** (power - top)
                q[tile] = codes(dtype, np.clip(x[tile] / scale[place].astype(np.float32), -largest, largest))
            scales = scale.astype(ml_dtypes.float8_e8m0fnu)
            assert np.array_equal(scales.astype(np.float64), scale)
            add(f"mx_{rounding}_{name}", x=x, scale=scales.view(np.uint8), q=q)


def fake():
    """Quantize and dequantize at once: the numbers are one f32 product of code and scale."""
    x = wide((4, 18))
    dtype, largest = FP8["e4m3"]
    scale = np.abs(x).max(-1) / np.float32(largest)
    scaled = np.clip(x * (np.float32(1) / scale)[:, None], np.float32(-largest), np.float32(largest))
    add("fake_e4m3", x=x, scale=scale, out=scaled.astype(dtype).astype(np.float32) * scale[:, None])


static_fp8()
dynamic()
asymmetric()
onnx()
decode()
granularities()
mx()
fake()
versions = {"numpy": np.__version__, "ml_dtypes": ml_dtypes.__version__}
save_file(tensors, Path(__file__).with_suffix(".safetensors"), metadata=versions)
