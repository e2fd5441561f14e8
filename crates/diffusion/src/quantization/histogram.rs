use super::search;
use super::{QuantizationError, ScaleChoice, Scheme};
use langevin::HistogramDesc;

/// What a calibrator has seen of a tensor, batch after batch: how many of its numbers have the same upper half of their f32,
/// and the range of all of them.
///
/// Sixteen bits are sign, exponent and seven digits: a bin's numbers differ by less than 2^-7 of their size, and those of BF16
/// are told apart altogether. Counts of batches add up in any order to the same sums.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    counts: Vec<u64>,
    low: f32,
    high: f32,
    /// Whether a bin holds one number only.
    exact: bool,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; HistogramDesc::BINS], low: 0.0, high: 0.0, exact: true }
    }
}

impl Histogram {
    /// Sees some numbers. NaN and infinities count as nothing, subnormals as zeros.
    pub fn observe(&mut self, values: &[f32]) {
        for &value in values {
            self.counts[HistogramDesc::bin(value)] += 1;
            if value.is_normal() {
                self.low = self.low.min(value);
                self.high = self.high.max(value);
                self.exact &= value.to_bits() & 0xffff == 0;
            }
        }
    }

    /// Sees all that another has seen.
    pub fn merge(&mut self, other: &Self) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, more)| *count += more);
        self.low = self.low.min(other.low);
        self.high = self.high.max(other.high);
        self.exact &= other.exact;
    }

    /// Those counts, by the upper halves of f32, and the range that was seen beside them.
    pub(crate) fn from_parts(counts: &[u32], (low, high): (f32, f32), exact: bool) -> Self {
        let counts = counts.iter().map(|&count| u64::from(count)).collect();
        Self { counts, low, high, exact }
    }

    /// The same of some bins only.
    pub(crate) fn from_bins(
        bins: impl Iterator<Item = (u16, u64)>,
        (low, high): (f32, f32),
        exact: bool,
    ) -> Self {
        let mut histogram = Self { low, high, exact, ..Self::default() };
        bins.for_each(|(bin, count)| histogram.counts[usize::from(bin)] += count);
        histogram
    }

    /// The counts, by the upper halves of f32.
    pub(crate) fn counts(&self) -> &[u64] {
        &self.counts
    }

    /// The bins that are not empty.
    pub(crate) fn occupied(&self) -> Vec<u16> {
        (0..=u16::MAX).filter(|&bin| self.counts[usize::from(bin)] > 0).collect()
    }

    /// Whether a bin holds one number only.
    pub(crate) fn is_exact(&self) -> bool {
        self.exact
    }

    /// How many finite numbers were seen.
    pub fn elements(&self) -> u64 {
        self.bins().iter().map(|(_, count)| count).sum()
    }

    /// The least and the largest finite number, 0 among them.
    pub fn range(&self) -> (f32, f32) {
        (self.low, self.high)
    }

    /// The scale and the zero point (0 where there is none) that a scheme of one scale for the tensor takes by that choice.
    ///
    /// # Errors
    /// [`QuantizationError::Percentile`]; [`QuantizationError::Desc`] for a scheme that makes no codes.
    pub fn scale(&self, scheme: &Scheme, choice: ScaleChoice) -> Result<(f32, i32), QuantizationError> {
        scheme.validate()?;
        choice.validate()?;
        Ok(search::affine(&self.bins(), self.range(), scheme, choice))
    }

    /// A number for each bin that is not empty, no further from 0 than the range: the bin's only one, or that in its middle.
    fn bins(&self) -> Vec<(f32, u64)> {
        let middle = if self.exact { 0 } else { 0x8000 };
        let bin = |(upper, &count): (usize, &u64)| {
            let value = f32::from_bits((upper as u32) << 16 | middle);
            let value = if value.is_normal() { value.clamp(self.low, self.high) } else { 0.0 * value };
            (count > 0 && value.is_finite()).then_some((value, count))
        };
        self.counts.iter().enumerate().filter_map(bin).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::reference::Tensor;
    use langevin::reference::generate::Random;
    use langevin::{Format, Granularity};

    const SCHEME: Scheme = Scheme {
        format: Format::I8,
        granularity: Granularity::PerTensor,
        asymmetric: false,
        scale_rounding: None,
    };

    fn values(format: Format, seed: u64) -> Vec<f32> {
        let mut random = Random::new(seed);
        let values: Vec<f32> = (0..5000).map(|_| random.uniform(-1.0, 1.0).powi(9)).collect();
        Tensor::from_f32(format, &[5000], &values).unwrap().to_f32()
    }

    #[test]
    fn batches_add_up() {
        let (a, b) = (values(Format::F32, 1), values(Format::F32, 2));
        let mut whole = Histogram::default();
        whole.observe(&a);
        whole.observe(&b);
        let [mut first, mut second] = [Histogram::default(), Histogram::default()];
        first.observe(&b);
        second.observe(&a);
        first.merge(&second);
        assert_eq!(first, whole);
        assert_eq!(whole.elements(), 10_000);
        let largest = a.iter().chain(&b).copied().fold(0.0, f32::max);
        assert_eq!(whole.range().1, largest);
    }

    #[test]
    fn what_is_not_finite_is_left_out_and_subnormals_are_zeros() {
        let mut histogram = Histogram::default();
        histogram.observe(&[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1e-40, -0.0, 3.0]);
        assert_eq!((histogram.elements(), histogram.range()), (3, (0.0, 3.0)));
        assert_eq!(histogram.scale(&SCHEME, ScaleChoice::Max).unwrap(), (3.0 / 127.0, 0));
        assert_eq!(Histogram::default().scale(&SCHEME, ScaleChoice::Mse).unwrap(), (1.0, 0));
    }

    #[test]
    fn percentiles_that_are_none_are_refused() {
        for got in [f64::NAN, -1.0, 0.0, 100.1, f64::INFINITY] {
            let error = Histogram::default().scale(&SCHEME, ScaleChoice::Percentile(got)).unwrap_err();
            assert_eq!(error.to_string(), format!("`percentile` must be above 0 and at most 100, got {got}"));
        }
    }

    /// Numbers of BF16 are all told apart, so the choices are those of the numbers themselves; of F32 nearly.
    #[test]
    fn choices_are_those_of_the_numbers() {
        for format in [Format::BF16, Format::F32] {
            let values = values(format, 3);
            let mut histogram = Histogram::default();
            histogram.observe(&values);
            let counted: Vec<(f32, u64)> = values.iter().map(|&value| (value, 1)).collect();
            for choice in [ScaleChoice::Max, ScaleChoice::Percentile(99.0), ScaleChoice::Mse] {
                let (got, _) = histogram.scale(&SCHEME, choice).unwrap();
                let (want, _) = search::affine(&counted, histogram.range(), &SCHEME, choice);
                let error = |scale| search::squared_error(&counted, (scale, 0), &SCHEME);
                match (format, choice) {
                    (Format::BF16, _) | (_, ScaleChoice::Max) => assert_eq!(got, want, "{choice:?}"),
                    // The middle of a bin is within 2^-8 of each of its numbers; scales are rounded.
                    (_, ScaleChoice::Percentile(_)) => {
                        assert!(
                            (got / want - 1.0).abs() <= 2.0_f32.powi(-8) + 2.0 * f32::EPSILON,
                            "{got} {want}"
                        );
                    }
                    _ => {
                        let all = histogram.scale(&SCHEME, ScaleChoice::Max).unwrap().0;
                        assert!(error(want) <= error(got) && error(got) <= error(all), "{got} {want}");
                    }
                }
            }
        }
    }
}
