"""The diffusion transformer, in the layout of diffusers' `DiTTransformer2DModel` (norm_type `ada_norm_zero`).

Parameters are a flat dictionary from tensor name to array. The names are those of the published checkpoints and
every linear map is stored [out, in]. The number type of the parameters is the number type of the whole forward
pass, so the same code trains in f32 and makes goldens in f64.

Letters in shapes: B batch, N tokens, D width, H heads, C channels, P patch size.

Source: Peebles and Xie, "Scalable Diffusion Models with Transformers", 2023, section 3.2 (adaLN-Zero).
"""

from dataclasses import asdict, dataclass

import jax
import jax.numpy as jnp
import numpy as np

# The sinusoidal features of the timestep, before its two-layer perceptron.
TIMESTEP_CHANNELS = 256
# The model sees 1000 t, so that t in [0, 1] covers the range of a discrete diffusion's timesteps.
TIMESTEP_SCALE = 1000.0
# The longest wavelength of both sinusoidal embeddings.
MAX_PERIOD = 10000.0
MLP_RATIO = 4
# diffusers fixes 1e-6 in AdaLayerNormZero and in the last norm; the norm before the MLP takes `norm_eps`.
ADA_NORM_EPS = 1e-6


@dataclass(frozen=True)
class Config:
    """The fields of diffusers' config.json that this model uses, with its values as defaults."""

    in_channels: int = 1
    out_channels: int = 1
    sample_size: int = 8
    patch_size: int = 2
    num_attention_heads: int = 4
    attention_head_dim: int = 32
    num_layers: int = 4
    num_embeds_ada_norm: int = 10
    norm_eps: float = 1e-5
    cross_attention_dim: int | None = None
    guidance_embeds: bool = False
    positions: str = "sincos"
    rope_theta: float = 10000.0
    qk_norm: str | None = None
    qk_norm_eps: float = 1e-6

    @property
    def width(self) -> int:
        return self.num_attention_heads * self.attention_head_dim

    @property
    def grid(self) -> int:
        """Patches along one side of the picture."""
        return self.sample_size // self.patch_size

    @property
    def null_class(self) -> int:
        """The label that stands for "no label": one row past the classes."""
        return self.num_embeds_ada_norm

    @property
    def tokens(self) -> int:
        return self.grid**2

    def to_dict(self) -> dict:
        return asdict(self)


def block_prefix(block: int) -> str:
    return f"transformer_blocks.{block}."


def embedder_prefix(block: int) -> str:
    return block_prefix(block) + "norm1.emb."


def sincos_1d(channels: int, position: np.ndarray) -> np.ndarray:
    """[position, channels]: sines, then cosines, of position / 10000^(i / (channels / 2))."""
    half = channels // 2
    omega = MAX_PERIOD ** (-np.arange(half, dtype=np.float64) / half)
    angle = np.outer(position.reshape(-1), omega)
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1)


def position_embedding(config: Config) -> np.ndarray:
    """[N, D] in f64, tokens row-major. The first half of the channels holds the column, the second half the row."""
    coordinate = np.arange(config.grid, dtype=np.float64)
    row, column = np.meshgrid(coordinate, coordinate, indexing="ij")
    half = config.width // 2
    return np.concatenate([sincos_1d(half, column), sincos_1d(half, row)], axis=1)


def rms_norm(x: jax.Array, weight: jax.Array, eps: float) -> jax.Array:
    """Mean square 1 over the elements of a head, times a weight."""
    return x / jnp.sqrt(jnp.mean(jnp.square(x), axis=-1, keepdims=True) + eps) * weight


def turn(config: Config, x: jax.Array) -> jax.Array:
    """x [B, N, H, D / H]: neighbouring elements are a complex number, turned by the token's row in the first half of a head,
    by its column in the second."""
    dim = config.attention_head_dim // 2
    frequency = config.rope_theta ** (-np.arange(0, dim, 2, dtype=np.float64) / dim)
    row, column = np.divmod(np.arange(config.tokens), config.grid)
    angle = np.concatenate([np.outer(row, frequency), np.outer(column, frequency)], axis=1)
    turned = (x[..., 0::2] + 1j * x[..., 1::2]) * np.exp(1j * angle)[None, :, None, :]
    return jnp.stack([turned.real, turned.imag], axis=-1).reshape(x.shape).astype(x.dtype)


def timestep_features(t: jax.Array) -> jax.Array:
    """[B, 256]: cosines, then sines, of 1000 t / 10000^(i / 127)."""
    half = TIMESTEP_CHANNELS // 2
    # diffusers' downscale_freq_shift = 1 divides by half - 1, so the slowest frequency is exactly 1 / 10000.
    frequency = np.exp(-np.log(MAX_PERIOD) * np.arange(half, dtype=np.float64) / (half - 1))
    angle = (TIMESTEP_SCALE * t)[:, None] * jnp.asarray(frequency, t.dtype)
    return jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], axis=1)


