//! Scaled dot-product attention with its options.

mod answer;
mod layout;
mod softmax;
#[cfg(test)]
mod tests;

use crate::{Cost, DescError, Dtype, Expected, Format, Granularity, Op, TensorSpec, Tensors};
pub use answer::attention;
use layout::Heads;
pub use layout::{Causal, View};

/// The largest `head_dim` and `v_dim`.
const MAX_DIM: usize = 256;
/// The longest sequence: positions are compared as i32, with an offset as long again.
const MAX_SEQ: usize = 1 << 30;

/// `out = softmax(softcap(scale * q k^T) + bias, over the visible keys) v`
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `q` | `[batch, heads, seq_q, head_dim]` | [`AttentionDesc::q`] |
/// | `k` | `[batch, kv_heads, seq_kv, head_dim]` | [`AttentionDesc::k`] |
/// | `v` | `[batch, kv_heads, seq_kv, v_dim]` | [`AttentionDesc::v`] |
/// | `mask` | [`AttentionDesc::mask`]; nonzero = attend | bool |
/// | `bias` | [`AttentionDesc::bias`] | F32 |
/// | `scales` | `[3]`: of q, of k, of v | F32 |
/// | `sinks` | `[heads]` | F32 |
/// | `out` | `[batch, heads, seq_q, v_dim]` | [`AttentionDesc::out`] |
/// | `lse` | `[batch, heads, seq_q]` | F32 |
///
/// All are row-major with every row starting on a 4-byte word. `q`, `k`, `v` and `out` may instead be a [`View`] of a
/// larger buffer; the tensor is then flat, as long as the view reaches. Query head `h` reads kv head
/// `h / (heads / kv_heads)`.
///
/// In this order a logit is: the dot product, times `scale` and the scales of q and k, softcapped to `c tanh(x / c)`,
/// plus bias. A key is visible when [`AttentionDesc::causal`] allows it, the mask is nonzero and the bias is not
/// minus infinity. `scale` is `1 / sqrt(head_dim)` unless given: pass 1 for queries that are scaled already. A sink is
/// one more logit per head that takes weight and gives nothing. `lse` is the natural logarithm of the sum of the
/// exponentials of the visible logits, without the sink, so that partial results merge.
///
/// A query that sees no key (also when `seq_kv = 0`, and whatever the sink) gets zeros and an `lse` of minus infinity.
/// What stands in keys and values that a query does not see, NaN included, never reaches its output. NaN or infinity
/// in what it sees gives some value or NaN: WGSL lets a driver assume they do not occur. A bias of the lowest finite
/// number is a number, not a mask. Products, weights and sums are f32 on every tier; an F16 or BF16 output overflows to
/// infinity. Scores are never written to memory.
///
/// Error bound, per element, with `u = 2^-23` (WGSL leaves the rounding direction open), `gamma(n) = n u / (1 - n u)`
/// and `o` the exact result before the scale of v: a logit may be off by
/// `e_j = scale gamma(head_dim + 1) sum |q||k|` plus one `u` of its magnitude for each later step (the softcap adds
/// about `6 u c`); a weight by the factor `1 + E_j = exp(e_j + 3 u d_j + 3 u r)`, where `d_j` is the distance to the
/// largest logit and `r = seq_kv / 8 + 2`, because `exp` is good to `3 + 2|x|` units in the last place. The result is
/// off by at most `sum p_j E_j |v_j - o| / (1 - sum p_j E_j) + 2 gamma(seq_kv + r) sum p_j |v_j|`, then 5 `u` of `|o|`
/// for the division and the scale, and half a unit in the last place of `out`. `lse` is off by at most
/// `sum p_j E_j + gamma(seq_kv + r) + 2^-21`, and `u` of its magnitude.
///
/// Source: Dao, FlashAttention-2 (arXiv 2307.08691) for the fused form, Milakov and Gimelshein (arXiv 1805.02867) for
/// the online softmax.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct AttentionDesc {
    /// Independent batch items.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Heads of `q` and `out`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub heads: usize,
    /// Heads of `k` and `v`: a divisor of `heads`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub kv_heads: usize,
    /// Queries.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub seq_q: usize,
    /// Keys and values.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub seq_kv: usize,
    /// The length of a query and of a key, 1 to 256.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub head_dim: usize,
    /// The length of a value, 1 to 256.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub v_dim: usize,
    /// How `q` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub q: Format,
    /// How `k` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub k: Format,
    /// How `v` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub v: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
    /// Multiplies the dot products; `1 / sqrt(head_dim)` when absent.
    pub scale: Option<f32>,
    /// Which keys a query may see by its place.
    pub causal: Causal,
    /// Limits logits to plus or minus this, smoothly, before the bias is added.
    pub softcap: Option<f32>,
    /// The shape of the mask: each extent is that of `[batch, heads, seq_q, seq_kv]`, or 1 to be repeated.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub mask: Option<[usize; 4]>,
    /// The shape of the bias, by the same rule.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub bias: Option<[usize; 4]>,
    /// The scales of q, k and v: none, or one each per tensor.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub scales: Option<Granularity>,
    /// One more logit per head, in the denominator alone.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub sinks: bool,
    /// Writes `lse`.
    pub lse: bool,
    /// Where `q` stands in a larger buffer.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub q_view: Option<View>,
    /// Where `k` stands in a larger buffer.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub k_view: Option<View>,
    /// Where `v` stands in a larger buffer.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub v_view: Option<View>,
    /// Where `out` stands in a larger buffer: rows start on words and do not overlap. What stands between the rows is
    /// kept, but the rest of a row's last word becomes zero.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub out_view: Option<View>,
}

