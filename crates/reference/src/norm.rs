//! Layer and RMS normalisation of rows, with the modulation of a diffusion transformer.

mod statistics;
#[cfg(test)]
mod tests;

use crate::bound::Rounded;
use crate::{Cost, DescError, Expected, Format, Op, TensorSpec, Tensors};
use ndarray::{Array3, ArrayView3, Axis};
use rayon::prelude::*;
use statistics::{Statistics, inverse_sqrt};

/// What a row is divided by, and whether it is centred first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum NormKind {
    /// `(x - mean) / sqrt(variance + eps)`, with the biased variance (divided by the width, not by one less).
    #[default]
    Layer,
    /// `x / sqrt(mean(x^2) + eps)`
    Rms,
}

/// Where a norm finds its shift and scale in a matrix that holds those of many: `[batch, width]`, each as many columns
/// as the norm's rows are wide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Modulation {
    /// The width of the whole matrix.
    pub width: usize,
    /// The first column of the shift.
    pub shift: usize,
    /// The first column of the scale.
    pub scale: usize,
}

/// `out = (normalised * weight + bias) * (1 + scale) + shift`, where each row of `x` is normalised by itself:
///
/// - [`NormKind::Layer`]: `(x - mean) / sqrt(variance + eps)`, the variance biased;
/// - [`NormKind::Rms`]: `x / sqrt(mean(x^2) + eps)`.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[batch, rows, width]` | [`NormDesc::x`] |
/// | `weight` | `[width]`, with [`NormDesc::weight`] | F32 |
/// | `bias` | `[width]`, with [`NormDesc::bias`] | F32 |
/// | `modulation` | `[batch, modulation.width]`, with [`NormDesc::modulation`] | F32 |
/// | `out` | `[batch, rows, width]` | [`NormDesc::out`] |
///
/// The scale of the modulation is a difference from one: zeros leave the row as it is. All rows of a batch item share
/// one shift and one scale. `eps` stands inside the root.
///
/// `x` is in any format (I8 counts as the integers it holds), arithmetic is f32, `out` is F32, F16 or BF16. The mean is
/// taken in one pass and corrected in the next by the mean of what it left, so a common offset of the row costs little.
/// The squares must stay in the range of f32: where their sum leaves it, nothing is promised. NaN and infinity spoil
/// the row they stand in, and no other.
///
/// Error bound, per element, with `u = 2^-23`, `g = gamma(width + 1)`, `d = g mean|x|` (the error of the first mean)
/// and `t = g (mean|x - mean| + d)` (that of the corrected one): the centred value is good to
/// `t + u (|x - mean| + |mean| + d)`, the variance to `g mean (|x - mean| + d)^2 + 2 d t`, the inverse root to two
/// units in the last place beyond what its argument brings, and each later step to one `u`; plus half a unit in the
/// last place of `out`. A large offset shows as `u |mean|` and as `d t`.
///
/// # Errors
/// [`DescError::Field`] for an `eps` that is not a positive normal number, an `out` of 8 bits, or a modulation whose
/// columns leave its matrix; [`DescError::TooLarge`] for more elements than u32 counts.
///
/// # Example
/// ```
/// use langevin_reference::{Format, NormDesc, NormKind, Op, Tensor, Tensors};
/// let desc = NormDesc { width: 2, kind: NormKind::Rms, eps: 1.5, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 1, 2], &[1.0, 2.0])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values()[[0, 0, 1]], 1.0);
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Sources: Ba, Kiros and Hinton, arXiv 1607.06450; Zhang and Sennrich, arXiv 1910.07467; Peebles and Xie, arXiv
/// 2212.09748, section 3.2 (modulation); Chan, Golub and LeVeque, The American Statistician 37, 1983 (the correction).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct NormDesc {
    /// Groups of rows that share a modulation.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Rows of each batch item.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub rows: usize,
    /// Elements of a row.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub width: usize,
    /// Which norm.
    pub kind: NormKind,
    /// Added to the variance or the mean square.
    pub eps: f32,
    /// How `x` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
    /// Multiplies by a weight per column.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub weight: bool,
    /// Adds a bias per column.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub bias: bool,
    /// Multiplies by `1 + scale` and adds `shift`, per batch item and column.
    pub modulation: Option<Modulation>,
}

impl Default for NormDesc {
    /// A layer norm of one F32 row of width 0, without weight, bias and modulation: give `width`.
    fn default() -> Self {
        Self {
            batch: 1,
            rows: 1,
            width: 0,
            kind: NormKind::Layer,
            eps: 1e-6,
            x: Format::F32,
            out: Format::F32,
            weight: false,
            bias: false,
            modulation: None,
        }
    }
}

