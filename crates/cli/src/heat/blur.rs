//! A Gaussian blur in f64: what the heat equation must come close to.

use super::spectrum::Gaussian;
use langevin::Edge;

/// A picture without end: what lies beyond a border follows from the border.
///
/// Beside an insulated border the picture goes on as its mirror image, beside one that is held at 0 as its negative
/// mirror image: with them the equation on the whole plane keeps the borders as they should be, so nothing has to be
/// left out at the edges.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    /// Row by row.
    pub(crate) cells: &'a [f64],
    /// Rows and columns.
    pub(crate) spatial: [usize; 2],
    /// What all borders are.
    pub(crate) edge: Edge,
}

impl Extension<'_> {
    /// The cell of an axis that stands at a position of the plane, and its sign.
    fn source(&self, position: i64, extent: usize) -> (usize, f64) {
        let extent = extent as i64;
        if self.edge == Edge::Periodic {
            return (position.rem_euclid(extent) as usize, 1.0);
        }
        let folded = position.rem_euclid(2 * extent);
        if folded < extent {
            return (folded as usize, 1.0);
        }
        let sign = if matches!(self.edge, Edge::Dirichlet(_)) { -1.0 } else { 1.0 };
        ((2 * extent - 1 - folded) as usize, sign)
    }

    /// The blurred values at every `stride`-th row and column, with their place in the picture.
    pub(crate) fn blurred(&self, gaussian: &Gaussian, stride: usize) -> Vec<(usize, f64)> {
        let [height, width] = self.spatial;
        let radius = gaussian.radius() as i64;
        let taps = |centre: usize, extent: usize| {
            (-radius..=radius).map(move |offset| {
                let (cell, sign) = self.source(centre as i64 + offset, extent);
                (cell, sign * gaussian.weight(offset.unsigned_abs() as usize))
            })
        };
        let mut values = Vec::new();
        for column in (0..width).step_by(stride) {
            let across: Vec<_> = taps(column, width).collect();
            let line: Vec<f64> = (0..height)
                .map(|row| across.iter().map(|(cell, weight)| weight * self.cells[row * width + cell]).sum())
                .collect();
            for row in (0..height).step_by(stride) {
                let value = taps(row, height).map(|(cell, weight)| weight * line[cell]).sum();
                values.push((row * width + column, value));
            }
        }
        values
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extension(edge: Edge) -> Vec<f64> {
        let plane = Extension { cells: &[1.0, 2.0, 3.0], spatial: [1, 3], edge };
        (-4..7)
            .map(|position| plane.source(position, 3))
            .map(|(cell, sign)| sign * plane.cells[cell])
            .collect()
    }

    #[test]
    fn pictures_go_on_as_their_borders_say() {
        assert_eq!(extension(Edge::Periodic), [3., 1., 2., 3., 1., 2., 3., 1., 2., 3., 1.]);
        assert_eq!(extension(Edge::Neumann(0.0)), [3., 3., 2., 1., 1., 2., 3., 3., 2., 1., 1.]);
        assert_eq!(extension(Edge::Dirichlet(0.0)), [3., -3., -2., -1., 1., 2., 3., -3., -2., -1., 1.]);
    }

    #[test]
    fn a_blur_keeps_constants_and_spreads_a_point_by_its_variance() {
        let gaussian = Gaussian::of_variance(4.0);
        let constant = Extension { cells: &[0.5; 12], spatial: [3, 4], edge: Edge::Neumann(0.0) };
        for (_, value) in constant.blurred(&gaussian, 1) {
            approx_equal(value, 0.5);
        }
        let mut cells = vec![0.0; 41 * 41];
        cells[20 * 41 + 20] = 1.0;
        let point = Extension { cells: &cells, spatial: [41, 41], edge: Edge::Periodic };
        let blurred = point.blurred(&gaussian, 1);
        assert_eq!(blurred.len(), 41 * 41);
        approx_equal(blurred.iter().map(|(_, value)| value).sum(), 1.0);
        let distance = |place: usize| (place % 41).abs_diff(20).pow(2) as f64;
        let variance: f64 = blurred.iter().map(|&(place, value)| distance(place) * value).sum();
        // What is cut off beyond the radius, 6 standard deviations, is below 1e-8 of the whole.
        assert!((variance - 4.0).abs() < 1e-6, "{variance}");
        assert_eq!(point.blurred(&gaussian, 8).len(), 36);
    }

    fn approx_equal(got: f64, expected: f64) {
        assert!((got - expected).abs() < 1e-13, "{got} and {expected}");
    }
}