impl Default for AttentionDesc {
    /// One F32 head of size 0 without options: give `seq_q`, `seq_kv`, `head_dim` and `v_dim`.
    fn default() -> Self {
        Self {
            batch: 1,
            heads: 1,
            kv_heads: 1,
            seq_q: 0,
            seq_kv: 0,
            head_dim: 0,
            v_dim: 0,
            q: Format::F32,
            k: Format::F32,
            v: Format::F32,
            out: Format::F32,
            scale: None,
            causal: Causal::None,
            softcap: None,
            mask: None,
            bias: None,
            scales: None,
            sinks: false,
            lse: false,
            q_view: None,
            k_view: None,
            v_view: None,
            out_view: None,
        }
    }
}

impl Op for AttentionDesc {
    const NAME: &'static str = "attention";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.out, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("out", "f32, f16 or bf16", self.out));
        }
        for (field, dim) in [("head_dim", self.head_dim), ("v_dim", self.v_dim)] {
            if !(1..=MAX_DIM).contains(&dim) {
                return Err(Self::field_error(field, format!("from 1 to {MAX_DIM}"), dim));
            }
        }
        if self.kv_heads == 0 || !self.heads.is_multiple_of(self.kv_heads) {
            let rule = format!("a divisor of the {} heads", self.heads);
            return Err(Self::field_error("kv_heads", rule, self.kv_heads));
        }
        for (what, seq) in [("seq_q", self.seq_q), ("seq_kv", self.seq_kv)] {
            if seq > MAX_SEQ {
                let (what, limit, got) = (format!("`{what}`"), MAX_SEQ as u64, seq as u128);
                return Err(DescError::TooLarge { op: Self::NAME, what, limit, got });
            }
        }
        self.check_numbers()?;
        self.check_broadcast("mask", self.mask)?;
        self.check_broadcast("bias", self.bias)?;
        self.check_out_view()?;
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let inputs = [("q", self.q_heads()), ("k", self.k_heads()), ("v", self.v_heads())];
        let mut specs: Vec<_> = inputs
            .into_iter()
            .map(|(name, heads)| TensorSpec::input(name, heads.format, &heads.tensor_shape()))
            .collect();
        specs.extend(self.mask.map(|shape| TensorSpec::input("mask", Dtype::Bool, &shape)));
        specs.extend(self.bias.map(|shape| TensorSpec::input("bias", Format::F32, &shape)));
        specs.extend(self.scales.map(|_| TensorSpec::input("scales", Format::F32, &[3])));
        specs.extend(self.sinks.then(|| TensorSpec::input("sinks", Format::F32, &[self.heads])));
        let out = self.out_heads();
        let spec = TensorSpec::output("out", out.format, &out.tensor_shape());
        specs.push(TensorSpec { role: out.output_role(), ..spec });
        let lse_shape = [self.batch, self.heads, self.seq_q];
        specs.extend(self.lse.then(|| TensorSpec::output("lse", Format::F32, &lse_shape)));
        specs
    }

    /// Two products of `2 seq_q seq_kv dim` operations per head; pairs that `causal` forbids do not count.
    fn cost(&self) -> Cost {
        let pairs = self.causal.pairs(self.seq_q, self.seq_kv) * self.batch as f64 * self.heads as f64;
        Cost::of(2.0 * pairs * (self.head_dim + self.v_dim) as f64, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        answer::answer(self, inputs)
    }
}

