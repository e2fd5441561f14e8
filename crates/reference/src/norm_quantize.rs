//! A norm whose result is quantized at once.

use crate::codes_within::{check_fused, fused_answer, fused_tensors};
use crate::{Cost, DescError, Expected, Format, NormDesc, Op, QuantizeDesc, TensorSpec, Tensors};

/// `q = quantize(norm(x))`, the numbers between them in no memory.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x`, `weight`, `bias`, `modulation` | as of [`NormDesc`] | as there |
/// | `seed`, `scale`, `zero_point`, `q` | as of [`QuantizeDesc`], for the shape `[batch, rows, width]` | as there |
///
/// Scales follow that shape whether there is a modulation or not: `[batch, rows]` per row, `[batch, rows, groups]` per group,
/// `[batch, down, across]` per block, `[width]` per column, `[]` per tensor. Without a modulation the rows `[rows, width]`
/// of a matrix are those of one batch item, and the scales per row `[1, rows]`.
///
/// The norm's numbers are f32, and are known up to its bound; of two runs over a row they may differ by their rounding.
/// What is promised of the codes is what follows: each is the code of some number within its bound, under a scale made of
/// numbers within theirs. Most codes then have one value only; those near a tie have two. Where every number is known
/// exactly, so are the codes. How codes are made of numbers is as [`QuantizeDesc`] says, special values too.
///
/// Error bound, per code: the distance to the furthest of the codes of `norm - bound` and `norm + bound` under the least and
/// the largest scale; of a scale, that to those of the least and the largest possible extremes.
///
/// # Errors
/// Those of [`NormDesc`] and [`QuantizeDesc`], under their names; [`DescError::Field`] where [`norm.out`](NormDesc::out) or
/// [`codes.x`](QuantizeDesc::x) is not F32, or [`codes.shape`](QuantizeDesc::shape) not that of the norm.
/// [`NormQuantizeDesc::new`] makes them so.
///
/// ```
/// use langevin_reference::{Format, Granularity, NormDesc, NormQuantizeDesc, Op, QuantizeDesc, Tensor, Tensors};
/// let codes = QuantizeDesc { q: Format::I8, granularity: Granularity::PerRow, ..Default::default() };
/// let desc = NormQuantizeDesc::new(NormDesc { width: 4, ..Default::default() }, codes);
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 1, 4], &[1.0, 2.0, 3.0, 10.0])?);
/// let q = desc.evaluate(&inputs)?.remove(0);
/// assert_eq!(q.values().as_slice(), Some(&[-64.0, -42.0, -21.0, 127.0][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Sources: those of [`NormDesc`] and [`QuantizeDesc`].
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct NormQuantizeDesc {
    /// The norm; its `out` is F32.
    pub norm: NormDesc,
    /// How its numbers are quantized.
    pub codes: QuantizeDesc,
}

impl NormQuantizeDesc {
    /// A norm and what becomes of its numbers, their shape and format taken from the norm.
    pub fn new(norm: NormDesc, codes: QuantizeDesc) -> Self {
        let shape = vec![norm.batch, norm.rows, norm.width];
        Self {
            norm: NormDesc { out: Format::F32, ..norm },
            codes: QuantizeDesc { shape, x: Format::F32, ..codes },
        }
    }
}

impl Op for NormQuantizeDesc {
    const NAME: &'static str = "norm_quantize";

    fn validate(&self) -> Result<(), DescError> {
        check_fused::<Self, _>(&self.norm, &self.codes)
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        fused_tensors(&self.norm, &self.codes)
    }

    fn cost(&self) -> Cost {
        let tensors = self.tensors();
        let cost = Cost::of(self.norm.cost().flops + self.codes.cost().flops, &tensors);
        cost.touching(&tensors, "modulation", self.norm.modulating())
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        self.codes.check_values(inputs)
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        fused_answer(&self.norm, &self.codes, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_what_is_wrong() {
        let desc = NormQuantizeDesc::new(
            NormDesc { rows: 3, width: 5, ..Default::default() },
            QuantizeDesc::default(),
        );
        assert_eq!(desc.validate(), Ok(()));
        let names: Vec<_> = desc.tensors().iter().map(|spec| spec.name).collect();
        assert_eq!(names, ["x", "q", "scale"]);
        let error = |desc: NormQuantizeDesc| desc.validate().unwrap_err().to_string();
        let out = NormDesc { out: Format::F16, ..desc.norm.clone() };
        assert_eq!(
            error(NormQuantizeDesc { norm: out, ..desc.clone() }),
            "norm_quantize: `out` must be f32: the codes are made of numbers that are not stored, got f16"
        );
        let codes = QuantizeDesc { shape: vec![3, 5], ..desc.codes.clone() };
        assert_eq!(
            error(NormQuantizeDesc { codes, ..desc.clone() }),
            "norm_quantize: `codes` must be of the shape [1, 3, 5], as the numbers, got [3, 5]"
        );
        let codes = QuantizeDesc { x: Format::BF16, ..desc.codes.clone() };
        assert_eq!(
            error(NormQuantizeDesc { codes, ..desc.clone() }),
            "norm_quantize: `codes` must be made of f32, got bf16"
        );
        let norm = NormDesc { eps: 0.0, ..desc.norm.clone() };
        assert_eq!(
            error(NormQuantizeDesc { norm, ..desc }),
            "norm: `eps` must be a positive normal number, got 0"
        );
    }
}
