"""Makes matmul.safetensors: products of quantized operands with their epilogues by JAX in f64, dequantized as
torchao writes it: value = (code - zero point) * scale, the scale repeated over its group.

Run with JAX, ml_dtypes and safetensors installed: python matmul.py
The cases stand in the same order in tests/matmul.rs.
"""

import os

os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from safetensors.numpy import save

jax.config.update("jax_enable_x64", True)
random = np.random.default_rng(3)
FORMATS = {
    "f32": np.float32,
    "f16": np.float16,
    "bf16": ml_dtypes.bfloat16,
    "e4m3": ml_dtypes.float8_e4m3fn,
    "e5m2": ml_dtypes.float8_e5m2,
    "i8": np.int8,
}
ACTIVATIONS = {
    "identity": lambda x: x,
    "relu": jax.nn.relu,
    "gelu_tanh": lambda x: jax.nn.gelu(x, approximate=True),
    "gelu_erf": lambda x: jax.nn.gelu(x, approximate=False),
    "silu": jax.nn.silu,
}
tensors = {}


def draw(format, shape):
    if format == "i8":
        return random.integers(-128, 128, shape).astype(np.int8)
    return random.uniform(-1.0, 1.0, shape).astype(np.float32).astype(FORMATS[format])


def operand(case, name, format, rows, k, batch, scale=None, zero=False, transposed=False, by_depth=True, columns=None):
    """Draws the stored operand, and returns what it stands for as [batch, rows, k] in f64."""
    stored_by_depth = by_depth != transposed
    lead = [] if batch is None else [batch]
    stored = [rows, k] if stored_by_depth else [k, rows]
    if columns:
        start, width = columns
        wide = draw(format, lead + [stored[0], width])
        tensors[f"{case}.{name}"] = wide
        values = wide[..., start : start + stored[1]]
    else:
        values = tensors[f"{case}.{name}"] = draw(format, lead + stored)
    values = values.astype(np.float64)
    # As [.., rows, k] from here on.
    standard = lambda array: array if stored_by_depth else np.swapaxes(array, -1, -2)
    values = standard(values)
    if scale is None and not zero:
        return values
    if scale in (None, "tensor"):
        shape, spread = [], lambda array: array
    elif scale == "row":
        shape, spread = lead + [rows], lambda array: array[..., None]
    else:
        groups = -(-k // scale)
        shape = lead + ([rows, groups] if stored_by_depth else [groups, rows])
        spread = lambda array: np.repeat(standard(array), scale, axis=-1)[..., :k]
    if zero:
        points = random.integers(-128, 128, shape).astype(np.int32)
        tensors[f"{case}.{name}_zero"] = np.asarray(points)
        values = values - spread(np.asarray(points, np.float64))
    if scale is not None:
        scales = np.asarray(random.uniform(0.25, 2.0, shape), np.float32)
        tensors[f"{case}.{name}_scale"] = scales
        values = values * spread(scales.astype(np.float64))
    return values


def finish(case, product, activation="identity", bias=False, pair=None, gate=False, residual=False, out_scale=None):
    n = product.shape[-1] // (2 if pair else 1)
    y = jnp.asarray(product)
    if bias:
        tensors[f"{case}.bias"] = random.uniform(-1.0, 1.0, product.shape[-1]).astype(np.float32)
        y = y + tensors[f"{case}.bias"].astype(np.float64)
    activate = ACTIVATIONS[activation]
    if pair == "gate_first":
        y = activate(y[..., :n]) * y[..., n:]
    elif pair == "gate_last":
        y = y[..., :n] * activate(y[..., n:])
    else:
        y = activate(y)
    if gate:
        tensors[f"{case}.gate"] = random.uniform(-1.0, 1.0, [y.shape[0], n]).astype(np.float32)
        y = y * tensors[f"{case}.gate"].astype(np.float64)[:, None, :]
    if residual:
        tensors[f"{case}.residual"] = random.uniform(-1.0, 1.0, y.shape).astype(np.float32)
        y = y + tensors[f"{case}.residual"].astype(np.float64)
    if out_scale:
        tensors[f"{case}.out_scale"] = np.asarray(out_scale, np.float32)
        y = y / np.float64(np.float32(out_scale))
    tensors[f"{case}.out"] = np.asarray(y, np.float64)


def case(name, a, b, batch=2, m=3, k=70, n=8, **epilogue):
    columns = n * (2 if epilogue.get("pair") else 1)
    a_shared, b_shared = a.pop("shared", False), b.pop("shared", False)
    left = operand(name, "a", rows=m, k=k, batch=None if a_shared else batch, by_depth=True, **a)
    right = operand(name, "b", rows=columns, k=k, batch=None if b_shared else batch, by_depth=False, **b)
    product = jnp.matmul(left, np.swapaxes(right, -1, -2), precision=jax.lax.Precision.HIGHEST)
    assert product.dtype == jnp.float64
    finish(name, np.broadcast_to(np.asarray(product), (batch, m, columns)), **epilogue)


case("plain", dict(format="f32"), dict(format="f32"), n=5)
case("dynamic", dict(format="i8", scale="row", zero=True), dict(format="i8", scale="row", shared=True, transposed=True), n=5, bias=True)
case("groups", dict(format="e4m3", scale=32), dict(format="i8", scale=64, zero=True), n=5)
case("groups_turned", dict(format="bf16", transposed=True, scale=64), dict(format="e5m2", transposed=True, scale=32, shared=True), n=5)
case("static", dict(format="f16", scale="tensor", shared=True), dict(format="i8", scale="tensor", zero=True), n=5, out_scale=0.75)
case("columns", dict(format="f32", columns=(3, 80)), dict(format="f16", columns=(2, 11)), n=5)
case("swiglu", dict(format="f32"), dict(format="f32", shared=True), activation="silu", pair="gate_first", bias=True)
case("geglu", dict(format="f32"), dict(format="f32", scale="row"), activation="gelu_erf", pair="gate_last", residual=True)
case("gated", dict(format="f32"), dict(format="f32"), n=5, activation="gelu_tanh", bias=True, gate=True, residual=True)

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "matmul.safetensors")
with open(path, "wb") as file:
    file.write(save({name: np.ascontiguousarray(array) for name, array in tensors.items()}))