def linear(params: dict, name: str, x: jax.Array) -> jax.Array:
    """x W^T + b with W [out, in]."""
    return x @ params[name + ".weight"].T + params[name + ".bias"]


def layer_norm(x: jax.Array, eps: float) -> jax.Array:
    """Mean 0 and variance 1 over the channels, without learned scale or shift."""
    centred = x - jnp.mean(x, axis=-1, keepdims=True)
    variance = jnp.mean(jnp.square(centred), axis=-1, keepdims=True)
    return centred / jnp.sqrt(variance + eps)


def modulate(x: jax.Array, shift: jax.Array, scale: jax.Array) -> jax.Array:
    """x [B, N, D] with one shift and scale [B, D] for all tokens of a sample."""
    return x * (1 + scale[:, None, :]) + shift[:, None, :]


def embed_number(params: dict, name: str, t: jax.Array) -> jax.Array:
    """[B, D]: a number's features through two layers. All blocks share the embedders, so block 0's are read."""
    prefix = embedder_prefix(0) + name
    hidden = jax.nn.silu(linear(params, prefix + ".linear_1", timestep_features(t)))
    return linear(params, prefix + ".linear_2", hidden)


def condition(params: dict, config: Config, t: jax.Array, label: jax.Array, guidance: float) -> jax.Array:
    """[B, D]: the timestep's embedding, plus those of the guidance scale and of the class where the model has them."""
    embedding = embed_number(params, "timestep_embedder", t)
    if config.guidance_embeds:
        embedding += embed_number(params, "guidance_embedder", jnp.full_like(t, guidance))
    if config.num_embeds_ada_norm is not None:
        embedding += params[embedder_prefix(0) + "class_embedder.embedding_table.weight"][label]
    return embedding


def patch_embed(params: dict, config: Config, x: jax.Array) -> jax.Array:
    """x [B, C, S, S] to tokens [B, N, D]: the convolution with kernel = stride = P, then the fixed positions."""
    batch, side, patch = x.shape[0], config.grid, config.patch_size
    patches = x.reshape(batch, config.in_channels, side, patch, side, patch).transpose(0, 2, 4, 1, 3, 5)
    patches = patches.reshape(batch, side * side, config.in_channels * patch * patch)
    kernel = params["pos_embed.proj.weight"].reshape(config.width, -1)
    tokens = patches @ kernel.T + params["pos_embed.proj.bias"]
    if config.positions == "learned":
        return tokens + params["pos_embed.pos_embed"]
    if config.positions == "rotary":
        return tokens
    return tokens + jnp.asarray(position_embedding(config), x.dtype)


def unpatchify(config: Config, tokens: jax.Array) -> jax.Array:
    """Tokens [B, N, P P C], element order (row, column, channel) inside a patch, to [B, C, S, S]."""
    batch, side, patch = tokens.shape[0], config.grid, config.patch_size
    x = tokens.reshape(batch, side, side, patch, patch, config.out_channels)
    return x.transpose(0, 5, 1, 3, 2, 4).reshape(batch, config.out_channels, side * patch, side * patch)


def attention(params: dict, config: Config, prefix: str, x: jax.Array, context: jax.Array) -> jax.Array:
    """Multi-head attention of x to a context (itself, or a text), scores scaled by 1 / sqrt(head_dim)."""
    batch, tokens, width = x.shape

    def heads(name: str, of: jax.Array) -> jax.Array:
        y = linear(params, prefix + name, of)
        return y.reshape(batch, of.shape[1], config.num_attention_heads, config.attention_head_dim)

    q, k, v = heads("to_q", x), heads("to_k", context), heads("to_v", context)
    if context is x and config.qk_norm is not None:
        q = rms_norm(q, params[prefix + "norm_q.weight"], config.qk_norm_eps)
        k = rms_norm(k, params[prefix + "norm_k.weight"], config.qk_norm_eps)
    if context is x and config.positions == "rotary":
        q, k = turn(config, q), turn(config, k)
    scores = jnp.einsum("bqhd,bkhd->bhqk", q, k) / np.sqrt(config.attention_head_dim).astype(x.dtype)
    mixed = jnp.einsum("bhqk,bkhd->bqhd", jax.nn.softmax(scores, axis=-1), v)
    return linear(params, prefix + "to_out.0", mixed.reshape(batch, tokens, width))


def feed_forward(params: dict, prefix: str, x: jax.Array) -> jax.Array:
    """Linear, GELU in its tanh form, linear."""
    hidden = jax.nn.gelu(linear(params, prefix + "net.0.proj", x), approximate=True)
    return linear(params, prefix + "net.2", hidden)


