//! How far the steps of the heat equation can be from a Gaussian blur, worked out rather than guessed.
//!
//! On a plane without end, `n` steps are one convolution with a kernel `K`, and so is a Gaussian blur with `G`. Both
//! kernels sum to 1. For a picture whose values are at most `a` away from some constant, the two results differ by at
//! most `a * sum |K - G|` in any pixel, whatever the picture. `K` is known by its spectrum: a step multiplies the wave
//! `(p, q)` by `1 - 4 r (sin^2(p / 2) + sin^2(q / 2))`.

use std::f64::consts::PI;

/// Standard deviations beyond which a Gaussian is cut off.
const CUT: f64 = 6.0;

/// A Gaussian sampled at whole pixels, cut off and scaled to a sum of 1.
#[derive(Clone, Debug)]
pub(crate) struct Gaussian {
    /// From the centre outward.
    weights: Vec<f64>,
}

impl Gaussian {
    /// The Gaussian of a positive variance.
    pub(crate) fn of_variance(variance: f64) -> Self {
        let radius = (CUT * variance.sqrt()).ceil() as usize;
        let mut weights: Vec<f64> =
            (0..=radius).map(|offset| (-((offset * offset) as f64) / (2.0 * variance)).exp()).collect();
        let sum = 2.0 * weights.iter().sum::<f64>() - 1.0;
        weights.iter_mut().for_each(|weight| *weight /= sum);
        Self { weights }
    }

    /// The last offset with a weight.
    pub(crate) fn radius(&self) -> usize {
        self.weights.len() - 1
    }

    /// The weight at an offset.
    pub(crate) fn weight(&self, offset: usize) -> f64 {
        self.weights.get(offset).copied().unwrap_or(0.0)
    }
}

/// The steps as a convolution: `steps` times `r = time_step * diffusivity`, at most 1/4.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Steps {
    pub(crate) ratio: f64,
    pub(crate) steps: u64,
}

impl Steps {
    /// `2 D T`, the variance of the Gaussian that the steps approach.
    pub(crate) fn variance(&self) -> f64 {
        2.0 * self.ratio * self.steps as f64
    }

    /// Half the side of the torus on which [`Steps::distance_to`] works: the work is its cube.
    pub(crate) fn half_side(&self) -> usize {
        (7.0 * self.variance().sqrt()).ceil() as usize + 20
    }

    /// The kernel at offsets `0..=half` along both axes, on a torus of twice that side.
    fn kernel(&self, half: usize) -> Vec<f64> {
        let side = half + 1;
        let angle = |i: usize| PI * i as f64 / half as f64;
        let lost = |i: usize| 4.0 * self.ratio * (angle(i) / 2.0).sin().powi(2);
        // Waves come in pairs p and -p, but for the first and the last.
        let pairs = |i: usize| if i == 0 || i == half { 1.0 } else { 2.0 };
        let wave: Vec<f64> = (0..2 * half).map(|i| angle(i).cos()).collect();
        let transform: Vec<f64> = (0..side * side)
            .map(|i| pairs(i % side) * wave[(i / side) * (i % side) % (2 * half)] / (2 * half) as f64)
            .collect();
        let spectrum: Vec<f64> =
            (0..side * side).map(|i| power(1.0 - lost(i / side) - lost(i % side), self.steps)).collect();
        // The spectrum is symmetric, so the same product transforms its rows and its columns.
        transposed_product(&transform, &transposed_product(&transform, &spectrum, side), side)
    }

    /// An upper bound of `sum |K - G|` over the plane.
    pub(crate) fn distance_to(&self, gaussian: &Gaussian) -> f64 {
        let half = self.half_side().max(gaussian.radius() + 1);
        let side = half + 1;
        let kernel = self.kernel(half);
        let copies = |i: usize| if i == 0 || i == half { 1.0 } else { 2.0 };
        let difference = |(i, value): (usize, &f64)| {
            let (row, column) = (i / side, i % side);
            let expected = gaussian.weight(row) * gaussian.weight(column);
            copies(row) * copies(column) * (value - expected).abs()
        };
        let on_torus: f64 = kernel.iter().enumerate().map(difference).sum();
        // Each element is a sum of 2 `side` products, of which the central element is the largest.
        let rounding = (4 * half * half) as f64 * 2.0 * side as f64 * f64::EPSILON * kernel[0].abs();
        on_torus + rounding + 2.0 * self.mass_beyond(half)
    }

