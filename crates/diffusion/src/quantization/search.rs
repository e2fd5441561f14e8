//! From numbers to the scale that clips some of them.

use super::{ScaleChoice, Scheme};
use langevin::formats::{i8, quantize, scale};
use langevin::{Format, Overflow};

/// Numbers and how often each occurs.
pub(crate) type Counted = [(f32, u64)];

/// The parts of the range that are tried as the range of the codes.
const STEPS: u32 = 100;
/// The smallest part tried, in the same unit: codes that clip more are never better.
const LEAST_STEP: u32 = 20;

/// The scale and the zero point that a choice makes of finite numbers; `range` is that of all of them, 0 included.
pub(crate) fn affine(
    values: &Counted,
    range: (f32, f32),
    scheme: &Scheme,
    choice: ScaleChoice,
) -> (f32, i32) {
    match choice {
        ScaleChoice::Max => affine_of(range, scheme),
        ScaleChoice::Percentile(percent) => affine_of(percentile(values, range, scheme, percent), scheme),
        ScaleChoice::Mse => least_error(values, range, scheme),
    }
}

/// The scale and the zero point of a range that contains 0.
fn affine_of((low, high): (f32, f32), scheme: &Scheme) -> (f32, i32) {
    match scheme.asymmetric {
        true => scale::asymmetric(low, high),
        false => (scale::symmetric(high.max(-low), scheme.format), 0),
    }
}

/// The smallest range around 0 that holds so many percent of the numbers: of their magnitudes, or with zero points leaving
/// out as many below as above.
fn percentile(values: &Counted, (low, high): (f32, f32), scheme: &Scheme, percent: f64) -> (f32, f32) {
    let total: u64 = values.iter().map(|(_, count)| count).sum();
    if scheme.asymmetric {
        let outside = ((100.0 - percent) * total as f64 / 200.0).floor() as u64;
        let sorted = sorted_by(values, |value| value);
        let least = at(&sorted, outside);
        let largest = at(&sorted, total.saturating_sub(outside + 1));
        return (least.clamp(low, 0.0), largest.clamp(0.0, high));
    }
    let sorted = sorted_by(values, f32::abs);
    let inside = (percent * total as f64 / 100.0).ceil() as u64;
    let amax = at(&sorted, inside.saturating_sub(1)).min(high.max(-low));
    (-amax, amax)
}

