use crate::{DiffusionError, NoiseSchedule, Prediction};
use serde::Deserialize;

/// The shape of a diffusion transformer, in the field names of diffusers' `config.json`.
///
/// What has no field is as in diffusers' DiT: the norms before attention and before the last projection have the epsilon 1e-6;
/// a time `t`, times `timestep_scale`, is embedded by 128 cosines, then 128 sines, of `t / 10000^(i / 127)`; attention divides
/// scores by the root of `attention_head_dim`; the feed-forward network is four times as wide as the tokens. Fields that are
/// not known are passed over, since diffusers' files have many.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct DitConfig {
    /// Height and width of the picture (or of the latent).
    pub sample_size: usize,
    /// Height and width of a patch: one token.
    pub patch_size: usize,
    /// Channels of the picture.
    pub in_channels: usize,
    /// Channels of the prediction.
    pub out_channels: usize,
    /// Attention heads.
    pub num_attention_heads: usize,
    /// Width of a head.
    pub attention_head_dim: usize,
    /// Blocks.
    pub num_layers: usize,
    /// Classes, where the model knows any; one more row of the label table is "no class".
    #[serde(default)]
    pub num_embeds_ada_norm: Option<usize>,
    /// The width of a text's tokens, where the blocks attend to one.
    #[serde(default)]
    pub cross_attention_dim: Option<usize>,
    /// Whether the guidance scale is embedded like the time (distilled models).
    #[serde(default)]
    pub guidance_embeds: bool,
    /// How a token knows its place.
    #[serde(default)]
    pub positions: Positions,
    /// The base of rotary positions' angles: pair `i` of an axis of `n` elements turns by `position * rope_theta^(-2 i / n)`.
    #[serde(default = "default_rope_theta")]
    pub rope_theta: f64,
    /// What queries and keys go through, head by head, before tokens attend to each other.
    #[serde(default)]
    pub qk_norm: Option<QkNorm>,
    /// The epsilon of that norm, inside the root.
    #[serde(default = "default_qk_norm_eps")]
    pub qk_norm_eps: f32,
    /// The activation of the feed-forward network; only diffusers' "gelu-approximate" is known.
    #[serde(default = "default_activation")]
    pub activation_fn: String,
    /// The epsilon of the norm before the feed-forward network.
    #[serde(default = "default_norm_eps")]
    pub norm_eps: f32,
    /// Times in [0, 1] are multiplied by this before they are embedded.
    #[serde(default = "default_timestep_scale")]
    pub timestep_scale: f64,
    /// What the network predicts; diffusers' DiT predict noise.
    #[serde(default)]
    pub prediction: Prediction,
    /// The path it was trained on; diffusers' DiT learnt 1,000 linear betas.
    #[serde(default)]
    pub noise_schedule: NoiseSchedule,
}

/// How a token knows its place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Positions {
    /// Sines and cosines of row and column are added (DiT).
    #[default]
    Sincos,
    /// A learned table `pos_embed.pos_embed` `[1, tokens, width]` is added.
    Learned,
    /// Nothing is added: neighbouring elements of queries and keys are turned in pairs, those of the first half of a head by
    /// the token's row, those of the second by its column (FLUX's layout; Heo et al., arXiv 2403.13298):
    /// `(a, b)` becomes `(a cos - b sin, b cos + a sin)`. A norm of queries and keys comes first.
    Rotary,
}

/// The norm of queries and keys (Dehghani et al., arXiv 2302.05442), in diffusers' names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QkNorm {
    /// By the root mean square of a head's elements, times a weight `attn1.norm_q.weight`, `attn1.norm_k.weight`
    /// `[head_dim]` that all heads share.
    RmsNorm,
}

fn default_activation() -> String {
    "gelu-approximate".into()
}

fn default_norm_eps() -> f32 {
    1e-5
}

fn default_rope_theta() -> f64 {
    10_000.0
}

fn default_qk_norm_eps() -> f32 {
    1e-6
}

fn default_timestep_scale() -> f64 {
    1000.0
}

/// Channels of the sinusoidal timestep embedding.
pub(crate) const TIMESTEP_CHANNELS: usize = 256;

/// The hidden layer of the feed-forward network is this many times as wide as the tokens.
pub(crate) const MLP_RATIO: usize = 4;

impl DitConfig {
    /// Reads a `config.json`.
    ///
    /// # Errors
    /// [`DiffusionError::Json`] for what is not one, [`DiffusionError::Config`] for a rule broken.
    pub fn from_json(json: &str) -> Result<Self, DiffusionError> {
        let config: Self = serde_json::from_str(json)?;
        config.validate()?;
        Ok(config)
    }