    /// A bound of what the kernel has further than `half` from its centre along an axis, which the torus folds back.
    ///
    /// `K` is the distribution of a walk whose steps have variance `2 r` along each axis and length at most 1:
    /// Bernstein's inequality.
    fn mass_beyond(&self, half: usize) -> f64 {
        if self.steps < half as u64 {
            return 0.0;
        }
        let distance = half as f64;
        4.0 * (-distance * distance / (2.0 * (self.variance() + distance / 3.0))).exp()
    }
}

/// An integer power of any size; `powi` takes only i32.
fn power(factor: f64, steps: u64) -> f64 {
    let magnitude = factor.abs().powf(steps as f64);
    if factor < 0.0 && !steps.is_multiple_of(2) { -magnitude } else { magnitude }
}

/// `(left right)^T` for square matrices by rows.
fn transposed_product(left: &[f64], right: &[f64], side: usize) -> Vec<f64> {
    let mut product = vec![0.0; side * side];
    let mut row = vec![0.0; side];
    for i in 0..side {
        row.fill(0.0);
        for (factor, line) in left[i * side..][..side].iter().zip(right.chunks_exact(side)) {
            row.iter_mut().zip(line).for_each(|(sum, value)| *sum += factor * value);
        }
        for (j, value) in row.iter().enumerate() {
            product[j * side + i] = *value;
        }
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kernel by taking the steps, on a grid that they do not leave.
    fn by_steps(ratio: f64, steps: usize) -> (usize, Vec<f64>) {
        let side = 2 * steps + 3;
        let mut cells = vec![0.0; side * side];
        cells[side * side / 2] = 1.0;
        for _ in 0..steps {
            let old = cells.clone();
            for i in side + 1..side * side - side - 1 {
                cells[i] += ratio * (old[i - 1] + old[i + 1] + old[i - side] + old[i + side] - 4.0 * old[i]);
            }
        }
        (side, cells)
    }

    #[test]
    fn the_spectrum_gives_the_kernel_of_the_steps() {
        for (ratio, steps) in [(0.25, 1), (0.225, 7), (0.1, 12)] {
            let (side, cells) = by_steps(ratio, steps);
            let half = 30;
            let kernel = Steps { ratio, steps: steps as u64 }.kernel(half);
            for row in 0..=steps {
                for column in 0..=steps {
                    let expected = cells[(side / 2 + row) * side + side / 2 + column];
                    let got = kernel[row * (half + 1) + column];
                    assert!(
                        (got - expected).abs() < 1e-15,
                        "{ratio} {steps} at {row}, {column}: {got}, {expected}"
                    );
                }
            }
        }
    }

    #[test]
    fn the_distance_is_that_of_the_kernels_and_falls_with_the_steps() {
        let (ratio, steps) = (0.2, 9);
        let gaussian = Gaussian::of_variance(2.0 * ratio * steps as f64);
        let (side, cells) = by_steps(ratio, steps);
        let centre = (side / 2) as i64;
        let reach = centre.max(gaussian.radius() as i64);
        let mut expected = 0.0;
        for (y, x) in (-reach..=reach).flat_map(|y| (-reach..=reach).map(move |x| (y, x))) {
            let weight = |offset: i64| gaussian.weight(offset.unsigned_abs() as usize);
            let inside = y.abs() <= centre && x.abs() <= centre;
            let step = if inside { cells[((centre + y) * side as i64 + centre + x) as usize] } else { 0.0 };
            expected += (step - weight(y) * weight(x)).abs();
        }
        let got = Steps { ratio, steps: steps as u64 }.distance_to(&gaussian);
        assert!((got - expected).abs() < 1e-10, "{got} and {expected}");
        // The kernels agree up to fourth moments of the order of one over the steps.
        let later = Steps { ratio, steps: 90 };
        let falls = got / later.distance_to(&Gaussian::of_variance(later.variance()));
        assert!((8.0..12.0).contains(&falls), "{falls}");
    }

    #[test]
    fn what_the_torus_folds_back_is_bounded() {
        let far = Steps { ratio: 0.225, steps: 1000 };
        let beyond = far.mass_beyond(far.half_side());
        assert!(beyond > 0.0 && beyond < 1e-9, "{beyond}");
        assert_eq!(Steps { ratio: 0.225, steps: 3 }.mass_beyond(4), 0.0);
    }
}
