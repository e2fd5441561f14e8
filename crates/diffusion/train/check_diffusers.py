"""Runs the committed weights through diffusers' own DiTTransformer2DModel and compares with the goldens.

    pip install torch diffusers && python check_diffusers.py

Needs neither JAX nor the other scripts, so that the two computations share nothing but the files. Last run with
torch 1.13.1 and diffusers 0.30.3: the largest difference was 8e-15 on values up to 10.
"""

import json
import math
from pathlib import Path

import torch
from diffusers import DiTTransformer2DModel
from diffusers.models import embeddings
from safetensors.torch import load_file

DIFFUSION = Path(__file__).resolve().parent.parent
NULL_CLASS = 10
GUIDANCE = 2.0
# Some hundred f64 roundings of values around 10; a wrong order or a missing term is larger by many powers of ten.
ALLOWED = 1e-12


def timestep_features(
    timesteps, embedding_dim, flip_sin_to_cos=False, downscale_freq_shift=1, scale=1, max_period=10000
):
    """diffusers computes these features in f32 whatever the model's type; the goldens hold the f64 formula."""
    half = embedding_dim // 2
    exponent = -math.log(max_period) * torch.arange(half, dtype=torch.float64) / (half - downscale_freq_shift)
    angle = scale * timesteps[:, None] * torch.exp(exponent)
    parts = [angle.cos(), angle.sin()] if flip_sin_to_cos else [angle.sin(), angle.cos()]
    return torch.cat(parts, dim=-1)


def load_model() -> DiTTransformer2DModel:
    """The model in f64. `strict` refuses missing, unknown and misshapen tensors."""
    config = json.loads((DIFFUSION / "weights" / "digits_dit.json").read_text())
    model = DiTTransformer2DModel.from_config(config)
    weights = load_file(DIFFUSION / "weights" / "digits_dit.safetensors")
    model.load_state_dict(weights, strict=True)
    model = model.double().eval()
    # diffusers keeps the positions in f32; its own function gives them in f64.
    positions = embeddings.get_2d_sincos_pos_embed(
        model.inner_dim, config["sample_size"] // config["patch_size"], base_size=model.pos_embed.base_size
    )
    model.pos_embed.pos_embed = torch.from_numpy(positions)[None]
    embeddings.get_timestep_embedding = timestep_features
    return model


def velocity(model: DiTTransformer2DModel, x: torch.Tensor, t: torch.Tensor, label: torch.Tensor) -> torch.Tensor:
    with torch.no_grad():
        return model(x, timestep=1000 * t, class_labels=label.long()).sample


def forward_differences(model: DiTTransformer2DModel, goldens: dict) -> dict:
    """Largest difference of each activation of the forward pass."""
    seen = {}

    def watch(module: torch.nn.Module, name: str) -> None:
        module.register_forward_hook(lambda _module, _inputs, output: seen.__setitem__(name, output))

    watch(model.pos_embed, "patch")
    watch(model.transformer_blocks[0].norm1.emb, "temb")
    for index, block in enumerate(model.transformer_blocks):
        watch(block, f"block.{index}")
    inputs = [goldens[f"forward.{name}"] for name in ("x", "t", "label")]
    seen["velocity"] = velocity(model, *inputs)
    return {name: (value - goldens[f"forward.{name}"]).abs().max().item() for name, value in seen.items()}


def trajectory_differences(model: DiTTransformer2DModel, goldens: dict) -> dict:
    """Largest difference of each state of the guided sampling run."""
    x, label = goldens["trajectory.noise"], goldens["trajectory.label"]
    steps = sum(name.startswith("trajectory.x.") for name in goldens)
    both_labels = torch.cat([label, torch.full_like(label, NULL_CLASS)])
    differences = {}
    for step in range(steps):
        t = torch.full((2 * len(x),), 1 - step / steps, dtype=torch.float64)
        conditional, unconditional = velocity(model, torch.cat([x, x]), t, both_labels).chunk(2)
        x = x - (unconditional + GUIDANCE * (conditional - unconditional)) / steps
        differences[f"x.{step}"] = (x - goldens[f"trajectory.x.{step}"]).abs().max().item()
    return differences


def main() -> None:
    goldens = load_file(DIFFUSION / "goldens" / "digits_dit.safetensors")
    model = load_model()
    differences = forward_differences(model, goldens) | trajectory_differences(model, goldens)
    for name, difference in differences.items():
        print(f"{name:10} {difference:.1e}")
    wrong = [name for name, difference in differences.items() if not difference <= ALLOWED]
    if wrong:
        raise SystemExit(f"expected differences of at most {ALLOWED}, got more in {wrong}")


if __name__ == "__main__":
    main()
