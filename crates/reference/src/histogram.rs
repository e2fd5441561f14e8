//! How often numbers occur, exact.

use crate::affine::{rows, width};
use crate::generate::Random;
use crate::{Cost, DescError, Dtype, Expected, Format, Op, Role, Tensor, TensorSpec, Tensors};

/// `counts[b] += how many of x have the upper half b`, `range = max(range, [largest, -least])`
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | [`shape`](Self::shape), any rank | [`HistogramDesc::x`]: F32, F16, BF16 |
/// | `counts`, added to | `[65536]` | I32 |
/// | `range`, widened | `[2]` | F32, not negative |
///
/// A bin is the upper half of the number's f32: sign, exponent and seven digits. So no range need be known before, numbers of
/// a bin differ by less than 2^-7 of their size, and numbers of BF16 have a bin each. Infinities are counted in bins of
/// theirs, and every NaN as `7fc0` or `ffc0`, by its sign.
///
/// `range` becomes the largest number and the least one negated, 0 being among the numbers, of the finite ones that are no
/// f32 subnormals: what [`scale::range`](crate::formats::scale::range) gives of them all. An end of -0 counts as 0, and becomes it
/// where there is a number.
///
/// Both are read and written, so that batches add up on the device: start from zeros. Counts wrap beyond 2^31.
///
/// Error bound: none; integer sums and maxima are the same in any order.
///
/// # Errors
/// [`DescError::Field`] for another format of `x`, [`DescError::TooLarge`]; [`DescError::Value`] for a `range` that is
/// negative or not finite.
///
/// ```
/// use langevin_reference::{Format, HistogramDesc, Op, Tensor, Tensors};
/// let desc = HistogramDesc { shape: vec![3], x: Format::F32 };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[3], &[1.0, -2.5, 1.001])?);
/// inputs.insert("counts", Tensor::from_i32(&[65536], &[0; 65536])?);
/// inputs.insert("range", Tensor::from_f32(Format::F32, &[2], &[0.0; 2])?);
/// let [counts, range] = &desc.evaluate(&inputs)?[..] else { unreachable!() };
/// assert_eq!((counts.values()[[0x3f80]], counts.values()[[0xc020]]), (2.0, 1.0));
/// assert_eq!(range.values().as_slice(), Some(&[f64::from(1.001f32), 2.5][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct HistogramDesc {
    /// The shape of `x`.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub shape: Vec<usize>,
    /// How `x` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x: Format,
}

impl HistogramDesc {
    /// How many bins there are.
    pub const BINS: usize = 1 << 16;

    /// The bin of a number.
    pub fn bin(value: f32) -> usize {
        let upper = (value.to_bits() >> 16) as usize;
        if value.is_nan() { upper & 0x8000 | 0x7fc0 } else { upper }
    }

    /// How many rows there are: the product of all axes but the last.
    pub fn rows(&self) -> usize {
        rows(&self.shape)
    }

    /// How long a row, the last axis, is; 1 for a scalar.
    pub fn width(&self) -> usize {
        width(&self.shape)
    }
}

impl Op for HistogramDesc {
    const NAME: &'static str = "histogram";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.x, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("x", "f32, f16 or bf16", self.x));
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let added = |spec: TensorSpec| TensorSpec { role: Role::InOut, ..spec };
        vec![
            TensorSpec::input("x", self.x, &self.shape),
            added(TensorSpec::output("counts", Dtype::I32, &[Self::BINS])),
            added(TensorSpec::output("range", Format::F32, &[2])),
        ]
    }

    /// One addition per element, and one comparison.
    fn cost(&self) -> Cost {
        Cost::of(2.0 * self.rows() as f64 * self.width() as f64, &self.tensors())
    }

    fn check_values(&self, inputs: &Tensors) -> Result<(), DescError> {
        let expected = "finite numbers that are not negative";
        inputs.check_values_of(Self::NAME, "range", expected, |end| end.is_finite() && end >= 0.0)
    }

    fn typical(&self, tensor: &str, random: &mut Random) -> Option<Tensor> {
        let ends = [random.uniform(0.0, 1.0), random.uniform(0.0, 1.0)];
        (tensor == "range").then(|| Tensor::from_f32(Format::F32, &[2], &ends).ok())?
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let values = |name| inputs.get(name).map(Tensor::to_f32).unwrap_or_default();
        let mut counts = vec![0_u32; Self::BINS];
        let before = inputs.get("counts").map(Tensor::bytes).unwrap_or_default();
        for (count, bytes) in counts.iter_mut().zip(before.chunks_exact(4)) {
            *count = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        }
        let mut range = values("range");
        if self.rows() * self.width() > 0 {
            range.iter_mut().for_each(|end| *end = end.abs());
        }
        for value in values("x") {
            let count = &mut counts[Self::bin(value)];
            *count = count.wrapping_add(1);
            if value.is_normal() {
                let end = &mut range[usize::from(value < 0.0)];
                *end = end.max(value.abs());
            }
        }
        let counts = counts.iter().flat_map(|count| count.to_le_bytes()).collect();
        let made = |tensor: Result<Tensor, DescError>| tensor.unwrap_or_else(|error| unreachable!("{error}"));
        vec![
            Expected::exact("counts", made(Tensor::new(Dtype::I32, &[Self::BINS], counts))),
            Expected::exact("range", made(Tensor::from_f32(Format::F32, &[2], &range))),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(x: &[f32], counts: &[i32], range: [f32; 2]) -> (Vec<f64>, Vec<f64>) {
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[x.len()], x).unwrap());
        inputs.insert("counts", Tensor::from_i32(&[HistogramDesc::BINS], counts).unwrap());
        inputs.insert("range", Tensor::from_f32(Format::F32, &[2], &range).unwrap());
        let desc = HistogramDesc { shape: vec![x.len()], ..Default::default() };
        let answers = desc.evaluate(&inputs).unwrap();
        let values = |i: usize| answers[i].values().into_raw_vec_and_offset().0;
        (values(0), values(1))
    }

    #[test]
    fn by_hand() {
        let x = [1.0, -1.0, 0.0, -0.0, f32::NAN, f32::NEG_INFINITY, 1e-40, 300.0];
        let (counts, range) = seen(&x, &[0; HistogramDesc::BINS], [0.0; 2]);
        let expected =
            [(0x3f80, 1.0), (0xbf80, 1.0), (0, 1.0), (1, 1.0), (0x8000, 1.0), (0x7fc0, 1.0), (0xff80, 1.0)];
        assert!(expected.iter().all(|&(bin, count)| counts[bin] == count));
        assert_eq!((counts.iter().sum::<f64>(), range), (8.0, vec![300.0, 1.0]));
    }

    #[test]
    fn an_end_of_minus_zero_is_zero() {
        let (_, range) = seen(&[1.0, 3.0], &[0; HistogramDesc::BINS], [-0.0; 2]);
        assert_eq!(range.iter().map(|end| end.to_bits()).collect::<Vec<_>>(), [3f64.to_bits(), 0]);
    }

    #[test]
    fn batches_add_up() {
        let mut before = vec![0; HistogramDesc::BINS];
        before[0x3f80] = 5;
        let (counts, range) = seen(&[1.0, -3.0], &before, [0.5, 7.0]);
        assert_eq!((counts[0x3f80], range), (6.0, vec![1.0, 7.0]));
    }

    #[test]
    fn errors_name_what_is_wrong() {
        let wrong = HistogramDesc { x: Format::E4m3, ..Default::default() };
        assert_eq!(
            wrong.validate().unwrap_err().to_string(),
            "histogram: `x` must be f32, f16 or bf16, got e4m3"
        );
    }
}
