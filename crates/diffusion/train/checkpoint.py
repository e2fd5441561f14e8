"""Weights on disk (safetensors, F16) and the narrower weight formats that the Rust side offers."""

import json
from pathlib import Path

import jax.numpy as jnp
import ml_dtypes
import numpy as np
from safetensors import safe_open
from safetensors.numpy import save as to_bytes

import model

DIFFUSION = Path(__file__).resolve().parent.parent
WEIGHTS = DIFFUSION / "weights" / "digits_dit.safetensors"
CONFIG = DIFFUSION / "weights" / "digits_dit.json"

FORMATS = ("f32", "f16", "bf16", "e4m3", "e5m2", "i8")


def share_embedder(params: dict, config: model.Config) -> dict:
    """Copies block 0's embedder to every block, which is where diffusers' checkpoints hold it."""
    shared = {name: value for name, value in params.items() if name.startswith(model.embedder_prefix(0))}
    full = dict(params)
    for block in range(1, config.num_layers):
        for name, value in shared.items():
            full[name.replace(model.embedder_prefix(0), model.embedder_prefix(block))] = value
    return full


def describe(config: model.Config) -> dict:
    """The model in the fields of diffusers' config.json, and below them what this project adds."""
    return {
        "_class_name": "DiTTransformer2DModel",
        "activation_fn": "gelu-approximate",
        "attention_bias": True,
        "norm_elementwise_affine": False,
        "norm_type": "ada_norm_zero",
        "upcast_attention": False,
        **config.to_dict(),
        "prediction": "velocity",
        "noise_schedule": "rectified_flow",
        "timestep_scale": model.TIMESTEP_SCALE,
        "pixel_range": [-1.0, 1.0],
    }


def save(params: dict, config: model.Config, extra: dict) -> None:
    """Writes the weights, rounded to F16, and the config file beside them. `extra` joins the file's metadata."""
    description = describe(config)
    CONFIG.write_text(json.dumps(description, indent=2) + "\n")
    tensors = {name: np.asarray(value, np.float16) for name, value in share_embedder(params, config).items()}
    metadata = {key: as_text(value) for key, value in {"format": "pt", **description, **extra}.items()}
    write(WEIGHTS, tensors, metadata)


def write(path: Path, tensors: dict, metadata: dict) -> None:
    """A safetensors file whose bytes depend on its contents only; the library orders metadata at random."""
    plain = to_bytes(tensors)
    length = int.from_bytes(plain[:8], "little")
    header = {"__metadata__": dict(sorted(metadata.items())), **json.loads(plain[8 : 8 + length])}
    text = json.dumps(header, separators=(",", ":")).encode()
    # The data starts at a multiple of 8 bytes, so that F64 tensors are aligned in a mapped file.
    text += b" " * (-len(text) % 8)
    path.write_bytes(len(text).to_bytes(8, "little") + text + plain[8 + length :])


def as_text(value: object) -> str:
    """safetensors metadata holds strings only: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value)


def load(path: Path = WEIGHTS) -> tuple:
    """The parameters as F16 arrays and the config from the file's metadata."""
    with safe_open(path, "np") as file:
        metadata = file.metadata()
        params = {name: file.get_tensor(name) for name in file.keys()}
    fields = {name: json.loads(metadata[name]) for name in model.Config.__dataclass_fields__ if name in metadata}
    return params, model.Config(**fields)


def is_linear_weight(name: str, value: np.ndarray) -> bool:
    return name.endswith(".weight") and value.ndim == 2 and "embedding_table" not in name


def round_trip(weight: np.ndarray, weight_format: str) -> np.ndarray:
    """The weight as the format stores it. 8-bit formats take one scale per tensor, largest value / largest code."""
    weight = weight.astype(np.float32)
    if weight_format in ("f32", "f16"):
        return weight
    if weight_format == "bf16":
        return weight.astype(ml_dtypes.bfloat16).astype(np.float32)
    amax = np.max(np.abs(weight))
    if weight_format == "i8":
        scale = amax / np.float32(127)
        return np.clip(np.rint(weight / scale), -127, 127) * scale
    dtype = {"e4m3": ml_dtypes.float8_e4m3fn, "e5m2": ml_dtypes.float8_e5m2}[weight_format]
    scale = amax / np.float32(ml_dtypes.finfo(dtype).max)
    return (weight / scale).astype(dtype).astype(np.float32) * scale


def in_format(params: dict, weight_format: str) -> dict:
    """f32 parameters whose linear weights went through `weight_format`; biases, table and patch kernel stay."""
    return {
        name: jnp.asarray(
            round_trip(value, weight_format) if is_linear_weight(name, value) else value.astype(np.float32)
        )
        for name, value in params.items()
    }