def transformer_block(
    params: dict, config: Config, block: int, x: jax.Array, temb: jax.Array, text: jax.Array | None
) -> jax.Array:
    """x + gate attention(modulate(norm(x))), then attention to the text, then the same as the first around the MLP."""
    prefix = block_prefix(block)
    chunks = jnp.split(linear(params, prefix + "norm1.linear", jax.nn.silu(temb)), 6, axis=-1)
    shift_msa, scale_msa, gate_msa, shift_mlp, scale_mlp, gate_mlp = chunks
    normed = modulate(layer_norm(x, ADA_NORM_EPS), shift_msa, scale_msa)
    x = x + gate_msa[:, None, :] * attention(params, config, prefix + "attn1.", normed, normed)
    if config.cross_attention_dim is not None:
        x = x + attention(params, config, prefix + "attn2.", layer_norm(x, config.norm_eps), text)
    mixed = feed_forward(params, prefix + "ff.", modulate(layer_norm(x, config.norm_eps), shift_mlp, scale_mlp))
    return x + gate_mlp[:, None, :] * mixed


def activations(
    params: dict,
    config: Config,
    x: jax.Array,
    t: jax.Array,
    label: jax.Array | None,
    text: jax.Array | None = None,
    guidance: float = 1.0,
) -> dict:
    """Every value worth comparing, by name: `temb`, `patch`, `block.{i}` and the answer, `velocity`."""
    temb = condition(params, config, t, label, guidance)
    tokens = patch_embed(params, config, x)
    values = {"temb": temb, "patch": tokens}
    for block in range(config.num_layers):
        tokens = transformer_block(params, config, block, tokens, temb, text)
        values[f"block.{block}"] = tokens
    shift, scale = jnp.split(linear(params, "proj_out_1", jax.nn.silu(temb)), 2, axis=-1)
    tokens = linear(params, "proj_out_2", modulate(layer_norm(tokens, ADA_NORM_EPS), shift, scale))
    # A learned variance stands behind the channels of the prediction.
    values["velocity"] = unpatchify(config, tokens)[:, : config.in_channels]
    return values


def velocity(params: dict, config: Config, x: jax.Array, t: jax.Array, label: jax.Array | None, *rest) -> jax.Array:
    """x [B, C, S, S], t [B] in [0, 1], label [B] to the velocity, of x's shape. `rest`: the text, the guidance scale."""
    return activations(params, config, x, t, label, *rest)["velocity"]


def xavier(rng: np.random.Generator, out: int, inputs: int) -> np.ndarray:
    limit = np.sqrt(6.0 / (inputs + out))
    return rng.uniform(-limit, limit, (out, inputs))


def initial_params(config: Config, seed: int) -> dict:
    """The initial parameters of DiT in f32: Xavier for linear maps, zero for every modulation and for the output.

    The embedder is held once, under block 0. `checkpoint.share_embedder` copies it to the other blocks.
    """
    rng = np.random.default_rng(seed)
    width, patch = config.width, config.patch_size
    params = {}

    def add_linear(name: str, weight: np.ndarray) -> None:
        params[name + ".weight"] = weight
        params[name + ".bias"] = np.zeros(weight.shape[0])

    kernel = xavier(rng, width, config.in_channels * patch * patch)
    add_linear("pos_embed.proj", kernel.reshape(width, config.in_channels, patch, patch))
    prefix = embedder_prefix(0)
    add_linear(prefix + "timestep_embedder.linear_1", rng.normal(0, 0.02, (width, TIMESTEP_CHANNELS)))
    add_linear(prefix + "timestep_embedder.linear_2", rng.normal(0, 0.02, (width, width)))
    if config.guidance_embeds:
        add_linear(prefix + "guidance_embedder.linear_1", rng.normal(0, 0.02, (width, TIMESTEP_CHANNELS)))
        add_linear(prefix + "guidance_embedder.linear_2", rng.normal(0, 0.02, (width, width)))
    if config.num_embeds_ada_norm is not None:
        table = rng.normal(0, 0.02, (config.num_embeds_ada_norm + 1, width))
        params[prefix + "class_embedder.embedding_table.weight"] = table
    if config.positions == "learned":
        params["pos_embed.pos_embed"] = rng.normal(0, 0.02, (1, config.tokens, width))
    for block in range(config.num_layers):
        prefix = block_prefix(block)
        add_linear(prefix + "norm1.linear", np.zeros((6 * width, width)))
        for name in ("to_q", "to_k", "to_v", "to_out.0"):
            add_linear(prefix + "attn1." + name, xavier(rng, width, width))
        if config.qk_norm is not None:
            for name in ("norm_q", "norm_k"):
                params[prefix + f"attn1.{name}.weight"] = np.ones(config.attention_head_dim)
        if config.cross_attention_dim is not None:
            for name, inputs in (("q", width), ("k", config.cross_attention_dim), ("v", config.cross_attention_dim)):
                add_linear(prefix + "attn2.to_" + name, xavier(rng, width, inputs))
            add_linear(prefix + "attn2.to_out.0", xavier(rng, width, width))
        add_linear(prefix + "ff.net.0.proj", xavier(rng, MLP_RATIO * width, width))
        add_linear(prefix + "ff.net.2", xavier(rng, width, MLP_RATIO * width))
    add_linear("proj_out_1", np.zeros((2 * width, width)))
    add_linear("proj_out_2", np.zeros((patch * patch * config.out_channels, width)))
    return {name: jnp.asarray(value, jnp.float32) for name, value in params.items()}
