"""Writes ../goldens/tiny_*: small random models, and a run by every sampler, guidance mode and kind of condition in f64.

    JAX_PLATFORMS=cpu python tiny.py

The samplers are written here a second time, from their papers and in their papers' variables, and share nothing with the Rust
side but the committed weights (F16, widened without rounding) and noise.
"""

import single_core  # first: it must act before JAX starts

import json
from dataclasses import dataclass, replace

import jax
import numpy as np
from scipy.integrate import quad

jax.config.update("jax_enable_x64", True)

import checkpoint
import model

GOLDENS = checkpoint.DIFFUSION / "goldens"
SEED = 21
CONFIG = model.Config(2, 2, 4, 2, 2, 8, 2, 3)
# Classes and a text, learned positions, a learned variance; and a text with the guidance scale told to the network.
TEXT = replace(CONFIG, out_channels=4, cross_attention_dim=6, positions="learned")
# Rotary positions, queries and keys with a norm: angles and an epsilon that a small model feels.
ROTARY = replace(CONFIG, positions="rotary", rope_theta=4.0, qk_norm="rms_norm", qk_norm_eps=0.01)
DISTILLED = replace(CONFIG, cross_attention_dim=4, num_embeds_ada_norm=None, guidance_embeds=True)
SAMPLES, STEPS, TEXT_TOKENS = 2, 5, 3
LABELS = np.array([2, 0])
GUIDANCE = 2.0


@dataclass(frozen=True)
class Case:
    """A run. `sampler` is as the Rust side writes it; without a guidance scale there is one forward pass."""

    sampler: str
    schedule: str = "rectified_flow"
    prediction: str = "velocity"
    guidance: float | None = GUIDANCE
    interval: tuple = (0.0, 1.0)
    shift: float = 1.0
    start_step: int = 0
    config: model.Config = CONFIG


CASES = {
    "euler": Case("euler"),
    "euler unguided": Case("euler", guidance=None),
    "euler interval": Case("euler", interval=(0.3, 0.7)),
    "euler shifted": Case("euler", shift=3.0),
    "euler from pictures": Case("euler", start_step=2),
    "heun": Case("heun"),
    "euler-ancestral": Case("euler-ancestral"),
    "ddim": Case("ddim:0.5"),
    "dpmpp-2m": Case("dpmpp-2m", shift=2.0),
    "lms": Case("lms:4"),
    "ddim, linear": Case("ddim:0", "linear", "noise"),
    "heun, linear": Case("heun", "linear", "noise"),
    "euler-ancestral, linear": Case("euler-ancestral", "linear", "noise"),
    "dpmpp-2m, scaled linear": Case("dpmpp-2m", "scaled_linear", "velocity"),
    "lms, scaled linear": Case("lms:3", "scaled_linear", "noise"),
    "dpmpp-2m, cosine": Case("dpmpp-2m", "cosine", "data"),
    "lms from pictures, cosine": Case("lms:4", "cosine", "velocity", start_step=1),
    "text": Case("euler", config=TEXT),
    "distilled": Case("euler", config=DISTILLED),
    "rotary": Case("euler", config=ROTARY),
}


def random_params(rng: np.random.Generator, config: model.Config) -> dict:
    """Normal numbers large enough that every tensor matters, and small enough that errors do not grow from step to step."""
    shapes = {name: value.shape for name, value in model.initial_params(config, 0).items()}
    vectors = ("bias", "table.weight", "pos_embed.pos_embed", "norm_q.weight", "norm_k.weight")
    spread = lambda name, shape: 0.2 if name.endswith(vectors) else 0.6 / np.sqrt(np.prod(shape[1:]))
    mean = lambda name: 1.0 if ".norm_" in name else 0.0
    draw = lambda name, shape: rng.normal(mean(name), spread(name, shape), shape).astype(np.float16)
    return {name: draw(name, shape) for name, shape in shapes.items()}


def alphas_squared(schedule: str) -> np.ndarray:
    steps = 1000
    if schedule == "linear":
        betas = np.linspace(1e-4, 0.02, steps)
    elif schedule == "scaled_linear":
        betas = np.linspace(np.sqrt(0.00085), np.sqrt(0.012), steps) ** 2
    else:
        kept = lambda t: np.cos((t / steps + 0.008) / 1.008 * np.pi / 2) ** 2
        i = np.arange(steps)
        betas = np.minimum(1 - kept(i + 1) / kept(i), 0.999)
    return np.cumprod(1 - betas)


