"""Quantizes 64 M numbers by NumPy and ml_dtypes: f32 to E4M3 with one scale for the tensor, as langevin's quantizer does.

    pip install numpy ml_dtypes
    python numpy_quantize.py --json numpy_quantize.json

The scale is amax / 448, the codes are those of x times its inverse, clipped to 448: what the CPU reference does, bit by bit. The
passes go through pieces that fit the caches, which NumPy is faster with than with whole tensors, on as many threads as the
machine has; `--threads 1` is NumPy as it comes. Compare with the same case of `langevin bench` on the same machine:

    langevin bench --kernel quantize --filter "64 M"
"""

import argparse
import json
import os
import pathlib
import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import ml_dtypes
import numpy as np

ELEMENTS = 1 << 26
PIECE = 1 << 16
LARGEST = np.float32(448)


def amax(x):
    return max(x.max(), -x.min())


def encode(x, inverse, out):
    scaled = x * inverse
    np.clip(scaled, -LARGEST, LARGEST, out=scaled)
    out[:] = scaled.astype(ml_dtypes.float8_e4m3fn).view(np.uint8)


def quantize(x, out, pool):
    pieces = [slice(start, start + PIECE) for start in range(0, x.size, PIECE)]
    scale = max(pool.map(lambda piece: amax(x[piece]), pieces)) / LARGEST
    inverse = np.float32(1) / scale
    for _ in pool.map(lambda piece: encode(x[piece], inverse, out[piece]), pieces):
        pass
    return scale


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, help="write the result here")
    parser.add_argument("--samples", type=int, default=7)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    args = parser.parse_args()
    x = np.random.default_rng(1).uniform(-1, 1, ELEMENTS).astype(np.float32)
    out = np.empty(ELEMENTS, np.uint8)
    with ThreadPoolExecutor(args.threads) as pool:
        scale = quantize(x, out, pool)
        # A sum that a wrong code changes: the answer is looked at before it is timed.
        check = out[::4099].astype(np.float64) @ np.arange(1, out[::4099].size + 1)
        samples = []
        for _ in range(args.samples):
            start = time.perf_counter()
            quantize(x, out, pool)
            samples.append(time.perf_counter() - start)
    median = statistics.median(samples)
    bytes_moved = ELEMENTS * 5
    record = {
        "case": "f32 to e4m3 by tensor, 64 M",
        "library": f"numpy {np.__version__}, ml_dtypes {ml_dtypes.__version__}",
        "threads": args.threads,
        "scale": float(scale),
        "check": float(check),
        "median_seconds": median,
        "samples": samples,
    }
    print(f"{record['library']}, {args.threads} threads: {median * 1e3:.1f} ms, {bytes_moved / median / 1e9:.2f} GB/s")
    if args.json:
        args.json.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
