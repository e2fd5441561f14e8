//! Mean and variance of a row with the error that f32 may make of them.

use crate::bound::{Rounded, TINY, U_ACC};

/// What a row is normalised by, and how far f32 may be from it.
pub(super) struct Statistics {
    /// What the root divides.
    pub(super) centred: Vec<Rounded>,
    /// The variance or the mean square.
    pub(super) square: Rounded,
    /// A bound of every sum on the way.
    pub(super) largest_sum: f64,
}

impl Statistics {
    pub(super) fn rms(row: &[f64]) -> Self {
        let squares: f64 = row.iter().map(|x| x * x).sum();
        let width = row.len();
        let square = Rounded::dot(squares, squares, width).div(Rounded::exact(width as f64));
        Self { centred: row.iter().map(|&x| Rounded::exact(x)).collect(), square, largest_sum: squares }
    }

    /// The corrected two-pass algorithm. With `d` the error of the first mean (at most `offset`), a computed
    /// `x - mean` is `c - d + r`: `c` the exact one, `c` summing to zero, and `r` its own rounding (at most `own`). Its
    /// mean is `-d` up to `correction.error`, which is taken off; its mean square is `variance + d^2` up to rounding.
    /// All errors grow with `|d|`, so `d = offset` is the worst.
    pub(super) fn layer(row: &[f64]) -> Self {
        let (width, count) = (row.len(), Rounded::exact(row.len() as f64));
        let (sum, magnitude) = (row.iter().sum(), row.iter().map(|x| x.abs()).sum());
        let mean = Rounded::dot(sum, magnitude, width).div(count);
        let offset = mean.error;
        let own = |c: f64| U_ACC * (c.abs() + offset) + TINY;
        let (mut squares, mut own_sum, mut magnitude_sum) = (0.0, 0.0, 0.0);
        let (mut square_error, mut square_magnitude) = (0.0, 0.0);
        for c in row.iter().map(|x| x - mean.value) {
            let largest = c.abs() + offset + own(c);
            squares += c * c;
            own_sum += own(c);
            magnitude_sum += largest;
            square_error += 2.0 * (c.abs() + offset) * own(c) + own(c) * own(c);
            square_magnitude += largest * largest;
        }
        let rounding = |magnitude: f64| Rounded::dot(0.0, magnitude, width).error;
        let left_sum = Rounded { value: count.value * offset, error: own_sum + rounding(magnitude_sum) };
        let correction = left_sum.div(count);
        let square_sum = Rounded {
            value: squares + count.value * offset * offset,
            error: square_error + rounding(square_magnitude),
        };
        let variance = square_sum.div(count).sub(correction.mul(correction));
        let square = Rounded { value: squares / count.value, error: variance.error };
        let centre = |x: &f64| {
            let value = x - mean.value;
            let error = own(value) + correction.error;
            // A driver may also subtract the sum of the mean and its correction.
            let sum_error = U_ACC * (mean.value.abs() + 2.0 * offset + correction.error) + TINY;
            Rounded { value, error: error + sum_error + U_ACC * (value.abs() + error) + TINY }
        };
        let largest_sum = f64::max(magnitude, square_magnitude);
        Self { centred: row.iter().map(centre).collect(), square, largest_sum }
    }
}

/// `1 / sqrt(x)` of an f32 that is at least `least`: two units in the last place (WGSL section 15.7.4).
pub(super) fn inverse_sqrt(x: Rounded, least: f64) -> Rounded {
    let value = 1.0 / x.value.sqrt();
    // The function is convex and falls: it errs most where its argument is smallest.
    let largest = 1.0 / (x.value - x.error).max(least).sqrt();
    Rounded { value, error: largest - value + 2.0 * U_ACC * largest + TINY }
}