def levels(case: Case) -> list:
    """(time, alpha, sigma) from the first level of the run to clean data."""
    if case.schedule == "rectified_flow":
        times = np.linspace(1, 0, STEPS + 1)
        times = case.shift * times / (1 + (case.shift - 1) * times)
        all_levels = [(t, 1 - t, t) for t in times]
    else:
        kept = alphas_squared(case.schedule)
        indices = np.round(np.arange(1000, 0, -1000 / STEPS)).astype(int) - 1
        all_levels = [(i / 1000, np.sqrt(kept[i]), np.sqrt(1 - kept[i])) for i in indices] + [(0.0, 1.0, 0.0)]
    return all_levels[case.start_step :]


class Run:
    """A case in progress: the network, its levels, and the noise it still takes."""

    def __init__(self, case: Case, params: dict, rng: np.random.Generator):
        self.case, self.params, self.rng = case, params, rng
        self.levels = levels(case)
        self.draws = []
        dim = case.config.cross_attention_dim
        if dim is not None:
            # The last one is the text that says nothing.
            self.texts = rng.standard_normal((SAMPLES + 1, TEXT_TOKENS, dim), dtype=np.float32).astype(np.float64)

    def draw(self) -> np.ndarray:
        shape = (SAMPLES, CONFIG.in_channels, CONFIG.sample_size, CONFIG.sample_size)
        self.draws.append(self.rng.standard_normal(shape, dtype=np.float32).astype(np.float64))
        return self.draws[-1]

    def network(self, x: np.ndarray, time: float) -> np.ndarray:
        case = self.case
        has_text = case.config.cross_attention_dim is not None
        texts, nothing = (self.texts[:-1], np.stack([self.texts[-1]] * SAMPLES)) if has_text else (None, None)

        def at(label: np.ndarray, text: np.ndarray | None) -> np.ndarray:
            time_rows = np.full(SAMPLES, time)
            return np.asarray(model.velocity(self.params, case.config, x, time_rows, label, text, case.guidance))

        conditional = at(LABELS, texts)
        alone = case.guidance is None or case.config.guidance_embeds
        if alone or not case.interval[0] <= time <= case.interval[1]:
            return conditional
        unconditional = at(np.full(SAMPLES, CONFIG.null_class), nothing)
        return unconditional + case.guidance * (conditional - unconditional)

    def split(self, x: np.ndarray, level: tuple) -> tuple:
        """(data, noise) of a sample."""
        time, alpha, sigma = level
        f = self.network(x, time)
        if self.case.prediction == "noise":
            return (x - sigma * f) / alpha, f
        if self.case.prediction == "data":
            return f, (x - alpha * f) / sigma
        if self.case.schedule == "rectified_flow":
            return x - sigma * f, x + alpha * f
        return alpha * x - sigma * f, sigma * x + alpha * f

    def slope(self, x: np.ndarray, level: tuple) -> np.ndarray:
        data, noise = self.split(x, level)
        return noise - data if self.case.schedule == "rectified_flow" else noise

    def variable(self, level: tuple) -> tuple:
        """(scale, tau): the equation is d(x / scale) / dtau = slope."""
        _, alpha, sigma = level
        return (1.0, sigma) if self.case.schedule == "rectified_flow" else (alpha, sigma / alpha)

    def euler(self, x: np.ndarray, slope: np.ndarray, a: tuple, b: tuple) -> np.ndarray:
        (scale_a, tau_a), (scale_b, tau_b) = self.variable(a), self.variable(b)
        return (x / scale_a + (tau_b - tau_a) * slope) * scale_b

    def heun(self, x: np.ndarray, a: tuple, b: tuple) -> np.ndarray:
        slope = self.slope(x, a)
        trial = self.euler(x, slope, a, b)
        if b[2] == 0:
            return trial
        return self.euler(x, (slope + self.slope(trial, b)) / 2, a, b)

    def ddim(self, x: np.ndarray, a: tuple, b: tuple, eta: float) -> np.ndarray:
        data, noise = self.split(x, a)
        ratio = (b[2] * a[1]) / (a[2] * b[1])
        fresh = eta * b[2] * np.sqrt(1 - ratio**2)
        next_x = b[1] * data + np.sqrt(b[2] ** 2 - fresh**2) * noise
        return next_x + fresh * self.draw() if fresh > 0 else next_x

    def dpm_solver(self, x: np.ndarray, i: int, before: list) -> np.ndarray:
        a, b = self.levels[i], self.levels[i + 1]
        data, _ = self.split(x, a)
        before.append(data)
        with np.errstate(divide="ignore"):
            steps = [np.log(level[1]) - np.log(level[2]) for level in self.levels]
        if i > 0 and b[2] > 0:
            r = (steps[i] - steps[i - 1]) / (steps[i + 1] - steps[i])
            data = (1 + 1 / (2 * r)) * data - 1 / (2 * r) * before[-2]
        decay = (b[2] * a[1]) / (b[1] * a[2])
        return b[2] / a[2] * x - b[1] * (decay - 1) * data

    def lms(self, x: np.ndarray, i: int, order: int, slopes: list) -> np.ndarray:
        a, b = self.levels[i], self.levels[i + 1]
        slopes.append(self.slope(x, a))
        taus = [self.variable(level)[1] for level in self.levels]
        count = min(order, i + 1)

        def coefficient(j: int) -> float:
            others = [k for k in range(count) if k != j]
            basis = lambda tau: np.prod([(tau - taus[i - k]) / (taus[i - j] - taus[i - k]) for k in others])
            return quad(basis, taus[i], taus[i + 1], epsabs=0, epsrel=1e-13)[0]

        moved = sum(coefficient(j) * slopes[-1 - j] for j in range(count))
        return (x / self.variable(a)[0] + moved) * self.variable(b)[0]

    def states(self, pictures: np.ndarray | None) -> np.ndarray:
        """The samples after every step."""
        x = self.draw()
        if pictures is not None:
            x = self.levels[0][1] * pictures + self.levels[0][2] * x
            # The Rust side stores what it starts from.
            x = x.astype(np.float32).astype(np.float64)
        name, _, number = self.case.sampler.partition(":")
        states, memory = [], []
        for i, (a, b) in enumerate(zip(self.levels, self.levels[1:])):
            if name == "euler":
                x = self.euler(x, self.slope(x, a), a, b)
            elif name == "heun":
                x = self.heun(x, a, b)
            elif name == "dpmpp-2m":
                x = self.dpm_solver(x, i, memory)
            elif name == "lms":
                x = self.lms(x, i, int(number), memory)
            else:
                x = self.ddim(x, a, b, 1.0 if name == "euler-ancestral" else float(number))
            states.append(x)
        return np.stack(states)


