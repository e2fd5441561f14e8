//! Many measurements as three numbers.

use serde::{Deserialize, Serialize};

/// The median and the quartiles.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Spread {
    /// Half of the samples are below.
    pub(super) median: f64,
    /// A quarter of them.
    pub(super) lower_quartile: f64,
    /// Three quarters.
    pub(super) upper_quartile: f64,
}

impl Spread {
    /// The spread of the samples; nothing without any.
    pub(super) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self {
            median: quantile(&sorted, 0.5)?,
            lower_quartile: quantile(&sorted, 0.25)?,
            upper_quartile: quantile(&sorted, 0.75)?,
        })
    }

    /// The distance of the quartiles over the median.
    pub(super) fn relative_range(&self) -> f64 {
        (self.upper_quartile - self.lower_quartile) / self.median
    }
}

/// Between two samples in proportion.
fn quantile(sorted: &[f64], fraction: f64) -> Option<f64> {
    let position = fraction * sorted.len().checked_sub(1)? as f64;
    let (below, weight) = (position.floor() as usize, position.fract());
    let above = sorted.get(below + 1).unwrap_or(&sorted[below]);
    Some(sorted[below] + weight * (above - sorted[below]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quartiles_of_few_samples() {
        let spread = Spread::of(&[4.0, 1.0, 3.0, 2.0, 5.0]).unwrap();
        assert_eq!((spread.lower_quartile, spread.median, spread.upper_quartile), (2.0, 3.0, 4.0));
        assert_eq!(Spread::of(&[1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Spread::of(&[7.0]).unwrap().relative_range(), 0.0);
        assert_eq!(Spread::of(&[]), None);
    }
}