impl AttentionDesc {
    /// The strides of `q`, `k`, `v` and `out`: their views, or those of row-major tensors with padded rows.
    pub fn strides(&self) -> [View; 4] {
        [self.q_heads(), self.k_heads(), self.v_heads(), self.out_heads()].map(|heads| heads.strides())
    }

    /// Whether every row of `q`, `k`, `v` and `out` starts on a word.
    pub fn starts_on_words(&self) -> [bool; 4] {
        [self.q_heads(), self.k_heads(), self.v_heads(), self.out_heads()]
            .map(|heads| heads.starts_on_words())
    }

    fn q_heads(&self) -> Heads {
        let shape = [self.batch, self.heads, self.seq_q, self.head_dim];
        Heads { shape, format: self.q, view: self.q_view }
    }

    fn k_heads(&self) -> Heads {
        let shape = [self.batch, self.kv_heads, self.seq_kv, self.head_dim];
        Heads { shape, format: self.k, view: self.k_view }
    }

    fn v_heads(&self) -> Heads {
        let shape = [self.batch, self.kv_heads, self.seq_kv, self.v_dim];
        Heads { shape, format: self.v, view: self.v_view }
    }

    fn out_heads(&self) -> Heads {
        let shape = [self.batch, self.heads, self.seq_q, self.v_dim];
        Heads { shape, format: self.out, view: self.out_view }
    }

    fn check_numbers(&self) -> Result<(), DescError> {
        if let Some(scale) = self.scale
            && !scale.is_finite()
        {
            return Err(Self::field_error("scale", "finite", scale));
        }
        // Far from where its inverse would leave the normal numbers.
        let caps = 1e-20..=1e20;
        if let Some(cap) = self.softcap
            && !caps.contains(&cap)
        {
            return Err(Self::field_error("softcap", "from 1e-20 to 1e20", cap));
        }
        if let Some(granularity) = self.scales
            && granularity != Granularity::PerTensor
        {
            return Err(Self::field_error("scales", "per tensor", format!("{granularity:?}")));
        }
        Ok(())
    }

    fn check_broadcast(&self, field: &'static str, shape: Option<[usize; 4]>) -> Result<(), DescError> {
        let full = [self.batch, self.heads, self.seq_q, self.seq_kv];
        let fits =
            |shape: [usize; 4]| shape.iter().zip(full).all(|(&extent, full)| extent == 1 || extent == full);
        match shape.filter(|shape| !fits(*shape)) {
            None => Ok(()),
            Some(shape) => {
                let rule = format!("{full:?} with any extent 1 instead");
                Err(Self::field_error(field, rule, format!("{shape:?}")))
            }
        }
    }

    fn check_out_view(&self) -> Result<(), DescError> {
        let out = self.out_heads();
        if out.view.is_none() || out.extent() == 0 {
            return Ok(());
        }
        if !out.starts_on_words() {
            let rule = format!("multiples of {}, so that rows start on words", out.format.per_word());
            return Err(Self::field_error("out_view", rule, format!("{:?}", out.strides())));
        }
        if !out.rows_are_apart() {
            let rule = format!("strides that keep {} rows of {} apart", self.seq_q, self.v_dim);
            return Err(Self::field_error("out_view", rule, format!("{:?}", out.strides())));
        }
        Ok(())
    }
}