def write_model(name: str, config: model.Config, rng: np.random.Generator) -> dict:
    """The parameters in f64."""
    stored = random_params(rng, config)
    (GOLDENS / f"{name}.json").write_text(json.dumps(checkpoint.describe(config), indent=2) + "\n")
    checkpoint.write(GOLDENS / f"{name}.safetensors", checkpoint.share_embedder(stored, config), {})
    return {name: jax.numpy.asarray(value, np.float64) for name, value in stored.items()}


def main() -> None:
    rng = np.random.default_rng(SEED)
    models = {"tiny_dit": CONFIG, "tiny_text": TEXT, "tiny_distilled": DISTILLED}
    # A model of its own numbers, so that a new one leaves the others as they are.
    later = {"tiny_rotary": ROTARY}
    params = {config: write_model(name, config, rng) for name, config in models.items()}
    for name, config in later.items():
        params[config] = write_model(name, config, np.random.default_rng(list(name.encode())))
    pictures = np.tanh(rng.standard_normal((SAMPLES, CONFIG.in_channels, CONFIG.sample_size, CONFIG.sample_size)))
    pictures = pictures.astype(np.float32).astype(np.float64)
    tensors = {"pictures": pictures}
    for name, case in CASES.items():
        run = Run(case, params[case.config], rng)
        tensors[f"{name}.states"] = run.states(pictures if case.start_step else None)
        tensors[f"{name}.noise"] = np.stack(run.draws)
        if case.config.cross_attention_dim is not None:
            tensors[f"{name}.texts"] = run.texts
        print(f"{name:28} ends within {np.abs(tensors[f'{name}.states'][-1]).max():.2f}")
    checkpoint.write(GOLDENS / "tiny_runs.safetensors", tensors, {})


if __name__ == "__main__":
    main()
