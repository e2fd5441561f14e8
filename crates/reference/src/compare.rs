use crate::{Answer, Expected, Tensor};
use std::fmt;

/// The element furthest beyond, or closest to, its bound.
#[derive(Clone, Debug, PartialEq)]
pub struct Worst {
    /// Where it is.
    pub index: Vec<usize>,
    /// What was computed.
    pub got: f64,
    /// What the reference says.
    pub expected: f64,
    /// The error allowed.
    pub bound: f64,
    /// The error over the bound; above 1, or NaN, is a failure.
    pub ratio: f64,
}

/// How an output compares with its reference.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The output.
    pub name: String,
    /// How many elements were compared.
    pub elements: usize,
    /// How many are out of bounds (or differ in a bit, where bits are promised).
    pub failures: usize,
    /// How many have an infinite bound, so that nothing was tested.
    pub unbounded: usize,
    /// Whether an output of zeros would have failed: a comparison that accepts zeros for a non-zero answer tests nothing.
    pub rejects_zeros: bool,
    /// The worst element; `None` for an empty output.
    pub worst: Option<Worst>,
    /// The output has another shape or type than the reference, so nothing could be compared.
    pub mismatch: Option<String>,
}

impl Comparison {
    /// Whether every element is within its bound.
    pub fn passed(&self) -> bool {
        self.failures == 0 && self.mismatch.is_none()
    }

    /// The worst error over its bound; 0 for an empty output.
    pub fn worst_ratio(&self) -> f64 {
        self.worst.as_ref().map_or(0.0, |worst| worst.ratio)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verdict = if self.passed() { "ok" } else { "FAILED" };
        write!(f, "{}: {verdict}", self.name)?;
        if let Some(mismatch) = &self.mismatch {
            return write!(f, ", {mismatch}");
        }
        write!(f, ", {} of {} out of bounds", self.failures, self.elements)?;
        if self.unbounded > 0 {
            write!(f, ", {} without a bound", self.unbounded)?;
        }
        if let Some(Worst { index, got, expected, bound, ratio }) = &self.worst {
            write!(
                f,
                ", worst at {index:?}: got {got:e}, expected {expected:e} +- {bound:e} ({ratio:.3} of the bound)"
            )?;
        }
        Ok(())
    }
}

/// Compares a computed output with its reference: the one comparison that every test and check uses.
///
/// An element passes when it equals the reference or `err <= bound`; a NaN never passes for a number. Where the reference
/// is NaN, a bound of 0 promises a NaN, an infinite bound promises nothing, and any other bound is a mistake that fails.
/// Where bits are promised ([`Answer::Exact`]) every byte must agree.
pub fn compare(expected: &Expected, got: &Tensor) -> Comparison {
    let mut result = Comparison {
        name: expected.name.to_owned(),
        elements: 0,
        failures: 0,
        unbounded: 0,
        rejects_zeros: false,
        worst: None,
        mismatch: None,
    };
    let reference = expected.values();
    if reference.shape() != got.shape() {
        result.mismatch = Some(format!("shape {:?}, expected {:?}", got.shape(), reference.shape()));
        return result;
    }
    let same_bits: Option<Vec<bool>> = match &expected.answer {
        Answer::Exact(tensor) if tensor.dtype() != got.dtype() => {
            result.mismatch = Some(format!("type {}, expected {}", got.dtype(), tensor.dtype()));
            return result;
        }
        Answer::Exact(tensor) => {
            let size = tensor.dtype().bytes();
            let pairs = tensor.bytes().chunks(size).zip(got.bytes().chunks(size));
            Some(pairs.map(|(want, have)| want == have).collect())
        }
        Answer::Bounded { .. } => None,
    };
    let values = got.to_f64();
    for (position, (index, &want)) in reference.indexed_iter().enumerate() {
        let have = values[index.clone()];
        let bound = match &expected.answer {
            Answer::Bounded { bound, .. } => bound[index.clone()],
            Answer::Exact(_) => 0.0,
        };
        let ratio = match &same_bits {
            Some(same) => {
                if same[position] {
                    0.0
                } else {
                    f64::INFINITY
                }
            }
            None => error_ratio(have, want, bound),
        };
        result.elements += 1;
        result.unbounded += usize::from(bound == f64::INFINITY);
        result.failures += usize::from(!(ratio <= 1.0));
        result.rejects_zeros |= !(error_ratio(0.0, want, bound) <= 1.0);
        // NaN counts as worse than anything.
        let worse =
            result.worst.as_ref().is_none_or(|worst| !worst.ratio.is_nan() && !(ratio <= worst.ratio));
        if worse {
            let index = ndarray::Dimension::slice(&index).to_vec();
            result.worst = Some(Worst { index, got: have, expected: want, bound, ratio });
        }
    }
    result
}

