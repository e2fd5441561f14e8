//! Scaled dot-product attention with its options.

mod answer;
mod band;
mod heads;
mod plain;
mod rules;
#[cfg(test)]
mod tests;

use crate::generate::Random;
use crate::{Cost, DescError, Dtype, Expected, Format, Op, Tensor, TensorSpec, Tensors};
pub use band::{Align, Band, Window};
pub(crate) use heads::Placed;
pub use heads::{Heads, View};
pub use plain::attention;

/// `out = softmax(softcap(scale * q k^T) + bias, over the visible keys) v`
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `q` | `[batch, heads, seq_q, head_dim]` | [`AttentionDesc::q`] |
/// | `k` | `[batch, kv_heads, seq_kv, head_dim]` | [`AttentionDesc::k`] |
/// | `v` | `[batch, kv_heads, seq_kv, v_dim]` | [`AttentionDesc::v`] |
/// | `mask` | [`AttentionDesc::mask`]; nonzero = attend | bool |
/// | `bias` | [`AttentionDesc::bias`] | F32 |
/// | `q_scale`, `k_scale`, `v_scale` | [`Heads::scale`] of each | F32 |
/// | `sinks` | `[heads]` | F32 |
/// | `q_offsets`, `kv_offsets` | `[sequences + 1]` | I32 |
/// | `out` | `[batch, heads, seq_q, v_dim]` | [`AttentionDesc::out`] |
/// | `lse` | `[batch, heads, seq_q]` | F32 |
///
/// All are row-major with every row starting on a 4-byte word. `q`, `k`, `v` and `out` may instead be a [`View`] of a
/// larger buffer; the tensor is then flat, as long as the view reaches. Query head `h` reads kv head
/// `h / (heads / kv_heads)`.
///
/// In this order a logit is: the dot product, times `scale` and the scales of q and k, softcapped to `c tanh(x / c)`,
/// plus bias. A key is visible when [`AttentionDesc::causal`] and [`AttentionDesc::window`] allow it, the mask is nonzero
/// and the bias is not minus infinity. `scale` is `1 / sqrt(head_dim)` unless given: pass 1 for queries that are scaled
/// already. A sink is one more logit per head that takes weight and gives nothing. `lse` is the natural logarithm of the
/// sum of the exponentials of the visible logits, without the sink, so that partial results merge.
///
/// With [`AttentionDesc::sequences`] the rows of `q` and of `k` and `v` are those of several sequences, one behind the
/// other: sequence `s` has the queries from `q_offsets[s]` up to `q_offsets[s + 1]` and the keys from `kv_offsets[s]` up
/// to `kv_offsets[s + 1]`. A query sees keys of its own sequence alone, and its place among them counts from the
/// sequence's first query and first key. Mask, bias and scales are indexed by the rows as they lie. Offsets start at 0,
/// never fall and end at `seq_q` and `seq_kv`; a GPU cannot refuse others, and then computes something from rows that
/// are there, or leaves rows of the output as they were.
///
/// A query that sees no key (also when `seq_kv = 0`, and whatever the sink) gets zeros and an `lse` of minus infinity.
/// What stands in keys and values that a query does not see, NaN included, never reaches its output. NaN or infinity
/// in what it sees gives some value or NaN: WGSL lets a driver assume they do not occur. A bias of the lowest finite
/// number is a number, not a mask. Products, weights and sums are f32 on every tier, and nothing is promised where a dot
/// product, or the sum of the magnitudes of the values that a query sees, leaves half the range of f32; an F16 or BF16
/// output overflows to infinity. Scales are finite and not negative: a host that sees them refuses others. Scores are
/// never written to memory: beside its tensors a call needs memory in proportion to the rows, and
/// [`AttentionDesc::unfused_bytes`] is what they would have taken.
///
/// Error bound, per element, with `u = 2^-23` (WGSL leaves the rounding direction open), `gamma(n) = n u / (1 - n u)`
/// and `o` the exact result before a scale of v that its keys share: a logit may be off by
/// `e_j = scale gamma(head_dim + 1) sum |q||k|` plus one `u` of its magnitude for each later step (the softcap adds
/// about `6 u c`); a weight by the factor `1 + E_j = exp(e_j + 4 u d_j + 3 u r)`, where `d_j` is the distance to the
/// largest logit and `r = seq_kv / 8 + 2`, because `exp2` is good to `3 + 2|x|` units in the last place. The result is
/// off by at most `sum p_j E_j |v_j - o| / (1 - sum p_j E_j) + 2 gamma(seq_kv + r) sum p_j |v_j|`, then 5 `u` of `|o|`
/// for the division and the scale, and half a unit in the last place of `out`. `lse` is off by at most
/// `sum p_j E_j + gamma(seq_kv + r) + 2^-21`, and 3 `u` of its magnitude. With sequences, `seq_kv` is the sequence's own.
/// Where f16 holds q, k and v, and keys share their scale of v, a weight may also be off by `2^-34` of the largest:
/// cooperative matrices take it as two numbers of f16.
///
/// ```
/// use langevin_reference::{Align, AttentionDesc, Format, Op};
/// // One new token against a cache of 100 in 8 bits with a scale per head, four query heads to a key head.
/// let sizes = AttentionDesc { seq_q: 1, seq_kv: 100, head_dim: 64, v_dim: 64, ..Default::default() };
/// let cache = langevin_reference::Heads::from(Format::E4m3).scaled([1, 2, 1]);
/// let causal = Some(Align::BottomRight);
/// let desc = AttentionDesc { heads: 8, kv_heads: 2, k: cache, v: cache, causal, ..sizes };
/// desc.validate()?;
/// assert_eq!(desc.tensors()[1].shape, [1, 2, 100, 64]);
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// # Errors
/// [`DescError::Field`] for a `head_dim` or `v_dim` outside 1 to 256, heads that are no multiple of the kv heads, a mask,
/// a bias or scales that do not broadcast, a `scale` beyond 1e38, a `softcap` outside 1e-20 to 1e20, a window without a
/// visible pair (without sequences, whose lengths are not known here) or aligned otherwise than `causal`, sequences
/// beside a batch, an output of 8 bits, and an output view whose rows meet; [`DescError::TooLarge`] for sizes beyond the
/// indices of the shaders.
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
    /// Independent batch items; 1 with `sequences`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Heads of `q` and `out`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub heads: usize,
    /// Heads of `k` and `v`: a divisor of `heads`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub kv_heads: usize,
    /// Queries; with `sequences` of all of them.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub seq_q: usize,
    /// Keys and values; with `sequences` of all of them.
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
    pub q: Heads,
    /// How `k` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub k: Heads,
    /// How `v` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub v: Heads,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
    /// Where `out` stands in a larger buffer: rows start on words and do not overlap. What stands between the rows is
    /// kept, but the rest of a row's last word becomes zero.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub out_view: Option<View>,
    /// Multiplies the dot products; `1 / sqrt(head_dim)` when absent.
    pub scale: Option<f32>,
    /// Hides the keys after the one opposite the query, by this alignment.
    pub causal: Option<Align>,
    /// Hides the keys far from the one opposite the query.
    pub window: Option<Window>,
    /// Limits logits to plus or minus this, smoothly, before the bias is added.
    pub softcap: Option<f32>,
    /// The shape of the mask: each extent is that of `[batch, heads, seq_q, seq_kv]`, or 1 to be repeated.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub mask: Option<[usize; 4]>,
    /// The shape of the bias, by the same rule.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub bias: Option<[usize; 4]>,
    /// One more logit per head, in the denominator alone.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub sinks: bool,
    /// The number of sequences of various lengths that the rows belong to.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub sequences: Option<usize>,
    /// Writes `lse`.
    pub lse: bool,
    /// A query's bits depend on nothing but the query and its own keys and values: neither on the other queries, batch
    /// items and sequences, nor on how many there are. Few queries then leave parts of a GPU idle.
    pub batch_invariant: bool,
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
            q: Heads::default(),
            k: Heads::default(),
            v: Heads::default(),
            out: Format::F32,
            out_view: None,
            scale: None,
            causal: None,
            window: None,
            softcap: None,
            mask: None,
            bias: None,
            sinks: false,
            sequences: None,
            lse: false,
            batch_invariant: false,
        }
    }
}

