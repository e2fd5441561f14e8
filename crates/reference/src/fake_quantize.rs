//! Quantization and its inverse at once: what a model will see of its numbers.

use crate::{
    Answer, Cost, DequantizeDesc, DescError, Expected, Format, Op, QuantizeDesc, TensorSpec, Tensors,
};

/// `out = dequantize(quantize(x))`
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` and the other inputs of [`QuantizeDesc`] | as there | as there |
/// | `out`, in place of `q` | as `x` | [`FakeQuantizeDesc::out`]: F32, F16, BF16 |
/// | the other outputs of [`QuantizeDesc`] | as there | as there |
///
/// Codes and scales are those of [`QuantizeDesc`], to the bit; the numbers are those of [`DequantizeDesc`], with its error
/// bound. The codes are not stored, so nothing of 8 bits goes through memory.
///
/// # Errors
/// Those of [`QuantizeDesc`], under its name, and [`DescError::Field`] for an `out` other than those above.
///
/// ```
/// use langevin_reference::{FakeQuantizeDesc, Format, Op, QuantizeDesc, Tensor, Tensors};
/// let codes = QuantizeDesc { shape: vec![3], q: Format::I8, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[3], &[0.9, -254.0, 3.1])?);
/// let out = FakeQuantizeDesc { codes, ..Default::default() }.evaluate(&inputs)?.remove(0);
/// assert_eq!(out.values().as_slice(), Some(&[0.0, -254.0, 4.0][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: ONNX QuantizeLinear and DequantizeLinear; the name is that of PyTorch and torchao.
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct FakeQuantizeDesc {
    /// How the numbers are quantized.
    pub codes: QuantizeDesc,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
}

impl FakeQuantizeDesc {
    /// The inverse.
    fn numbers(&self) -> DequantizeDesc {
        DequantizeDesc {
            shape: self.codes.shape.clone(),
            q: self.codes.q,
            out: self.out,
            granularity: self.codes.granularity,
            power_scales: self.codes.scale_rounding.is_some(),
            zero_point: self.codes.asymmetric,
        }
    }
}

impl Op for FakeQuantizeDesc {
    const NAME: &'static str = "fake_quantize";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.out, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("out", "f32, f16 or bf16", self.out));
        }
        self.codes.validate()?;
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let mut specs = self.codes.tensors();
        if let Some(q) = specs.iter_mut().find(|spec| spec.name == "q") {
            *q = TensorSpec::output("out", self.out, &self.codes.shape);
        }
        specs
    }

    fn cost(&self) -> Cost {
        Cost::of(self.codes.cost().flops + self.numbers().cost().flops, &self.tensors())
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        self.codes.check_values(inputs)
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let mut expected = self.codes.answer(inputs);
        let mut quantized = Tensors::new();
        for name in ["scale", "zero_point"] {
            if let Some(tensor) = inputs.get(name) {
                quantized.insert(name, tensor.clone());
            }
        }
        for output in &expected {
            if let Answer::Exact(tensor) = &output.answer {
                quantized.insert(output.name, tensor.clone());
            }
        }
        expected.splice(0..1, self.numbers().answer(&quantized));
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Granularity, Tensor};

    #[test]
    fn by_hand_with_zero_points() {
        let codes = QuantizeDesc {
            shape: vec![2, 2],
            q: Format::I8,
            granularity: Granularity::PerRow,
            asymmetric: true,
            ..Default::default()
        };
        let mut inputs = Tensors::new();
        let x = [-1.0, 509.0, 0.9, 255.0];
        inputs.insert("x", Tensor::from_f32(Format::F32, &[2, 2], &x).unwrap());
        let desc = FakeQuantizeDesc { codes, ..Default::default() };
        let expected = desc.evaluate(&inputs).unwrap();
        let names: Vec<_> = expected.iter().map(|output| output.name).collect();
        assert_eq!(names, ["out", "scale", "zero_point"]);
        // Scale 2, zero point -128 (of -0.5, ties to even): -1 is clipped. Scale 1: nothing is lost but 0.9.
        assert_eq!(expected[0].values().as_slice(), Some(&[0.0, 508.0, 1.0, 255.0][..]));
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let error = |desc: FakeQuantizeDesc| desc.validate().unwrap_err().to_string();
        let wrong = FakeQuantizeDesc { out: Format::I8, ..Default::default() };
        assert_eq!(error(wrong), "fake_quantize: `out` must be f32, f16 or bf16, got i8");
        let codes = QuantizeDesc { q: Format::F32, ..Default::default() };
        let wrong = FakeQuantizeDesc { codes, ..Default::default() };
        assert_eq!(error(wrong), "quantize: `q` must be e4m3, e5m2 or i8, got f32");
    }
}