    /// Checks the rules.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for the first rule broken.
    pub fn validate(&self) -> Result<(), DiffusionError> {
        let text = self.cross_attention_dim.map(|dim| ("cross_attention_dim", dim));
        let classes = self.num_embeds_ada_norm.map(|classes| ("num_embeds_ada_norm", classes));
        let sizes = [
            ("sample_size", self.sample_size),
            ("patch_size", self.patch_size),
            ("in_channels", self.in_channels),
            ("num_attention_heads", self.num_attention_heads),
            ("attention_head_dim", self.attention_head_dim),
            ("num_layers", self.num_layers),
        ];
        for (what, size) in sizes.into_iter().chain(text).chain(classes) {
            if size == 0 || size > 1 << 16 {
                return Err(DiffusionError::config(what, "between 1 and 65536", size));
            }
        }
        if !self.sample_size.is_multiple_of(self.patch_size) {
            let expected = format!("a divisor of sample_size {}", self.sample_size);
            return Err(DiffusionError::config("patch_size", expected, self.patch_size));
        }
        if ![self.in_channels, 2 * self.in_channels].contains(&self.out_channels) {
            let expected =
                format!("in_channels {0}, or twice that with a learned variance", self.in_channels);
            return Err(DiffusionError::config("out_channels", expected, self.out_channels));
        }
        if self.activation_fn != default_activation() {
            return Err(DiffusionError::config("activation_fn", default_activation(), &self.activation_fn));
        }
        self.validate_queries_and_keys()?;
        if !self.width().is_multiple_of(4) {
            let expected =
                "such that heads times head_dim is a multiple of 4 (the position embedding's quarters)";
            return Err(DiffusionError::config("attention_head_dim", expected, self.attention_head_dim));
        }
        if self.width() > 1 << 16 {
            let expected = "such that heads times head_dim is at most 65536";
            return Err(DiffusionError::config("attention_head_dim", expected, self.attention_head_dim));
        }
        let numbers = self.sample_elements().max(self.tokens() * self.width());
        if u32::try_from(numbers).is_err() {
            let expected = "such that a picture, and its tokens, are fewer than 2^32 numbers";
            return Err(DiffusionError::config("sample_size", expected, self.sample_size));
        }
        if !self.timestep_scale.is_finite() {
            return Err(DiffusionError::config("timestep_scale", "a finite number", self.timestep_scale));
        }
        Ok(())
    }

    /// What is done to them before tokens attend to each other.
    fn validate_queries_and_keys(&self) -> Result<(), DiffusionError> {
        if self.positions == Positions::Rotary && !self.attention_head_dim.is_multiple_of(4) {
            let expected =
                "a multiple of 4 with rotary positions (pairs for the row, and pairs for the column)";
            return Err(DiffusionError::config("attention_head_dim", expected, self.attention_head_dim));
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
            return Err(DiffusionError::config("rope_theta", "a positive finite number", self.rope_theta));
        }
        if !(self.qk_norm_eps.is_normal() && self.qk_norm_eps > 0.0) {
            return Err(DiffusionError::config("qk_norm_eps", "a positive normal number", self.qk_norm_eps));
        }
        Ok(())
    }

    /// DiT-S/2 for 256 x 256 pictures, as published: 33 million parameters (Peebles and Xie, arXiv 2212.09748, table 1).
    pub fn dit_s_2() -> Self {
        Self { num_attention_heads: 6, attention_head_dim: 64, num_layers: 12, ..Self::dit_xl_2() }
    }

    /// DiT-XL/2 for 256 x 256 pictures, as published: 675 million parameters.
    pub fn dit_xl_2() -> Self {
        Self {
            sample_size: 32,
            patch_size: 2,
            in_channels: 4,
            out_channels: 8,
            num_attention_heads: 16,
            attention_head_dim: 72,
            num_layers: 28,
            num_embeds_ada_norm: Some(1000),
            cross_attention_dim: None,
            guidance_embeds: false,
            positions: Positions::Sincos,
            rope_theta: default_rope_theta(),
            qk_norm: None,
            qk_norm_eps: default_qk_norm_eps(),
            activation_fn: default_activation(),
            norm_eps: default_norm_eps(),
            timestep_scale: default_timestep_scale(),
            prediction: Prediction::Noise,
            noise_schedule: NoiseSchedule::Linear,
        }
    }

    /// Width of a token.
    pub fn width(&self) -> usize {
        self.num_attention_heads * self.attention_head_dim
    }

    /// Tokens along one side.
    pub(crate) fn grid(&self) -> usize {
        self.sample_size / self.patch_size
    }

    /// Tokens of a picture.
    pub fn tokens(&self) -> usize {
        self.grid() * self.grid()
    }

    /// Numbers of a patch.
    pub(crate) fn patch_elements(&self) -> usize {
        self.in_channels * self.patch_size * self.patch_size
    }

    /// Numbers of a picture.
    pub fn sample_elements(&self) -> usize {
        self.in_channels * self.sample_size * self.sample_size
    }

    /// The class that stands for no class: one past the last.
    pub fn null_class(&self) -> usize {
        self.num_embeds_ada_norm.unwrap_or(0)
    }

    /// Columns of all modulations side by side: six chunks for each block, two for the last norm.
    pub(crate) fn modulation_width(&self) -> usize {
        (6 * self.num_layers + 2) * self.width()
    }
}
