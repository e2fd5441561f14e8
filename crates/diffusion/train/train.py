"""Trains the digit model and writes ../weights/digits_dit.safetensors (F16) and ../weights/digits_dit.json.

    JAX_PLATFORMS=cpu python train.py

Same seed, processor and versions (requirements.txt): the same bytes. See README.md for the other scripts.
"""

import single_core  # first: it must act before JAX starts

import argparse
import time

import jax
import jax.numpy as jnp
import optax

import checkpoint
import digits
import flow
import model

BATCH = 128
LABEL_DROPOUT = 0.1
PEAK_RATE = 1e-3
WARMUP_STEPS = 200
WEIGHT_DECAY = 0.01
CLIP_NORM = 1.0
EMA_DECAY = 0.999


def loss(params: dict, config: model.Config, batch: tuple) -> jax.Array:
    """Mean squared error of the velocity."""
    x0, noise, t, label = batch
    predicted = model.velocity(params, config, flow.interpolate(x0, noise, t), t, label)
    return jnp.mean(jnp.square(predicted - (noise - x0)))


def draw_batch(key: jax.Array, config: model.Config, images: jax.Array, labels: jax.Array) -> tuple:
    """Pictures with replacement, noise, times, and labels of which a tenth become the null class."""
    pick, draw_noise, draw_time, drop = jax.random.split(key, 4)
    index = jax.random.randint(pick, (BATCH,), 0, len(images))
    noise = jax.random.normal(draw_noise, (BATCH, *images.shape[1:]))
    # Logit-normal times spend more of the training in the middle, where the velocity is hardest to tell
    # (Esser et al., "Scaling Rectified Flow Transformers", 2024, section 3.1).
    t = jax.nn.sigmoid(jax.random.normal(draw_time, (BATCH,)))
    dropped = jax.random.bernoulli(drop, LABEL_DROPOUT, (BATCH,))
    return images[index], noise, t, jnp.where(dropped, config.null_class, labels[index])


def optimizer(steps: int) -> optax.GradientTransformation:
    rate = optax.warmup_cosine_decay_schedule(0.0, PEAK_RATE, WARMUP_STEPS, steps, PEAK_RATE / 100)

    def decayed(params: dict) -> dict:
        return {name: checkpoint.is_linear_weight(name, value) for name, value in params.items()}

    adamw = optax.adamw(rate, b2=0.99, weight_decay=WEIGHT_DECAY, mask=decayed)
    return optax.chain(optax.clip_by_global_norm(CLIP_NORM), adamw)


def make_step(config: model.Config, optimize: optax.GradientTransformation, key: jax.Array, data: tuple):
    """One compiled training step: (params, ema, optimizer state), step number -> the same, loss."""

    def step(state: tuple, number: jax.Array) -> tuple:
        params, ema, moments = state
        batch = draw_batch(jax.random.fold_in(key, number), config, *data)
        value, gradient = jax.value_and_grad(loss)(params, config, batch)
        updates, moments = optimize.update(gradient, moments, params)
        params = optax.apply_updates(params, updates)
        # The average starts short, so that it does not drag the zero initial weights along.
        decay = jnp.minimum(EMA_DECAY, (1 + number) / (10 + number))
        ema = jax.tree.map(lambda old, new: decay * old + (1 - decay) * new, ema, params)
        return (params, ema, moments), value

    return jax.jit(step, donate_argnums=0)


def train(config: model.Config, steps: int, seed: int) -> dict:
    """The averaged parameters after `steps` steps."""
    images, labels = digits.load()
    data = (jnp.asarray(digits.to_model(images)), jnp.asarray(labels, jnp.int32))
    optimize = optimizer(steps)
    params = model.initial_params(config, seed)
    state = (params, jax.tree.map(jnp.copy, params), optimize.init(params))
    step = make_step(config, optimize, jax.random.key(seed), data)
    start, running = time.monotonic(), 0.0
    for number in range(1, steps + 1):
        state, value = step(state, number)
        running += float(value)
        if number % 100 == 0:
            print(f"step {number:5d}  loss {running / 100:.4f}  {time.monotonic() - start:6.0f} s", flush=True)
            running = 0.0
    return state[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    config = model.Config()
    params = train(config, arguments.steps, arguments.seed)
    checkpoint.save(params, config, {"train_steps": arguments.steps, "train_seed": arguments.seed})
    print(f"wrote {checkpoint.WEIGHTS.name}, {checkpoint.WEIGHTS.stat().st_size} bytes")


if __name__ == "__main__":
    main()
