//! From numbers to the scale that clips some of them.

use super::{ScaleChoice, Scheme};
use langevin::formats::{i8, quantize, scale};
use langevin::{Format, Overflow};

/// Numbers and how often each occurs.
pub(crate) type Counted = [(f32, u64)];

/// Parts of a range from all of it to a 1024th, ten times halved, that are tried as the range of the codes.
const HALVINGS: usize = 10;
/// Steps from a part to its half, all of the same size: a 128th of the part.
const STEPS: usize = 64;
/// Every so many of them are tried first, then all between the neighbours of the best.
const COARSE: usize = 16;

/// A part of a range, the whole at step 0: exact, and so the same on every machine.
fn part(step: usize) -> f32 {
    (2 * STEPS - step % STEPS) as f32 / (2 * STEPS) as f32 / (1_u32 << (step / STEPS)) as f32
}

/// The step of the smallest error: of the coarse ones, then of those between its neighbours; of equal ones the largest part.
fn best_step(error: impl Fn(usize) -> f64) -> (f64, usize) {
    let last = HALVINGS * STEPS;
    let least = |best: (f64, usize), step: usize| {
        let error = error(step);
        if error < best.0 || error == best.0 && step < best.1 { (error, step) } else { best }
    };
    let coarse = (0..=last).step_by(COARSE).fold((f64::INFINITY, 0), least);
    let (first, end) = (coarse.1.saturating_sub(COARSE - 1), (coarse.1 + COARSE).min(last + 1));
    (first..end).filter(|&step| step != coarse.1).fold(coarse, least)
}

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

/// Of the parts of the range that are searched, the one with the smallest squared error. With zero points the ends are first
/// moved together, then the upper one by itself and the lower one by itself, twice: where the lower one was cut for the sake
/// of the upper one, the best upper one is another after it has moved back.
fn least_error(values: &Counted, (low, high): (f32, f32), scheme: &Scheme) -> (f32, i32) {
    let of = |below: usize, above: usize| affine_of((low * part(below), high * part(above)), scheme);
    let error = |below, above| squared_error(values, of(below, above), scheme);
    let (mut least, both) = best_step(|step| error(step, step));
    let (mut below, mut above) = (both, both);
    if scheme.asymmetric && low < 0.0 && high > 0.0 {
        for _ in 0..2 {
            let upper = best_step(|step| error(below, step));
            if upper.0 < least {
                (least, above) = upper;
            }
            let lower = best_step(|step| error(step, above));
            if lower.0 < least {
                (least, below) = lower;
            }
        }
    }
    of(below, above)
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

    #[test]
    fn parts_shrink_step_by_step() {
        assert_eq!([0, 16, 32, 64, 640].map(part), [1.0, 0.875, 0.75, 0.5, 1.0 / 1024.0]);
        assert!((0..640).all(|step| part(step + 1) < part(step)));
    }

    /// One outlier among ten thousand: clipping it is better, and no scale of the coarse grid is better still.
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
            for step in (0..=HALVINGS * STEPS).step_by(COARSE) {
                let other = affine_of((range.0 * part(step), range.1 * part(step)), &scheme);
                assert!(error <= squared_error(&values, other, &scheme));
            }
        }
        // Without outliers next to nothing is gained by clipping what is uniform.
        let uniform = &values[..10_000];
        let (scale, _) = least_error(uniform, (-1.0, 1.0), &PLAIN);
        assert!((0.98 / 127.0..=1.0 / 127.0).contains(&scale), "{scale}");
    }

    /// An outlier a hundred times as large as all others, which no part near the whole range clips enough.
    #[test]
    fn the_least_error_beats_percentiles_with_a_heavy_outlier() {
        let mut random = Random::new(2);
        // Nearly normal, of variance 1: sums of twelve.
        let mut normal = || (0..12).map(|_| random.uniform(-0.5, 0.5)).sum::<f32>();
        let mut values: Vec<f32> = (0..100_000).map(|_| normal()).collect();
        let low = values.iter().copied().fold(0.0, f32::min);
        values.push(400.0);
        let last = values.len() - 1;
        // Four million numbers, one of them the outlier.
        let values: Vec<_> =
            values.iter().enumerate().map(|(i, &value)| (value, if i == last { 1 } else { 40 })).collect();
        for scheme in [PLAIN, Scheme { asymmetric: true, ..PLAIN }, Scheme { format: Format::E4m3, ..PLAIN }]
        {
            let error =
                |choice| squared_error(&values, affine(&values, (low, 400.0), &scheme, choice), &scheme);
            let least = error(ScaleChoice::Mse);
            assert!(least <= error(ScaleChoice::Max), "{scheme:?}");
            for percent in [99.0, 99.9, 99.99, 99.999] {
                assert!(least <= error(ScaleChoice::Percentile(percent)), "{scheme:?} {percent}");
            }
        }
        // With zero points the upper end is clipped and the lower one is not.
        let asymmetric = Scheme { asymmetric: true, ..PLAIN };
        let (scale, zero) = least_error(&values, (low, 400.0), &asymmetric);
        let lower = (-128 - zero) as f32 * scale;
        assert!(lower < 0.7 * low && scale < 100.0 / 255.0, "{lower} {low} {scale}");
    }

    #[test]
    fn zeros_alone_have_the_scale_of_zeros() {
        for choice in [ScaleChoice::Max, ScaleChoice::Mse, ScaleChoice::Percentile(50.0)] {
            assert_eq!(affine(&[(0.0, 9)], (0.0, 0.0), &PLAIN, choice), (1.0, 0));
            assert_eq!(affine(&[], (0.0, 0.0), &PLAIN, choice), (1.0, 0));
        }
    }
}
