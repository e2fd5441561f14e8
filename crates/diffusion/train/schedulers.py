"""Writes ../goldens/schedulers.safetensors: trajectories of diffusers' own schedulers on a target known in closed form.

    pip install diffusers==0.30.3 flax==0.8.5 'jax[cpu]==0.4.30' 'numpy<2' 'scipy<1.14' transformers==4.44.2
    JAX_PLATFORMS=cpu python schedulers.py

The data are +1 or -1, each with a spread of 0.3, so the best prediction of the noise is a formula (`noise_of`). diffusers'
schedulers in their Flax form need no PyTorch and run in f64. For each case the file holds `CASE.alpha_squared` [n + 1], the
levels that the scheduler goes through, and `CASE.x` [n + 1, 4], the samples at each of them in the scaling of the model's
input. Stands alone: its packages are older than those of the other scripts.
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

jax.config.update("jax_enable_x64", True)

from diffusers import FlaxDDIMScheduler, FlaxDPMSolverMultistepScheduler, FlaxEulerDiscreteScheduler
from diffusers import FlaxLMSDiscreteScheduler
from safetensors.numpy import save

GOLDENS = Path(__file__).resolve().parent.parent / "goldens"
SPREAD = 0.3
STEPS = 7
SCHEDULES = {
    "linear": {"beta_schedule": "linear", "beta_start": 1e-4, "beta_end": 0.02},
    "scaled_linear": {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012},
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
}


def noise_of(x: np.ndarray, alpha_squared: float) -> np.ndarray:
    """The mean of the noise in x = alpha data + sigma noise, given x."""
    alpha, sigma = np.sqrt(alpha_squared), np.sqrt(1 - alpha_squared)
    variance = alpha_squared * SPREAD**2 + sigma**2
    return sigma * (x - alpha * np.tanh(alpha * x / variance)) / variance


def multi_step(scheduler, state, levels: list, x: np.ndarray) -> list:
    """A scheduler in the scaling of the model's input; `levels` are alpha^2 at its timesteps and at the end."""
    xs = [x]
    for timestep, level in zip(state.timesteps, levels):
        x, state = scheduler.step(state, noise_of(x, level), int(timestep), x, return_dict=False)[:2]
        xs.append(np.asarray(x))
    return xs


def exploding(scheduler, state, levels: list, x: np.ndarray) -> list:
    """A scheduler whose samples are data + noise sigma / alpha: `sigmas` hold that ratio."""
    scale = lambda level: np.sqrt(level)
    xs, x = [x], x / scale(levels[0])
    for i, timestep in enumerate(state.timesteps):
        noise = noise_of(x * scale(levels[i]), levels[i])
        # LMS in its Flax form takes the number of the step, and remembers slopes of a single number only.
        time = i if isinstance(scheduler, FlaxLMSDiscreteScheduler) else timestep
        x, state = scheduler.step(state, noise, time, x, return_dict=False)[:2]
        xs.append(np.asarray(x) * scale(levels[i + 1]))
    return xs


def case(name: str, schedule: dict, x: np.ndarray) -> tuple:
    common = {**schedule, "num_train_timesteps": 1000, "prediction_type": "epsilon", "dtype": jnp.float64}
    if name == "ddim":
        scheduler = FlaxDDIMScheduler(**common, set_alpha_to_one=True, clip_sample=False)
    elif name == "dpmpp-2m":
        # Every step but the first is of second order, also the last.
        scheduler = FlaxDPMSolverMultistepScheduler(**common, lower_order_final=False)
    elif name == "euler":
        scheduler = FlaxEulerDiscreteScheduler(**common)
    else:
        scheduler = FlaxLMSDiscreteScheduler(**common)
    shape = () if name == "lms" else x.shape
    state = scheduler.set_timesteps(scheduler.create_state(), STEPS, shape)
    if name in ("ddim", "dpmpp-2m"):
        # In the integer type that JAX gives 0 here; the schedulers select between the two.
        state = state.replace(timesteps=state.timesteps.astype(jnp.int64))
    if name in ("euler", "lms"):
        levels = [float(1 / (1 + sigma**2)) for sigma in np.asarray(state.sigmas, np.float64)]
        if name == "euler":
            return levels, exploding(scheduler, state, levels, x)
        return levels, np.stack([exploding(scheduler, state, levels, one) for one in x], axis=1)
    alphas = np.asarray(state.common.alphas_cumprod, np.float64)
    levels = [float(alphas[int(timestep)]) for timestep in state.timesteps]
    # DDIM ends at clean data, DPM-Solver++ at the first trained step.
    levels.append(1.0 if name == "ddim" else float(alphas[0]))
    return levels, multi_step(scheduler, state, levels, x)


def main() -> None:
    x = np.array([-2.0, -0.25, 0.5, 1.5])
    tensors = {}
    for schedule_name, schedule in SCHEDULES.items():
        for name in ("ddim", "dpmpp-2m", "euler", "lms"):
            if schedule_name == "cosine" and name in ("euler", "lms"):
                continue  # their Flax forms do not know that schedule
            levels, xs = case(name, schedule, x)
            tensors[f"{schedule_name}.{name}.alpha_squared"] = np.array(levels)
            tensors[f"{schedule_name}.{name}.x"] = np.stack(xs).astype(np.float64)
            print(schedule_name, name, xs[-1])
    plain = save(tensors)
    length = int.from_bytes(plain[:8], "little")
    header = dict(sorted(json.loads(plain[8 : 8 + length]).items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    (GOLDENS / "schedulers.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + plain[8 + length :])


if __name__ == "__main__":
    main()
