//! Cell-centred grids with their spacing and edges: what the Laplacian and the heat step share.

use crate::bound::{Rounded, TINY};
use crate::per_axis::{along, check_axes, check_list};
use crate::{DescError, Edge, Format, Op};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;

/// One axis of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridAxis {
    /// Cells.
    pub extent: usize,
    /// The distance between two cell centres.
    pub spacing: f64,
    /// What lies before the first and after the last cell.
    pub edges: [Edge; 2],
}

impl GridAxis {
    /// `neighbour - centre` at a face, as a multiple of the centre and a constant; zeros for [`Edge::Periodic`].
    pub fn face(&self, side: usize) -> [f64; 2] {
        match self.edges[side] {
            Edge::Periodic => [0.0, 0.0],
            Edge::Fixed(value) => [-1.0, value],
            Edge::Dirichlet(value) => [-2.0, 2.0 * value],
            Edge::Neumann(slope) => [0.0, self.spacing * slope],
        }
    }

    /// The weight of a difference in the Laplacian: `1 / spacing^2`.
    pub fn weight(&self) -> f64 {
        1.0 / (self.spacing * self.spacing)
    }

    fn periodic(&self) -> bool {
        self.edges[0] == Edge::Periodic
    }

    /// The cell next to `position` on a side; `None` outside of the grid.
    fn neighbour(&self, position: usize, side: usize) -> Option<usize> {
        match side {
            0 if position > 0 => Some(position - 1),
            1 if position + 1 < self.extent => Some(position + 1),
            0 => self.periodic().then_some(self.extent - 1),
            _ => self.periodic().then_some(0),
        }
    }

    /// The largest diagonal element and the largest absolute row sum of the negated matrix of
    /// `sum of (neighbour - centre)` along this axis.
    pub(crate) fn extremes(&self) -> [f64; 2] {
        let mut extremes = [0.0f64; 2];
        let Some(last) = self.extent.checked_sub(1) else { return extremes };
        // The rows at both ends and one between are all the kinds there are.
        for position in [0, 1.min(last), last] {
            let (mut diagonal, mut others) = (0.0, 0.0);
            for side in 0..2 {
                match self.neighbour(position, side) {
                    Some(cell) if cell == position => {}
                    Some(_) => {
                        diagonal += 1.0;
                        others += 1.0;
                    }
                    None => diagonal -= self.face(side)[0],
                }
            }
            extremes = [extremes[0].max(diagonal), extremes[1].max(diagonal + others)];
        }
        extremes
    }

    fn check<O: Op>(&self) -> Result<(), DescError> {
        let f32_range = f64::from(f32::MIN_POSITIVE)..=f64::from(f32::MAX);
        if !(self.spacing > 0.0 && f32_range.contains(&self.weight())) {
            let expected = "positive, and its inverse square an f32";
            return Err(O::field_error("spacing", expected, self.spacing));
        }
        let [before, after] = self.edges;
        if (before == Edge::Periodic) != (after == Edge::Periodic) {
            let expected = "periodic at both ends of an axis or at none";
            return Err(O::field_error("boundary", expected, format!("{before:?} and {after:?}")));
        }
        for (side, edge) in self.edges.iter().enumerate() {
            if !(self.face(side)[1] as f32).is_finite() {
                let expected = "a value that is finite as f32, also times 2 or the spacing";
                return Err(O::field_error("boundary", expected, format!("{edge:?}")));
            }
        }
        Ok(())
    }
}

/// A batch of grids: the fields that every stencil's descriptor has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid<'a> {
    pub(crate) batch: usize,
    pub(crate) spatial: &'a [usize],
    pub(crate) spacing: &'a [f64],
    pub(crate) boundary: &'a [[Edge; 2]],
}

/// The sums over one cell's neighbours that make up value and bound.
#[derive(Clone, Copy, Debug, Default)]
struct CellSums {
    /// `sum of weight (neighbour - centre)`.
    change: f64,
    /// The same of `weight (|neighbour| + |centre|)`.
    magnitude: f64,
    /// The same without weights.
    unweighted: f64,
}

