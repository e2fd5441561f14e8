"""What the baselines of all Python libraries share: the cases, the clock, the check and the file they write.

The cases are those of `cases.json`, which the Rust program beside this file reads too. A library is a function that
turns a case into the ways it can compute it; see `torch_baseline.py` and `jax_baseline.py`.
"""

import argparse
import json
import math
import pathlib
import statistics
import time

import numpy

SCHEMA = 1
# Diffusivity times the time step over the square of the spacing, as in src/cases.rs.
HEAT_RATIO = 0.1
# Rows of an answer that are checked: its last ones.
ROWS = 16
# Calls between two synchronizations take about this long together, so that waiting does not count.
BATCH_SECONDS = 0.01


def arguments(description):
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--json", type=pathlib.Path, help="write the result here")
    parser.add_argument("--filter", default="", help="only cases whose name contains this")
    parser.add_argument("--large", action="store_true", help="the large cases too, for GPUs")
    parser.add_argument("--device", default="auto", help="cpu, or the library's name of a GPU")
    parser.add_argument("--samples", type=int, default=20, help="samples of each way")
    return parser.parse_args()


def cases(args):
    everything = json.loads(pathlib.Path(__file__).with_name("cases.json").read_text())
    wanted = [case for case in everything if args.filter in case["name"] and (args.large or not case.get("large"))]
    if not wanted:
        raise SystemExit(f'no case\'s name contains "{args.filter}"')
    return wanted


def heat_filter():
    r = HEAT_RATIO
    return numpy.array([[0, r, 0], [r, 1 - 4 * r, r], [0, r, 0]], numpy.float32).reshape(1, 1, 3, 3)


def inputs(case):
    """Random operands in [-1, 1) as f32, rounded to f16 where the library computes in it."""
    random = numpy.random.default_rng(1)
    kind = numpy.float16 if case.get("peer", case.get("format")) == "f16" else numpy.float32

    def uniform(*shape):
        return random.uniform(-1, 1, shape).astype(kind)

    op = case["op"]
    if op == "matmul":
        return [uniform(case["m"], case["k"]), uniform(case["k"], case["n"])]
    if op == "attention":
        return [uniform(1, case["heads"], case["seq"], case["head_dim"]) for _ in range(3)]
    if op == "conv2d":
        channels, extent = case["channels"], case["extent"]
        return [uniform(1, channels, extent, extent), uniform(channels, channels, 3, 3)]
    if op == "heat":
        return [uniform(1, 1, case["extent"], case["extent"]), heat_filter()]
    raise SystemExit(f"cases.json: unknown op {op}")


def relative_error(case, operands, answer):
    """The error of the last rows in the Euclidean norm, relative to numpy's answer in f64."""
    wide = [operand.astype(numpy.float64) for operand in operands]
    if case["op"] == "matmul":
        a, b = wide
        expected = a[-ROWS:] @ b
    elif case["op"] == "attention":
        q, k, v = (operand[0, -1] for operand in wide)
        logits = q[-ROWS:] @ k.T / math.sqrt(case["head_dim"])
        weights = numpy.exp(logits - logits.max(axis=1, keepdims=True))
        expected = weights / weights.sum(axis=1, keepdims=True) @ v
    else:
        x, w = wide
        # The last rows of the last channel need one row more above them, and zeros around.
        field = numpy.pad(x[0, :, -ROWS - 1 :], ((0, 0), (0, 1), (1, 1)))
        width = x.shape[3]
        expected = sum(
            w[-1, channel, i, j] * field[channel, i : i + ROWS, j : j + width]
            for channel in range(x.shape[1])
            for i in range(3)
            for j in range(3)
        )
    got = numpy.asarray(answer, numpy.float64).reshape(-1)[-expected.size :].reshape(expected.shape)
    return float(numpy.linalg.norm(got - expected) / numpy.linalg.norm(expected))


def limit(case):
    """How far off a sum in the operands' own arithmetic may be."""
    terms = {
        "matmul": lambda: case["k"],
        "attention": lambda: case["seq"] + case["head_dim"],
        "conv2d": lambda: 9 * case["channels"],
        "heat": lambda: 9,
    }[case["op"]]()
    unit = 2.0**-10 if case.get("peer", case.get("format")) == "f16" else 2.0**-23
    return (terms + 2) * unit


def seconds(compute, synchronize, samples):
    """Samples of one call, each from a batch of calls."""

    def batch(calls):
        synchronize()
        start = time.perf_counter()
        results = [compute() for _ in range(calls)]
        synchronize(results)
        return (time.perf_counter() - start) / calls

    # Compilation and autotuning end here.
    for _ in range(5):
        one = batch(1)
    calls = max(1, min(64, round(BATCH_SECONDS / one)))
    batch(calls)
    return [batch(calls) for _ in range(samples)]


def run(args, library, device, settings, ways, synchronize):
    """Checks and times every way of every case; `ways(case, operands)` gives pairs of a name and a function, and a
    function that turns its result into a numpy array."""
    rows = []
    record = {"schema": SCHEMA, "library": library, "device": device, "settings": settings, "rows": rows}
    for case in cases(args):
        operands = inputs(case)
        named, to_numpy = ways(case, operands)
        for how, compute in named:
            error = relative_error(case, operands, to_numpy(compute()))
            # Written so that NaN is wrong.
            if not error <= limit(case):
                print(f"{case['name']}, {library} {how}: WRONG, relative error {error:.1e}")
                continue
            samples = seconds(compute, synchronize, args.samples)
            quartiles = statistics.quantiles(samples, n=4) if len(samples) > 1 else samples * 3
            median = statistics.median(samples)
            print(f"{case['name']}, {library} {how}: {median * 1e3:.3f} ms, relative error {error:.1e}", flush=True)
            rows.append(
                {
                    "case": case["name"],
                    "how": how,
                    "median_seconds": median,
                    "lower_quartile": quartiles[0],
                    "upper_quartile": quartiles[2],
                    "samples": len(samples),
                    "relative_error": error,
                }
            )
            # After every one: compilers take minutes, and a run that is stopped leaves what it has.
            if args.json:
                part = args.json.with_name(args.json.name + ".part")
                part.write_text(json.dumps(record, indent=1) + "\n")
                part.replace(args.json)
    if not rows:
        raise SystemExit("nothing could be timed")
