"""Rectified flow: x_t = (1 - t) x_0 + t noise, and the model predicts the velocity noise - x_0.

Source: Liu, Gong and Liu, "Flow Straight and Fast", 2022; classifier-free guidance: Ho and Salimans, 2022.
"""

import jax
import jax.numpy as jnp

import model


def interpolate(x0: jax.Array, noise: jax.Array, t: jax.Array) -> jax.Array:
    """x_t for pictures [B, C, S, S] and t [B]."""
    t = t[:, None, None, None]
    return (1 - t) * x0 + t * noise


def guided_velocity(
    params: dict, config: model.Config, x: jax.Array, t: jax.Array, label: jax.Array, guidance: float
) -> jax.Array:
    """v_uncond + guidance (v_cond - v_uncond), both halves in one batch."""
    null = jnp.full_like(label, config.null_class)
    both = model.velocity(
        params, config, jnp.concatenate([x, x]), jnp.concatenate([t, t]), jnp.concatenate([label, null])
    )
    conditional, unconditional = jnp.split(both, 2)
    return unconditional + guidance * (conditional - unconditional)


def euler(
    params: dict, config: model.Config, noise: jax.Array, label: jax.Array, steps: int, guidance: float
) -> jax.Array:
    """[steps, B, C, S, S]: the state after each of `steps` uniform Euler steps from t = 1 to t = 0."""

    def step(x: jax.Array, index: jax.Array) -> tuple:
        t = jnp.full((x.shape[0],), 1 - index / steps, x.dtype)
        x = x - guided_velocity(params, config, x, t, label, guidance) / steps
        return x, x

    return jax.lax.scan(step, noise, jnp.arange(steps).astype(noise.dtype))[1]
