"""Writes ../goldens: activations and a trajectory in f64 from the committed weights, and the real digits.

    JAX_PLATFORMS=cpu python goldens.py

The weights are the stored F16 values, widened to f64 without rounding. The inputs are exact in F32.
"""

import single_core  # first: it must act before JAX starts

import jax
import numpy as np

jax.config.update("jax_enable_x64", True)

import checkpoint
import digits
import flow
import model

GOLDENS = checkpoint.DIFFUSION / "goldens"
SEED = 20
# Exact in F32, and 1000 t is too, so that the two precisions see the same time.
FORWARD_TIMES = (0.3125, 0.84375)
FORWARD_LABELS = (7, 10)
TRAJECTORY_LABELS = (0, 3, 5, 9)
TRAJECTORY_STEPS = 8
GUIDANCE = 2.0


def draw(rng: np.random.Generator, count: int, config: model.Config) -> np.ndarray:
    """Normal noise [count, C, S, S] in f64, rounded to values that F32 holds."""
    shape = (count, config.in_channels, config.sample_size, config.sample_size)
    return rng.standard_normal(shape, dtype=np.float32).astype(np.float64)


def forward_goldens(params: dict, config: model.Config, rng: np.random.Generator) -> dict:
    """One forward pass of two samples, one of them of the null class."""
    x, t = draw(rng, len(FORWARD_TIMES), config), np.array(FORWARD_TIMES)
    label = np.array(FORWARD_LABELS, np.int32)
    values = model.activations(params, config, x, t, label)
    tensors = {"x": x, "t": t, "label": label, **values}
    return {f"forward.{name}": np.asarray(value) for name, value in tensors.items()}


def trajectory_goldens(params: dict, config: model.Config, rng: np.random.Generator) -> dict:
    """The state after every step of a guided sampling run."""
    noise = draw(rng, len(TRAJECTORY_LABELS), config)
    label = np.array(TRAJECTORY_LABELS, np.int32)
    states = flow.euler(params, config, noise, label, TRAJECTORY_STEPS, GUIDANCE)
    tensors = {"trajectory.noise": noise, "trajectory.label": label}
    tensors |= {f"trajectory.x.{step}": np.asarray(state) for step, state in enumerate(states)}
    return tensors


def main() -> None:
    stored, config = checkpoint.load()
    params = {name: jax.numpy.asarray(value, jax.numpy.float64) for name, value in stored.items()}
    rng = np.random.default_rng(SEED)
    tensors = forward_goldens(params, config, rng) | trajectory_goldens(params, config, rng)
    wrong = [name for name, value in tensors.items() if value.dtype not in (np.float64, np.int32)]
    if wrong:
        raise TypeError(f"expected f64 or i32, got something else in {wrong}")
    metadata = {"trajectory_steps": str(TRAJECTORY_STEPS), "guidance": str(GUIDANCE)}
    checkpoint.write(GOLDENS / "digits_dit.safetensors", tensors, metadata)
    images, labels = digits.load()
    checkpoint.write(GOLDENS / "digits.safetensors", {"images": images, "labels": labels}, {})
    for name in ("digits_dit.safetensors", "digits.safetensors"):
        print(f"wrote {name}, {(GOLDENS / name).stat().st_size} bytes")


if __name__ == "__main__":
    main()
