"""The heat step of High Performance Python on a periodic square, f32: the book's roll version by NumPy, and by JAX, compiled.

    pip install numpy jax
    JAX_PLATFORMS=cpu python heat_book.py --json heat_book.json

Both do `grid + dt * D * (four rolls - 4 grid)`, the book's `laplacian` and `evolve`. JAX is timed with one step to a call, and with
eight in one compiled loop. Compare with the same grid on the same machine:

    langevin heat --grid 4096 --steps 48 --steps-per-dispatch 1
    langevin heat --grid 4096 --steps 48
"""

import argparse
import json
import os
import pathlib
import statistics
import time

import jax
import jax.numpy as jnp
import numpy as np

TIME_STEP = np.float32(0.1)


def laplacian(xp, grid):
    return (xp.roll(grid, +1, 0) + xp.roll(grid, -1, 0) + xp.roll(grid, +1, 1) + xp.roll(grid, -1, 1)
            - np.float32(4) * grid)


def step(xp, grid):
    return grid + TIME_STEP * laplacian(xp, grid)


def samples_of(run, count):
    run()
    samples = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        samples.append(time.perf_counter() - start)
    return samples


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=pathlib.Path, help="write the result here")
    parser.add_argument("--grid", type=int, default=4096)
    parser.add_argument("--samples", type=int, default=7)
    args = parser.parse_args()
    n = args.grid
    grid = np.zeros((n, n), np.float32)
    low, high = int(n * 0.4), int(n * 0.5)
    grid[low:high, low:high] = 0.005
    single = jax.jit(lambda grid: step(jnp, grid), donate_argnums=0)
    eight = jax.jit(lambda grid: jax.lax.fori_loop(0, 8, lambda _, grid: step(jnp, grid), grid), donate_argnums=0)
    # The answers agree before they are timed.
    expected = grid
    for _ in range(8):
        expected = step(np, expected)
    worst = np.abs(np.asarray(eight(jnp.array(grid))) - expected).max()
    assert worst <= 8 * 13 * 2.0**-23 * 0.005 * 2, worst
    held = {"numpy": grid, "one": jnp.array(grid), "eight": jnp.array(grid)}

    def by_numpy():
        held["numpy"] = step(np, held["numpy"])

    def by_jax(name, function):
        held[name] = function(held[name]).block_until_ready()

    cases = [
        ("numpy roll", 1, by_numpy),
        ("jax jit", 1, lambda: by_jax("one", single)),
        ("jax jit, 8 steps in a loop", 8, lambda: by_jax("eight", eight)),
    ]
    results = []
    for name, steps, run in cases:
        samples = [seconds / steps for seconds in samples_of(run, args.samples)]
        median = statistics.median(samples)
        print(f"{name:28} {1e3 * median:8.2f} ms a step, {n * n / median / 1e9:.3f} Gcell/s")
        results.append({"name": name, "grid": n, "seconds_per_step": median, "samples": samples})
    if args.json:
        host = {"numpy": np.__version__, "jax": jax.__version__, "threads": os.cpu_count()}
        args.json.write_text(json.dumps({"host": host, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