impl Op for AttentionDesc {
    const NAME: &'static str = "attention";

    fn validate(&self) -> Result<(), DescError> {
        rules::check(self)
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let inputs = [("q", self.q_heads()), ("k", self.k_heads()), ("v", self.v_heads())];
        let mut specs: Vec<_> = inputs
            .into_iter()
            .map(|(name, heads)| TensorSpec::input(name, heads.format, &heads.tensor_shape()))
            .collect();
        specs.extend(self.mask.map(|shape| TensorSpec::input("mask", Dtype::Bool, &shape)));
        specs.extend(self.bias.map(|shape| TensorSpec::input("bias", Format::F32, &shape)));
        for (name, heads) in [("q_scale", self.q), ("k_scale", self.k), ("v_scale", self.v)] {
            specs.extend(heads.scale.map(|shape| TensorSpec::input(name, Format::F32, &shape)));
        }
        specs.extend(self.sinks.then(|| TensorSpec::input("sinks", Format::F32, &[self.heads])));
        for name in ["q_offsets", "kv_offsets"] {
            let shape = self.sequences.map(|sequences| [sequences.saturating_add(1)]);
            specs.extend(shape.map(|shape| TensorSpec::input(name, Dtype::I32, &shape)));
        }
        let out = self.out_heads();
        let spec = TensorSpec::output("out", out.format, &out.tensor_shape());
        specs.push(TensorSpec { role: out.output_role(), ..spec });
        let lse_shape = [self.batch, self.heads, self.seq_q];
        specs.extend(self.lse.then(|| TensorSpec::output("lse", Format::F32, &lse_shape)));
        specs
    }

