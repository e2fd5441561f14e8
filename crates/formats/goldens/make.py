"""Makes the golden files of this folder with numpy and ml_dtypes; README.md describes them.

    pip install numpy ml_dtypes
    python crates/formats/goldens/make.py

The output is deterministic. The versions that made the committed files are in their first lines.
"""

from pathlib import Path

import ml_dtypes
import numpy as np

FOLDER = Path(__file__).parent
FORMATS = {
    "f16": (np.float16, 65504.0),
    "bf16": (ml_dtypes.bfloat16, float(ml_dtypes.finfo(ml_dtypes.bfloat16).max)),
    "e4m3": (ml_dtypes.float8_e4m3fn, 448.0),
    "e5m2": (ml_dtypes.float8_e5m2, 57344.0),
}
MODES = {"saturate": True, "non_saturating": False}
# A prime, so that every pattern of low bits occurs.
STRIDE = 4099


def code_type(name):
    return np.uint8 if name.startswith("e") else np.uint16


def bits_of(values):
    return np.asarray(values, np.float32).view(np.uint32)


def decode(name, codes):
    """Bits of the f32 values, every NaN made the quiet one of its sign."""
    values = np.asarray(codes, code_type(name)).view(FORMATS[name][0]).astype(np.float32)
    bits = bits_of(values)
    return np.where(np.isnan(values), (bits & 0x80000000) | 0x7FC00000, bits)


def encode(name, bits, saturate):
    """Codes of f32 bits, every NaN made the largest code of its sign."""
    dtype, largest = FORMATS[name]
    values = np.asarray(bits, np.uint32).view(np.float32)
    if saturate:
        # NaN passes through clip.
        values = np.clip(values, np.float32(-largest), np.float32(largest))
    narrow = values.astype(dtype)
    codes = narrow.view(code_type(name)).astype(np.uint64)
    sign = 1 << (np.dtype(code_type(name)).itemsize * 8 - 1)
    return np.where(np.isnan(narrow.astype(np.float32)), (codes & sign) | (sign - 1), codes)


def boundary_bits(name):
    """Every midpoint of neighbouring codes with its two neighbours in f32; the positive ones, then the negative."""
    dtype, largest = FORMATS[name]
    codes = np.arange(int(np.asarray(largest, dtype).view(code_type(name))) + 1)
    values = decode(name, codes).view(np.float32).astype(np.float64)
    # Above the largest value the spacing goes on as below it.
    following = np.append(values[1:], 2 * values[-1] - values[-2])
    midpoints = bits_of((values + following) / 2)
    near = np.stack([midpoints - 1, midpoints, midpoints + 1], axis=1).ravel()
    return np.concatenate([near, near | 0x80000000]).astype(np.uint32)


def special_bits():
    powers = bits_of(np.ldexp(np.float32(1), np.arange(-149, 128)))
    thresholds = bits_of([416, 448, 464, 480, 57344, 61440, 65504, 65519, 65520, 65536, np.finfo(np.float32).max])
    other = np.array([0, 1, 0x007FFFFF, 0x00800000, 0x7F800000, 0x7F800001, 0x7FBFFFFF, 0x7FC00000, 0x7FFFFFFF])
    bits = np.concatenate([powers, thresholds - 1, thresholds, thresholds + 1, other]).astype(np.uint32)
    return np.concatenate([bits, bits | 0x80000000]).astype(np.uint32)


def code_bits(name):
    """The values of all codes."""
    return decode(name, np.arange(1 << 8 * np.dtype(code_type(name)).itemsize)).astype(np.uint32)


def write(name, header, rows):
    versions = f"# numpy {np.__version__}, ml_dtypes {ml_dtypes.__version__}"
    lines = [versions, ",".join(header), *(",".join(row) for row in rows)]
    (FOLDER / name).write_text("\n".join(lines) + "\n")


def hex_of(array, digits):
    return [f"{int(value):0{digits}x}" for value in array]


def write_decode():
    codes = np.arange(256)
    columns = [hex_of(codes, 2), hex_of(decode("e4m3", codes), 8), hex_of(decode("e5m2", codes), 8)]
    write("fp8_decode.csv", ["code", "e4m3", "e5m2"], zip(*columns))


def write_encode(name, formats, inputs):
    bits = np.unique(np.concatenate(inputs))
    header, columns = ["bits"], [hex_of(bits, 8)]
    for narrow in formats:
        for mode in MODES:
            header.append(f"{narrow}_{mode}")
            columns.append(hex_of(encode(narrow, bits, MODES[mode]), 2 * np.dtype(code_type(narrow)).itemsize))
    write(name, header, zip(*columns))


def checksum(codes):
    """Sum of code times (2 * index + 1) modulo 2^64: any single change shows."""
    weights = 2 * np.arange(len(codes), dtype=np.uint64) + np.uint64(1)
    return f"{int((codes.astype(np.uint64) * weights).sum(dtype=np.uint64)):016x}"


def write_checksums():
    rows = [[f"{name}_decode", checksum(decode(name, np.arange(1 << 16)))] for name in ("f16", "bf16")]
    strided = np.arange(0, 1 << 32, STRIDE, dtype=np.uint64).astype(np.uint32)
    for name in FORMATS:
        for mode, saturate in MODES.items():
            rows.append([f"{name}_strided_{mode}", checksum(encode(name, strided, saturate))])
            rows.append([f"{name}_boundaries_{mode}", checksum(encode(name, boundary_bits(name), saturate))])
    write("checksums.csv", ["what", "checksum"], rows)


def flush(values):
    return np.where(np.abs(values) < np.finfo(np.float32).tiny, np.copysign(np.float32(0), values), values)


def write_quantize():
    random = np.random.default_rng(20240501)
    ties = np.arange(-260, 261, dtype=np.float32) / 2
    values = np.concatenate([ties, random.normal(0, 90, 300), 10.0 ** random.uniform(-44, 38, 200)])
    inverses = np.concatenate([np.ones(len(ties)), 10.0 ** random.uniform(-2, 1, 300), 10.0 ** random.uniform(-37, 37, 200)])
    odd = np.array([np.inf, -np.inf, 1e-40, -1e-40, np.nextafter(np.float32(127.5), 0), -127.5, -128.5])
    values = np.concatenate([values, odd]).astype(np.float32)
    inverses = np.concatenate([inverses, [1.0, 1.0, 1e37, 1e37, 1.0, 1.0, 1.0]]).astype(np.float32)
    zeros = random.integers(-128, 128, len(values))
    with np.errstate(over="ignore"):
        products = flush(values) * flush(inverses)
    rounded = np.rint(np.clip(products, -1e6, 1e6)).astype(np.int64)
    columns = [
        hex_of(bits_of(values), 8),
        hex_of(bits_of(inverses), 8),
        [str(zero) for zero in zeros],
        [str(code) for code in np.clip(rounded, -127, 127)],
        [str(code) for code in np.clip(rounded + zeros, -128, 127)],
        hex_of(encode("e4m3", bits_of(products), True), 2),
        hex_of(encode("e5m2", bits_of(products), True), 2),
    ]
    write("quantize.csv", ["value", "inverse", "zero_point", "i8_symmetric", "i8_full", "e4m3", "e5m2"], zip(*columns))


np.seterr(over="ignore", invalid="ignore")
write_decode()
fp8 = ["e4m3", "e5m2"]
write_encode("fp8_encode.csv", fp8, [special_bits(), *map(boundary_bits, fp8), *map(code_bits, fp8)])
write_encode("half_encode.csv", ["f16", "bf16"], [special_bits()])
write_checksums()
write_quantize()
