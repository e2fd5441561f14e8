"""Samples digits with the committed weights in several formats and asks a nearest-neighbour classifier about them.

    JAX_PLATFORMS=cpu python evaluate.py --steps 10 15 30 --formats f32 e4m3 i8 --sheet sheet.png
"""

import argparse
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from PIL import Image

import checkpoint
import digits
import flow

PER_DIGIT = 20
GUIDANCE = 2.0
# One picture pixel on the contact sheet.
ZOOM = 6


def noise_and_labels(seed: int) -> tuple:
    """Twenty pieces of noise for each digit."""
    labels = jnp.repeat(jnp.arange(10), PER_DIGIT)
    return jax.random.normal(jax.random.key(seed), (len(labels), 1, 8, 8)), labels


def contact_sheet(images: np.ndarray, path: str) -> None:
    """One row per digit, ink white on black, a dark line between the pictures."""
    rows, columns = 10, PER_DIGIT
    cells = np.kron(images / digits.MAX_PIXEL * 255, np.ones((1, ZOOM, ZOOM)))
    cells = np.pad(cells, ((0, 0), (1, 1), (1, 1)), constant_values=40)
    side = cells.shape[1]
    sheet = cells.reshape(rows, columns, side, side).transpose(0, 2, 1, 3).reshape(rows * side, columns * side)
    Image.fromarray(np.rint(sheet).astype(np.uint8)).save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[30])
    parser.add_argument("--formats", nargs="+", choices=checkpoint.FORMATS, default=["f32", "e4m3", "i8"])
    parser.add_argument("--seeds", type=int, default=5, help="how many sets of 200 samples")
    parser.add_argument("--sheet", help="write a contact sheet of the first set here")
    arguments = parser.parse_args()
    stored, config = checkpoint.load()
    judges = {neighbours: digits.nearest_neighbours(neighbours) for neighbours in (3, 5)}
    print("format steps  right by k=3: each set, mean    right by k=5: each set, mean")
    for weight_format in arguments.formats:
        params = checkpoint.in_format(stored, weight_format)
        for steps in arguments.steps:
            sample = jax.jit(partial(flow.euler, config=config, steps=steps, guidance=GUIDANCE))
            right = {neighbours: [] for neighbours in judges}
            for seed in range(arguments.seeds):
                noise, labels = noise_and_labels(seed)
                images = digits.from_model(sample(params, noise=noise, label=labels)[-1])
                for neighbours, judge in judges.items():
                    called = judge.predict(images.reshape(len(images), -1))
                    right[neighbours].append(np.mean(called == np.asarray(labels)))
                if arguments.sheet and seed == 0:
                    contact_sheet(images, arguments.sheet)
            columns = [
                " ".join(f"{100 * share:5.1f}" for share in shares) + f" | {100 * np.mean(shares):5.2f} %"
                for shares in right.values()
            ]
            print(f"{weight_format:6} {steps:5d}  " + "    ".join(columns), flush=True)


if __name__ == "__main__":
    main()