    /// Two products of `2 seq_q seq_kv dim` operations per head; pairs that `causal` and `window` forbid do not count.
    /// What values decide is not known here: masked pairs count, and sequences as if they were one.
    fn cost(&self) -> Cost {
        let pairs = self.pairs() * self.batch as f64 * self.heads as f64;
        let tensors = self.tensors();
        let cost = Cost::of(2.0 * pairs * (self.head_dim as f64 + self.v_dim as f64), &tensors);
        let inputs = [("q", self.q_heads()), ("k", self.k_heads()), ("v", self.v_heads())];
        let cost = inputs.iter().fold(cost, |cost, (name, heads)| heads.counted(cost, &tensors, name));
        self.out_heads().counted_out(cost, &tensors, "out")
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        answer::answer(self, inputs)
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        rules::check_offsets(self, inputs)
    }

    /// Offsets, in any proportion.
    fn typical(&self, tensor: &str, random: &mut Random) -> Option<Tensor> {
        let total = match tensor {
            "q_offsets" => self.seq_q,
            "kv_offsets" => self.seq_kv,
            _ => return None,
        };
        let sequences = self.sequences?;
        let last = i32::try_from(total).ok()?;
        let mut offsets: Vec<i32> = (1..sequences).map(|_| random.integer(0, last)).collect();
        offsets.extend([0, last]);
        offsets.sort_unstable();
        Tensor::from_i32(&[sequences + 1], &offsets).ok()
    }
}

impl AttentionDesc {
    /// The strides of `q`, `k`, `v` and `out`: their views, or those of row-major tensors with padded rows.
    pub fn strides(&self) -> [View; 4] {
        [self.q_heads(), self.k_heads(), self.v_heads(), self.out_heads()].map(|heads| heads.strides())
    }

    /// Whether F16 holds every element of `q`, `k` and `v`.
    pub fn fits_f16(&self) -> bool {
        [self.q, self.k, self.v].iter().all(|heads| heads.format.fits_f16())
    }

    /// Whether every row of `q`, `k`, `v` and `out` starts on a word.
    pub fn starts_on_words(&self) -> [bool; 4] {
        [self.q_heads(), self.k_heads(), self.v_heads(), self.out_heads()]
            .map(|heads| heads.starts_on_words())
    }

    /// The causal rule and the window together.
    pub fn band(&self) -> Band {
        Band::new(self.causal, self.window)
    }

    /// Bytes of the scores `[batch, heads, seq_q, seq_kv]` in F32, which an attention that is not fused writes to memory
    /// and reads again; `u64::MAX` where that is no u64.
    pub fn unfused_bytes(&self) -> u64 {
        [self.heads, self.seq_q, self.seq_kv, 4]
            .iter()
            .fold(self.batch as u64, |bytes, &extent| bytes.saturating_mul(extent as u64))
    }

    /// The pairs of a query and a key of one head that may meet by their places.
    fn pairs(&self) -> f64 {
        match self.sequences {
            None => self.band().pairs(self.seq_q, self.seq_kv),
            Some(_) => self.seq_q as f64 * self.seq_kv as f64,
        }
    }

    fn q_heads(&self) -> Placed {
        let shape = [self.batch, self.heads, self.seq_q, self.head_dim];
        Placed { shape, format: self.q.format, view: self.q.view }
    }

    fn k_heads(&self) -> Placed {
        let shape = [self.batch, self.kv_heads, self.seq_kv, self.head_dim];
        Placed { shape, format: self.k.format, view: self.k.view }
    }

    fn v_heads(&self) -> Placed {
        let shape = [self.batch, self.kv_heads, self.seq_kv, self.v_dim];
        Placed { shape, format: self.v.format, view: self.v.view }
    }

    fn out_heads(&self) -> Placed {
        let shape = [self.batch, self.heads, self.seq_q, self.v_dim];
        Placed { shape, format: self.out, view: self.out_view }
    }
}