impl Grid<'_> {
    pub(crate) fn axes(&self) -> usize {
        self.spatial.len()
    }

    pub(crate) fn axis(&self, axis: usize) -> GridAxis {
        GridAxis {
            extent: self.spatial.get(axis).copied().unwrap_or(1),
            spacing: along(self.spacing, axis, 1.0),
            edges: along(self.boundary, axis, [Edge::Periodic; 2]),
        }
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        [&[self.batch], self.spatial].concat()
    }

    pub(crate) fn cells(&self) -> f64 {
        self.shape().iter().map(|&extent| extent as f64).product()
    }

    pub(crate) fn validate<O: Op>(&self, u: Format, out: Format) -> Result<(), DescError> {
        check_axes::<O>(self.axes())?;
        check_list::<O>("spacing", self.spacing.len(), self.axes())?;
        check_list::<O>("boundary", self.boundary.len(), self.axes())?;
        for (field, format) in [("u", u), ("out", out)] {
            if !matches!(format, Format::F32 | Format::F16 | Format::BF16) {
                return Err(O::field_error(field, "f32, f16 or bf16", format));
            }
        }
        (0..self.axes()).try_for_each(|axis| self.axis(axis).check::<O>())
    }

    /// `keep u + sum over axes of weights[axis] (neighbour - centre)`, each with its bound, in the order of the cells.
    ///
    /// Written out, an axis adds four products. A weight is rounded once and so is what an edge adds; that and any
    /// order of summation is `gamma(4 axes + 3)`, one more for what is kept. A flushed subnormal is multiplied by its
    /// weight, and a weight may itself be flushed.
    pub(crate) fn rounded(&self, u: &[f64], keep: f64, weights: &[f64]) -> Vec<Rounded> {
        let finish = |(sums, &centre): (CellSums, &f64)| {
            let value = keep * centre + sums.change;
            let size = sums.magnitude + keep * centre.abs();
            Rounded { value, error: self.error(size, sums.unweighted, weights) }
        };
        self.sums(u, weights).into_par_iter().zip(u).map(finish).collect()
    }

    fn error(&self, size: f64, unweighted: f64, weights: &[f64]) -> f64 {
        let terms = 4 * self.axes() + 3;
        let flushed = 2.0 * terms as f64 * TINY * 2.0 * weights.iter().sum::<f64>();
        Rounded::dot(0.0, size, terms).error + flushed + TINY * unweighted
    }

    /// The largest magnitude and the largest error that [`Grid::rounded`] can state for a field without values beyond
    /// `largest`.
    pub(crate) fn worst(&self, largest: f64, keep: f64, weights: &[f64]) -> Rounded {
        let (mut size, mut unweighted) = (keep * largest, 0.0);
        for (axis, weight) in weights.iter().enumerate().map(|(i, weight)| (self.axis(i), weight)) {
            for side in 0..2 {
                let [slope, offset] = axis.face(side);
                let difference = (2.0 * largest).max(slope.abs() * largest + offset.abs());
                size += weight * difference;
                unweighted += difference;
            }
        }
        Rounded { value: size, error: self.error(size, unweighted, weights) }
    }

    fn sums(&self, u: &[f64], weights: &[f64]) -> Vec<CellSums> {
        let axes: Vec<GridAxis> = (0..self.axes()).map(|axis| self.axis(axis)).collect();
        let strides: Vec<usize> =
            (0..self.axes()).map(|axis| self.spatial[axis + 1..].iter().product()).collect();
        let cell = |(i, centre): (usize, &f64)| {
            let mut sums = CellSums::default();
            for ((axis, &stride), &weight) in axes.iter().zip(&strides).zip(weights) {
                let position = i / stride % axis.extent;
                for side in 0..2 {
                    let (difference, size) = match axis.neighbour(position, side) {
                        Some(cell) => {
                            let neighbour = u[i - position * stride + cell * stride];
                            (neighbour - centre, neighbour.abs() + centre.abs())
                        }
                        None => {
                            let [slope, offset] = axis.face(side);
                            (slope * centre + offset, (slope * centre).abs() + offset.abs())
                        }
                    };
                    sums.change += weight * difference;
                    sums.magnitude += weight * size;
                    sums.unweighted += size;
                }
            }
            sums
        };
        u.par_iter().enumerate().map(cell).collect()
    }

    /// One value per cell, by construction.
    pub(crate) fn shaped(&self, values: Vec<f64>) -> ArrayD<f64> {
        let shape = IxDyn(&self.shape());
        ArrayD::from_shape_vec(shape.clone(), values).unwrap_or_else(|_| ArrayD::zeros(shape))
    }

    /// Checks the shape of a field.
    pub(crate) fn check_shape<O: Op>(&self, got: &[usize]) -> Result<(), DescError> {
        if got == self.shape() {
            return Ok(());
        }
        let expected = format!("{:?}", self.shape());
        Err(DescError::Shape { op: O::NAME, tensor: "u".into(), expected, got: got.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(extent: usize, edge: Edge) -> GridAxis {
        GridAxis { extent, spacing: 1.0, edges: [edge; 2] }
    }

    /// The negated matrix along one axis, column by column, from the differences themselves.
    fn matrix(axis: GridAxis) -> Vec<Vec<f64>> {
        let grid = Grid { batch: 1, spatial: &[axis.extent], spacing: &[1.0], boundary: &[axis.edges] };
        let column = |j: usize| {
            let unit: Vec<f64> = (0..axis.extent).map(|i| f64::from(u8::from(i == j))).collect();
            grid.sums(&unit, &[1.0]).iter().map(|sums| -sums.change).collect()
        };
        (0..axis.extent).map(column).collect()
    }

    #[test]
    fn extremes_are_those_of_the_matrix() {
        for extent in 0..6 {
            for edge in [Edge::Periodic, Edge::Fixed(0.0), Edge::Dirichlet(0.0), Edge::Neumann(0.0)] {
                let columns = matrix(axis(extent, edge));
                let diagonal = (0..extent).map(|i| columns[i][i]).fold(0.0, f64::max);
                let row_sum = |i: usize| columns.iter().map(|column| column[i].abs()).sum::<f64>();
                let row = (0..extent).map(row_sum).fold(0.0, f64::max);
                // Two neighbours that are one cell cancel the same diagonal element twice.
                assert_eq!(axis(extent, edge).extremes(), [diagonal, row], "{extent} cells, {edge:?}");
            }
        }
    }
}