impl Op for NormDesc {
    const NAME: &'static str = "norm";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.out, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("out", "f32, f16 or bf16", self.out));
        }
        if !(self.eps.is_normal() && self.eps > 0.0) {
            return Err(Self::field_error("eps", "a positive normal number", self.eps));
        }
        if let Some(Modulation { width, shift, scale }) = self.modulation {
            for (start, what) in [(shift, "shift"), (scale, "scale")] {
                if start.checked_add(self.width).is_none_or(|end| end > width) {
                    let got = format!("{what} in columns {start}..{start}+{} of {width}", self.width);
                    return Err(Self::field_error("modulation", "columns inside its matrix", got));
                }
            }
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let shape = [self.batch, self.rows, self.width];
        let mut specs = vec![TensorSpec::input("x", self.x, &shape)];
        specs.extend(self.weight.then(|| TensorSpec::input("weight", Format::F32, &[self.width])));
        specs.extend(self.bias.then(|| TensorSpec::input("bias", Format::F32, &[self.width])));
        specs.extend(
            self.modulation.map(|m| TensorSpec::input("modulation", Format::F32, &[self.batch, m.width])),
        );
        specs.push(TensorSpec::output("out", self.out, &shape));
        specs
    }

    fn cost(&self) -> Cost {
        // Sum, centre, square and add, scale: and one operation for each of weight and bias, three for a modulation.
        let statistics = if self.kind == NormKind::Layer { 7.0 } else { 3.0 };
        let affine = f64::from(u8::from(self.weight)) + f64::from(u8::from(self.bias));
        let per_element = statistics + affine + if self.modulation.is_some() { 3.0 } else { 0.0 };
        let tensors = self.tensors();
        let cost = Cost::of(per_element * self.batch as f64 * self.rows as f64 * self.width as f64, &tensors);
        cost.touching(&tensors, "modulation", self.modulating())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let shape = (self.batch, self.rows, self.width);
        let optional = |name: &str| inputs.values(name);
        let (weight, bias, modulation) = (optional("weight"), optional("bias"), optional("modulation"));
        let x = optional("x").map(|x| x.into_raw_vec_and_offset().0).unwrap_or_default();
        let mut out = Array3::from_elem(shape, Rounded::exact(0.0));
        let mut rows: Vec<_> = out.rows_mut().into_iter().enumerate().collect();
        rows.par_iter_mut().for_each(|(index, row)| {
            let item = *index / self.rows;
            let normalised = self.normalise(&x[*index * self.width..][..self.width]);
            for (column, (element, mut y)) in row.iter_mut().zip(normalised).enumerate() {
                if let Some(weight) = &weight {
                    y = y.mul(Rounded::exact(weight[[column]]));
                }
                if let Some(bias) = &bias {
                    y = y.add(Rounded::exact(bias[[column]]));
                }
                if let (Some(values), Some(Modulation { shift, scale, .. })) = (&modulation, self.modulation)
                {
                    let factor = Rounded::exact(1.0).add(Rounded::exact(values[[item, scale + column]]));
                    y = y.mul(factor).add(Rounded::exact(values[[item, shift + column]]));
                }
                *element = y.store(self.out);
            }
        });
        let value = out.mapv(|element| element.value);
        let bound = out.mapv(|element| element.error);
        vec![Expected::bounded("out", value.into_dyn(), bound.into_dyn())]
    }
}

impl NormDesc {
    /// Elements of the modulations that are used: a shift and a scale for each column of an item.
    pub(crate) fn modulating(&self) -> f64 {
        2.0 * self.batch as f64 * self.width as f64
    }

    /// The normalised row, before weight, bias and modulation.
    pub(crate) fn normalise(&self, row: &[f64]) -> Vec<Rounded> {
        let Statistics { centred, square, largest_sum } = match self.kind {
            NormKind::Layer => Statistics::layer(row),
            NormKind::Rms => Statistics::rms(row),
        };
        let eps = f64::from(self.eps);
        let inverse = inverse_sqrt(square.add(Rounded::exact(eps)), eps);
        let in_range = largest_sum <= f64::from(f32::MAX);
        let finish = |centred: Rounded| {
            let y = centred.mul(inverse);
            if in_range { y } else { Rounded { error: f64::INFINITY, ..y } }
        };
        centred.into_iter().map(finish).collect()
    }
}

/// Each row of `[batch, rows, width]` normalised, in f64, without weight, bias and modulation.
pub fn norm(x: ArrayView3<'_, f64>, kind: NormKind, eps: f64) -> Array3<f64> {
    let mut out = x.to_owned();
    for mut row in out.lanes_mut(Axis(2)) {
        if kind == NormKind::Layer {
            let mean = row.mean().unwrap_or(0.0);
            row.mapv_inplace(|x| x - mean);
        }
        let mean_square = row.mapv(|x| x * x).mean().unwrap_or(0.0);
        row.mapv_inplace(|x| x / (mean_square + eps).sqrt());
    }
    out
}
