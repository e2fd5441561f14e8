//! Partial results of attention over parts of the keys, merged.

#[cfg(test)]
mod tests;

use crate::bound::Rounded;
use crate::softmax::Softmax;
use crate::{Cost, DescError, Expected, Format, Op, TensorSpec, Tensors};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;

/// The attention over all keys from that over each part of them: `out = sum_p exp(lse_p - lse) out_p`, where
/// `lse = log(sum_p exp(lse_p))`.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `parts` | `[parts, rows, dim]` | [`MergeDesc::x`] |
/// | `part_lse` | `[parts, rows]` | F32 |
/// | `out` | `[rows, dim]` | [`MergeDesc::out`] |
/// | `lse` | `[rows]`, with [`MergeDesc::lse`] | F32 |
///
/// `part_lse` is the `lse` of [`AttentionDesc`](crate::AttentionDesc): the natural logarithm of the sum of the
/// exponentials of the part's visible logits. So the keys may be cut anywhere, each part computed where its keys and
/// values are, and the results merged in any grouping: the building block of ring attention and of prefixes that many
/// sequences share. `rows` is `batch * heads * seq_q` and `dim` is `v_dim`, and a part is as large as the attention's
/// `out`: attention writes its parts where `parts` has them, one behind the other. Sinks belong to the whole and are not
/// in its `lse`: leave them out of the parts.
///
/// A part whose `part_lse` is minus infinity saw no key; what its rows hold, NaN included, does not reach the output.
/// A row that no part has seen, or without parts, gives zeros and an `lse` of minus infinity. One part is returned as it
/// is, up to the bound. NaN or plus infinity in a logarithm makes the row and its `lse` NaN; in a part that was seen they
/// spoil their column of the row, as may parts that sum to more than half of the largest f32. Parts are in any format (I8 counts as the integers it holds), arithmetic is f32, and an F16 or BF16 output
/// overflows to infinity.
///
/// Error bound, per element: that of an attention with the logits `part_lse`, known exactly, and the values `parts`: the
/// weight of a part is off by a factor of at most `exp(t_p)`, `t_p = u (4 d_p + 3 (parts + 1))`, `u = 2^-23`, `d_p` the
/// distance of its logarithm to the largest; the weighted mean moves by at most `sum_p w_p t_p |out_p - out|` and the
/// rounding of its sums, `2 u (2 parts + 4) sum_p w_p |out_p|`; plus half a unit in the last place of `out`.
///
/// # Errors
/// [`DescError::Field`] for an `out` of 8 bits; [`DescError::TooLarge`] for more elements than u32 counts.
///
/// # Example
/// ```
/// use langevin_reference::{Format, MergeDesc, Op, Tensor, Tensors};
/// // Two parts of equal weight.
/// let desc = MergeDesc { parts: 2, rows: 1, dim: 1, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("parts", Tensor::from_f32(Format::F32, &[2, 1, 1], &[1.0, 3.0])?);
/// inputs.insert("part_lse", Tensor::from_f32(Format::F32, &[2, 1], &[7.0, 7.0])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values()[[0, 0]], 2.0);
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Sources: Liu, Zaharia and Abbeel, ring attention (arXiv 2310.01889); Juravsky et al. (arXiv 2402.05099) for shared
/// prefixes.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct MergeDesc {
    /// Partial results.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub parts: usize,
    /// Rows of each: `batch * heads * seq_q` of the attention.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub rows: usize,
    /// Elements of a row: the attention's `v_dim`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub dim: usize,
    /// How `parts` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
    /// Writes `lse`, so that the result is a part again.
    pub lse: bool,
}

impl Default for MergeDesc {
    /// F32 without rows: give `parts`, `rows` and `dim`.
    fn default() -> Self {
        Self { parts: 0, rows: 0, dim: 0, x: Format::F32, out: Format::F32, lse: false }
    }
}

impl Op for MergeDesc {
    const NAME: &'static str = "merge";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.out, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("out", "f32, f16 or bf16", self.out));
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let Self { parts, rows, dim, .. } = *self;
        let mut specs = vec![
            TensorSpec::input("parts", self.x, &[parts, rows, dim]),
            TensorSpec::input("part_lse", Format::F32, &[parts, rows]),
            TensorSpec::output("out", self.out, &[rows, dim]),
        ];
        specs.extend(self.lse.then(|| TensorSpec::output("lse", Format::F32, &[rows])));
        specs
    }

    /// A product and a sum for each element of each part.
    fn cost(&self) -> Cost {
        Cost::of(2.0 * self.parts as f64 * self.rows as f64 * self.dim as f64, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let values = |name: &str| -> Vec<f64> {
            inputs.values(name).map(|values| values.into_iter().collect()).unwrap_or_default()
        };
        let (x, logarithms) = (values("parts"), values("part_lse"));
        let merged: Vec<Row> =
            (0..self.rows).into_par_iter().map(|row| self.row(row, &x, &logarithms)).collect();
        let (rows, dim) = (self.rows, self.dim);
        let out = |f: fn(&Rounded) -> f64| array(&[rows, dim], merged.iter().flat_map(|row| &row.out).map(f));
        let mut answers = vec![Expected::bounded("out", out(|x| x.value), out(|x| x.error))];
        if self.lse {
            let lse = |f: fn(&Rounded) -> f64| array(&[rows], merged.iter().map(|row| f(&row.lse)));
            answers.push(Expected::bounded("lse", lse(|x| x.value), lse(|x| x.error)));
        }
        answers
    }
}

/// One row of the result.
struct Row {
    out: Vec<Rounded>,
    lse: Rounded,
}

impl MergeDesc {
    fn row(&self, row: usize, x: &[f64], logarithms: &[f64]) -> Row {
        let Self { parts, rows, dim, .. } = *self;
        let logits: Vec<(usize, Rounded)> = (0..parts)
            .map(|part| (part, logarithms[part * rows + row]))
            .filter(|(_, lse)| *lse != f64::NEG_INFINITY)
            .map(|(part, lse)| (part, Rounded::exact(lse)))
            .collect();
        if logits.is_empty() {
            return Row { out: vec![Rounded::exact(0.0); dim], lse: Rounded::exact(f64::NEG_INFINITY) };
        }
        if logits.iter().any(|(_, lse)| !lse.value.is_finite()) {
            let nan = Rounded::exact(f64::NAN);
            return Row { out: vec![nan; dim], lse: nan };
        }
        let softmax = Softmax::new(&logits, None, parts);
        let mix = softmax.mix(|part| (&x[(part * rows + row) * dim..][..dim], 1.0), dim);
        // Weights relative to the largest are at most 1 up to rounding, so a sum is less than twice this.
        let largest_sum = |column: usize| -> f64 {
            2.0 * logits.iter().map(|(part, _)| x[(part * rows + row) * dim + column].abs()).sum::<f64>()
        };
        let finish = |(column, mean): (usize, Rounded)| match largest_sum(column) <= f64::from(f32::MAX) {
            true => mean.div(Rounded::exact(1.0)).store(self.out),
            false => Rounded::NOTHING,
        };
        Row { out: mix.into_iter().enumerate().map(finish).collect(), lse: softmax.log_sum() }
    }
}

/// The elements were made for the shape.
fn array(shape: &[usize], values: impl Iterator<Item = f64>) -> ArrayD<f64> {
    ArrayD::from_shape_vec(IxDyn(shape), values.collect()).unwrap_or_else(|_| ArrayD::zeros(IxDyn(shape)))
}
