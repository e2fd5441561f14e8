//! An element-wise function whose result is quantized at once.

use crate::codes_within::{check_fused, fused_answer, fused_tensors};
use crate::{ActivationDesc, Cost, DescError, Expected, Format, Op, QuantizeDesc, TensorSpec, Tensors};

/// `q = quantize(activation(x))`, the numbers between them in no memory.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[rows, width]` | [`ActivationDesc::x`] |
/// | `seed`, `scale`, `zero_point`, `q` | as of [`QuantizeDesc`], for that shape | as there |
///
/// What is promised of the codes is what [`NormQuantizeDesc`](crate::NormQuantizeDesc) says: each is the code of some number
/// within the bound of [`ActivationDesc`], under a scale made of such numbers. The identity and ReLU lose nothing, so
/// their codes are exact.
///
/// # Errors
/// Those of [`ActivationDesc`] and [`QuantizeDesc`], under their names; [`DescError::Field`] where
/// [`activation.out`](ActivationDesc::out) or [`codes.x`](QuantizeDesc::x) is not F32, or
/// [`codes.shape`](QuantizeDesc::shape) not `[rows, width]`. [`ActivationQuantizeDesc::new`] makes them so.
///
/// ```
/// use langevin_reference::{
///     Activation, ActivationDesc, ActivationQuantizeDesc, Format, Op, QuantizeDesc, Tensor, Tensors,
/// };
/// let activation = ActivationDesc { rows: 1, width: 3, activation: Activation::Relu, ..Default::default() };
/// let codes = QuantizeDesc { q: Format::I8, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 3], &[-500.0, 2.0, 254.0])?);
/// let answers = ActivationQuantizeDesc::new(activation, codes).evaluate(&inputs)?;
/// assert_eq!(answers[0].values().as_slice(), Some(&[0.0, 1.0, 127.0][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Sources: those of [`ActivationDesc`] and [`QuantizeDesc`].
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct ActivationQuantizeDesc {
    /// The function; its `out` is F32.
    pub activation: ActivationDesc,
    /// How its numbers are quantized.
    pub codes: QuantizeDesc,
}

impl ActivationQuantizeDesc {
    /// A function and what becomes of its numbers, their shape and format taken from the function.
    pub fn new(activation: ActivationDesc, codes: QuantizeDesc) -> Self {
        let shape = vec![activation.rows, activation.width];
        Self {
            activation: ActivationDesc { out: Format::F32, ..activation },
            codes: QuantizeDesc { shape, x: Format::F32, ..codes },
        }
    }
}

impl Op for ActivationQuantizeDesc {
    const NAME: &'static str = "activation_quantize";

    fn validate(&self) -> Result<(), DescError> {
        check_fused::<Self, _>(&self.activation, &self.codes)
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        fused_tensors(&self.activation, &self.codes)
    }

    fn cost(&self) -> Cost {
        Cost::of(self.activation.cost().flops + self.codes.cost().flops, &self.tensors())
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        self.codes.check_values(inputs)
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        fused_answer(&self.activation, &self.codes, inputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Activation, Answer, Tensor};

    #[test]
    fn what_loses_nothing_has_exact_codes() {
        let x = [-1.0, 3.3, 0.7, 448.0, f32::MIN_POSITIVE];
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 5], &x).unwrap());
        let activation =
            ActivationDesc { rows: 1, width: 5, activation: Activation::Relu, ..Default::default() };
        let desc = ActivationQuantizeDesc::new(activation, QuantizeDesc::default());
        let answers = desc.evaluate(&inputs).unwrap();
        let Answer::Bounded { value, bound } = &answers[0].answer else { panic!("bounds are expected") };
        assert_eq!(value.as_slice(), Some(&[0.0, 3.25, 0.6875, 448.0, 0.0][..]));
        assert!(bound.iter().all(|&bound| bound == 0.0), "{bound}");
        assert_eq!(answers[1].values().sum(), 1.0);
    }
}