/// The error over the bound: 0 for equality, NaN where either is NaN, infinite for an error where none is allowed.
fn error_ratio(got: f64, expected: f64, bound: f64) -> f64 {
    if got == expected {
        return 0.0;
    }
    if expected.is_nan() && bound == 0.0 {
        return if got.is_nan() { 0.0 } else { f64::INFINITY };
    }
    if expected.is_nan() && bound == f64::INFINITY {
        return 0.0;
    }
    let error = (got - expected).abs();
    if error.is_nan() || bound.is_nan() {
        f64::NAN
    } else if bound == f64::INFINITY {
        0.0
    } else if bound == 0.0 {
        f64::INFINITY
    } else {
        error / bound
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;
    use ndarray::arr1;

    fn expected(values: &[f64], bounds: &[f64]) -> Expected {
        Expected::bounded("out", arr1(values).into_dyn(), arr1(bounds).into_dyn())
    }

    fn tensor(values: &[f32]) -> Tensor {
        Tensor::from_f32(Format::F32, &[values.len()], values).unwrap()
    }

    #[test]
    fn within_the_bound_passes_and_beyond_it_fails() {
        let expected = expected(&[1.0, 2.0], &[0.25, 0.25]);
        let good = compare(&expected, &tensor(&[1.25, 1.75]));
        assert!(good.passed() && good.worst_ratio() == 1.0);
        let bad = compare(&expected, &tensor(&[1.0, 2.5]));
        assert_eq!((bad.failures, bad.worst.as_ref().unwrap().index.clone()), (1, vec![1]));
        assert_eq!(bad.worst_ratio(), 2.0);
    }

    #[test]
    fn nan_never_passes() {
        for (want, bound, got) in [
            (1.0, 1.0, f32::NAN),
            (f64::NAN, 1.0, 1.0),
            (f64::NAN, 1.0, f32::NAN),
            (1.0, f64::NAN, 1.5),
            (1.0, f64::INFINITY, f32::NAN),
        ] {
            let result = compare(&expected(&[want], &[bound]), &tensor(&[got]));
            assert!(!result.passed(), "{want} +- {bound} accepts {got}");
            assert!(result.worst_ratio().is_nan());
        }
    }

    #[test]
    fn a_nan_is_promised_or_left_open() {
        let verdict = |bound, got| compare(&expected(&[f64::NAN], &[bound]), &tensor(&[got])).passed();
        assert!(verdict(0.0, f32::NAN) && !verdict(0.0, 1.0) && !verdict(0.0, f32::INFINITY));
        assert!(verdict(f64::INFINITY, f32::NAN) && verdict(f64::INFINITY, 1.0));
    }

    #[test]
    fn infinities_must_match_and_zeros_are_noticed() {
        let expected_inf = expected(&[f64::NEG_INFINITY], &[0.0]);
        assert!(compare(&expected_inf, &tensor(&[f32::NEG_INFINITY])).passed());
        assert!(!compare(&expected_inf, &tensor(&[f32::INFINITY])).passed());
        assert!(!compare(&expected_inf, &tensor(&[f32::MIN])).passed());
        assert!(compare(&expected(&[1.0], &[0.5]), &tensor(&[1.0])).rejects_zeros);
        assert!(!compare(&expected(&[0.1], &[0.5]), &tensor(&[0.1])).rejects_zeros);
        assert!(compare(&expected(&[1.0, 0.0], &[0.5, 0.5]), &tensor(&[1.0, 0.0])).rejects_zeros);
        let unbounded = compare(&expected(&[1.0], &[f64::INFINITY]), &tensor(&[9.0]));
        assert!(unbounded.passed() && unbounded.unbounded == 1 && !unbounded.rejects_zeros);
    }

    #[test]
    fn exact_answers_compare_bits_types_and_shapes() {
        let zeros = Tensor::from_f32(Format::F32, &[1], &[0.0]).unwrap();
        let expected = Expected::exact("q", zeros.clone());
        assert!(compare(&expected, &zeros).passed());
        assert!(!compare(&expected, &tensor(&[-0.0])).passed());
        assert!(!compare(&expected, &tensor(&[0.0, 0.0])).passed());
        let half = Tensor::from_f32(Format::F16, &[1], &[0.0]).unwrap();
        assert!(!compare(&expected, &half).passed());
        // The same bytes under another type are another answer.
        let codes = |format| Tensor::from_f32(format, &[1], &[0.0]).unwrap();
        let fp8 = Expected::exact("q", codes(Format::E4m3));
        assert!(compare(&fp8, &codes(Format::E4m3)).passed() && !compare(&fp8, &codes(Format::I8)).passed());
    }
}
