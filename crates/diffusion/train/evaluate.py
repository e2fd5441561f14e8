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
import model

PER_DIGIT = 20
GUIDANCE = 2.0
NEIGHBOURS = (3, 5)
# Picture pixels per digit pixel on the contact sheet, and the gray of the lines between digits.
ZOOM = 6
LINE = 40


def make_sampler(config: model.Config, steps: int):
    """(params, seed) -> pictures [200, 8, 8] in [0, 16], twenty of each digit in order."""
    run = jax.jit(partial(flow.euler, config=config, steps=steps, guidance=GUIDANCE))
    label = jnp.asarray(asked_digits())
    shape = (len(label), config.in_channels, config.sample_size, config.sample_size)

    def sample(params: dict, seed: int) -> np.ndarray:
        noise = jax.random.normal(jax.random.key(seed), shape)
        return digits.from_model(run(params, noise=noise, label=label)[-1])

    return sample


def asked_digits() -> np.ndarray:
    return np.repeat(np.arange(10), PER_DIGIT)


def contact_sheet(images: np.ndarray, path: str) -> None:
    """One row per digit, ink white on black."""
    cells = np.kron(images / digits.MAX_PIXEL * 255, np.ones((1, ZOOM, ZOOM)))
    cells = np.pad(cells, ((0, 0), (1, 1), (1, 1)), constant_values=LINE)
    side = cells.shape[1]
    sheet = cells.reshape(10, PER_DIGIT, side, side).transpose(0, 2, 1, 3).reshape(10 * side, PER_DIGIT * side)
    Image.fromarray(np.rint(sheet).astype(np.uint8)).save(path)


def evaluate(arguments: argparse.Namespace) -> None:
    stored, config = checkpoint.load()
    judges = [digits.nearest_neighbours(neighbours) for neighbours in NEIGHBOURS]
    print("percent right in each set of 200, and on average:")
    for weight_format in arguments.formats:
        params = checkpoint.in_format(stored, weight_format)
        for steps in arguments.steps:
            sample = make_sampler(config, steps)
            sets = [sample(params, seed) for seed in range(arguments.sets)]
            for neighbours, judge in zip(NEIGHBOURS, judges):
                right = [100 * judge.score(images.reshape(len(images), -1), asked_digits()) for images in sets]
                each = " ".join(f"{share:5.1f}" for share in right)
                case = f"{weight_format:5} steps {steps:3d} k {neighbours}"
                print(f"{case}  {each}  mean {np.mean(right):6.2f}", flush=True)
            if arguments.sheet:
                contact_sheet(sets[0], arguments.sheet)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, nargs="+", default=[30])
    parser.add_argument("--formats", nargs="+", choices=checkpoint.FORMATS, default=["f32", "e4m3", "i8"])
    parser.add_argument("--sets", type=int, default=5, help="how many sets of 200 samples, each with its own seed")
    parser.add_argument("--sheet", help="write a contact sheet of the first set of the last run here")
    evaluate(parser.parse_args())


if __name__ == "__main__":
    main()