fn sorted_by(values: &Counted, key: impl Fn(f32) -> f32) -> Vec<(f32, u64)> {
    let mut sorted: Vec<_> = values.iter().map(|&(value, count)| (key(value), count)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    sorted
}

/// The number at a position among sorted ones, counted from 0; the last one past the end, 0 where there is none.
fn at(sorted: &Counted, position: u64) -> f32 {
    let mut before = 0;
    for &(value, count) in sorted {
        before += count;
        if before > position {
            return value;
        }
    }
    sorted.last().map_or(0.0, |&(value, _)| value)
}

/// Of the ranges from a fifth to all, in steps of a hundredth, the one with the smallest squared error; of equal ones the
/// largest.
fn least_error(values: &Counted, (low, high): (f32, f32), scheme: &Scheme) -> (f32, i32) {
    let mut best = (f64::INFINITY, affine_of((low, high), scheme));
    for step in (LEAST_STEP..=STEPS).rev() {
        let part = step as f32 / STEPS as f32;
        let candidate = affine_of((low * part, high * part), scheme);
        let error = squared_error(values, candidate, scheme);
        if error < best.0 {
            best = (error, candidate);
        }
    }
    best.1
}

/// The squared error of codes under a scale and a zero point.
pub(crate) fn squared_error(values: &Counted, (scale, zero): (f32, i32), scheme: &Scheme) -> f64 {
    let inverse = scale::inverse(scale);
    let error = |value: f32| {
        let code = match scheme.asymmetric {
            true => f64::from(i8::quantize(value, inverse, zero, i8::Range::Full)) - f64::from(zero),
            false => decoded(value, inverse, scheme.format),
        };
        code * f64::from(scale) - f64::from(value)
    };
    values.iter().map(|&(value, count)| count as f64 * error(value).powi(2)).sum()
}

fn decoded(value: f32, inverse: f32, format: Format) -> f64 {
    f64::from(format.decode(quantize(value, inverse, format, Overflow::Saturate)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::Granularity;
    use langevin::reference::generate::Random;

    const PLAIN: Scheme = Scheme {
        format: Format::I8,
        granularity: Granularity::PerTensor,
        asymmetric: false,
        scale_rounding: None,
    };

    fn once(values: &[f32]) -> Vec<(f32, u64)> {
        values.iter().map(|&value| (value, 1)).collect()
    }

    #[test]
    fn percentiles_by_hand() {
        let values: Vec<f32> = (1..=100).map(|i| if i % 2 == 0 { i as f32 } else { -i as f32 }).collect();
        let values = once(&values);
        let of = |percent, scheme: &Scheme| percentile(&values, (-99.0, 100.0), scheme, percent);
        assert_eq!(of(100.0, &PLAIN), (-100.0, 100.0));
        assert_eq!(of(90.0, &PLAIN), (-90.0, 90.0));
        assert_eq!(of(0.5, &PLAIN), (-1.0, 1.0));
        let asymmetric = Scheme { asymmetric: true, ..PLAIN };
        assert_eq!(of(100.0, &asymmetric), (-99.0, 100.0));
        // Five of a hundred are left out on either side.
        assert_eq!(of(90.0, &asymmetric), (-89.0, 90.0));
        let many = [(1.0, 98), (50.0, 1), (100.0, 1)];
        assert_eq!(percentile(&many, (0.0, 100.0), &PLAIN, 98.0), (-1.0, 1.0));
        assert_eq!(percentile(&many, (0.0, 100.0), &PLAIN, 98.1), (-50.0, 50.0));
        assert_eq!(percentile(&[], (0.0, 0.0), &PLAIN, 99.0), (0.0, 0.0));
        assert_eq!(affine(&many, (0.0, 100.0), &PLAIN, ScaleChoice::Percentile(98.0)), (1.0 / 127.0, 0));
    }

    /// One outlier among ten thousand: clipping it is better, and no other scale of the grid is better still.
    #[test]
    fn the_least_error_clips_an_outlier() {
        let mut random = Random::new(1);
        let mut values: Vec<f32> = (0..10_000).map(|_| random.uniform(-1.0, 1.0)).collect();
        values.push(4.0);
        let values = once(&values);
        for scheme in [PLAIN, Scheme { asymmetric: true, ..PLAIN }] {
            let range = (-1.0, 4.0);
            let found = least_error(&values, range, &scheme);
            let error = squared_error(&values, found, &scheme);
            let of_all = affine_of(range, &scheme);
            assert!(found.0 < of_all.0 && error < squared_error(&values, of_all, &scheme));
            for step in LEAST_STEP..=STEPS {
                let part = step as f32 / STEPS as f32;
                let other = affine_of((range.0 * part, range.1 * part), &scheme);
                assert!(error <= squared_error(&values, other, &scheme));
            }
        }
        // Without outliers nothing is gained by clipping what is uniform.
        let uniform = &values[..10_000];
        assert_eq!(least_error(uniform, (-1.0, 1.0), &PLAIN), affine_of((-1.0, 1.0), &PLAIN));
    }

    #[test]
    fn zeros_alone_have_the_scale_of_zeros() {
        for choice in [ScaleChoice::Max, ScaleChoice::Mse, ScaleChoice::Percentile(50.0)] {
            assert_eq!(affine(&[(0.0, 9)], (0.0, 0.0), &PLAIN, choice), (1.0, 0));
            assert_eq!(affine(&[], (0.0, 0.0), &PLAIN, choice), (1.0, 0));
        }
    }
}
