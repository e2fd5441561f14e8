//! The reference's answers as tensors.

use langevin::verify::{Answer, Dtype, Expected, Op, Tensor, Tensors};
use langevin::{DescError, Format};

/// The outputs that the reference computes, each value rounded once into its output's format.
pub(crate) fn outputs<D: Op>(desc: &D, answers: Vec<Expected>) -> Result<Tensors, DescError> {
    let specs = desc.tensors();
    let mut outputs = Tensors::new();
    for Expected { name, answer } in answers {
        let dtype = specs.iter().find(|spec| spec.name == name).map(|spec| spec.dtype);
        let tensor = match answer {
            Answer::Exact(tensor) => tensor,
            Answer::Bounded { value, .. } if dtype == Some(Dtype::I32) => {
                let values: Vec<i32> = value.iter().map(|&x| x as i32).collect();
                Tensor::from_i32(value.shape(), &values)?
            }
            Answer::Bounded { value, .. } if dtype == Some(Dtype::E8m0) => {
                // Powers of two, by their exponents.
                let codes = value.iter().map(|&x| ((x as f32).to_bits() >> 23) as u8).collect();
                Tensor::new(Dtype::E8m0, value.shape(), codes)?
            }
            Answer::Bounded { value, .. } => {
                let format = if let Some(Dtype::Number(format)) = dtype { format } else { Format::F32 };
                let round = if format == Format::F32 { |x: f64| x as f32 } else { round_to_odd };
                let values: Vec<f32> = value.iter().map(|&x| round(x)).collect();
                Tensor::from_f32(format, value.shape(), &values)?
            }
        };
        outputs.insert(name, tensor);
    }
    Ok(outputs)
}

/// Rounds so that rounding the result to a narrower format is as good as rounding `x` there: an inexact result is made
/// odd, which no tie of a format with two bits fewer is (Boldo and Melquiond, "Emulation of FMA and correctly rounded
/// sums", 2008).
fn round_to_odd(x: f64) -> f32 {
    let nearest = x as f32;
    if f64::from(nearest) == x || x.is_nan() {
        return nearest;
    }
    let away_from_zero = f64::from(nearest).abs() > x.abs();
    let toward_zero = if away_from_zero { f32::from_bits(nearest.to_bits() - 1) } else { nearest };
    f32::from_bits(toward_zero.to_bits() | 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::Overflow;

    #[test]
    fn a_value_is_rounded_once() {
        let tie = 1.0 + 2f64.powi(-11);
        // Rounding 1 + 2^-11 + 2^-40 to f32 first gives the tie, which goes down to 1; it lies above the tie.
        let above = tie + 2f64.powi(-40);
        let code = |x: f32| Format::F16.decode(Format::F16.encode(x, Overflow::Saturate));
        assert_eq!(code(above as f32), 1.0);
        assert_eq!(code(round_to_odd(above)), 1.0 + 2f32.powi(-10));
        assert_eq!(code(round_to_odd(tie)), 1.0);
        assert_eq!(code(round_to_odd(-above)), -1.0 - 2f32.powi(-10));
    }

    #[test]
    fn exact_and_extreme_values_stay_what_they_are() {
        for x in [0.0, -0.0, 1.5, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(f64::from(round_to_odd(x)).to_bits(), x.to_bits());
        }
        assert!(round_to_odd(f64::NAN).is_nan());
        assert_eq!(round_to_odd(1e300), f32::MAX);
        assert_eq!(round_to_odd(1e-300), f32::from_bits(1));
        assert_eq!(round_to_odd(-1e-300), -f32::from_bits(1));
    }
}
