//! Cell-centred grids with their spacing, edges and stencil: what the Laplacian and the heat step share.

mod axis;
mod operator;
mod points;
mod super_step;

use crate::per_axis::{along, check_axes, check_list};
use crate::{DescError, Edge, Format, Op, Rounded};
pub use axis::{Ghost, GridAxis};
use ndarray::{ArrayD, IxDyn};
pub(crate) use operator::{Fields, Operator};
pub use points::{Point, Stencil};
pub(crate) use super_step::SuperStep;
pub use super_step::{MAX_STAGES, RklStage, Scheme, rkl2_stages};

/// How the shares of two cells make that of the face between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum FaceMean {
    /// `(a + b) / 2`: for shares that vary smoothly.
    #[default]
    Arithmetic,
    /// `2 a b / (a + b)`, 0 where both are: layers one after the other, and nothing flows into a cell of share 0.
    Harmonic,
}

impl FaceMean {
    /// The mean of two shares that are not negative.
    pub fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Self::Harmonic if a + b > 0.0 => 2.0 * a * b / (a + b),
            Self::Harmonic => 0.0,
            Self::Arithmetic => (a + b) / 2.0,
        }
    }
}

/// A batch of grids: the fields that every stencil's descriptor has.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grid<'a> {
    pub(crate) batch: usize,
    pub(crate) spatial: &'a [usize],
    pub(crate) spacing: &'a [f64],
    pub(crate) boundary: &'a [[Edge; 2]],
    pub(crate) stencil: Stencil,
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

    pub(crate) fn all_axes(&self) -> Vec<GridAxis> {
        (0..self.axes()).map(|axis| self.axis(axis)).collect()
    }

    /// The cells of the stencil, without the centre.
    pub(crate) fn points(&self) -> Vec<Point> {
        points::points(self.stencil, &self.all_axes())
    }

    pub(crate) fn shape(&self) -> Vec<usize> {
        [&[self.batch], self.spatial].concat()
    }

    pub(crate) fn cells(&self) -> f64 {
        self.shape().iter().map(|&extent| extent as f64).product()
    }

    pub(crate) fn validate<O: Op>(&self, formats: &[(&'static str, Format)]) -> Result<(), DescError> {
        check_axes::<O>(self.axes())?;
        check_list::<O>("spacing", self.spacing.len(), self.axes())?;
        check_list::<O>("boundary", self.boundary.len(), self.axes())?;
        for &(field, format) in formats {
            if !matches!(format, Format::F32 | Format::F16 | Format::BF16) {
                return Err(O::field_error(field, "f32, f16 or bf16", format));
            }
        }
        (0..self.axes()).try_for_each(|axis| self.axis(axis).check::<O>())
    }

    /// Checks that cells have shares of their own only where a flux has two neighbours.
    pub(crate) fn check_medium<O: Op>(&self, medium: Option<Format>) -> Result<(), DescError> {
        if medium.is_some() && self.stencil != Stencil::Second {
            let expected = "second where cells have a medium: its fluxes are those between two cells";
            return Err(O::field_error("stencil", expected, format!("{:?}", self.stencil)));
        }
        Ok(())
    }

    /// An upper bound of the largest eigenvalue of the negated operator, from the largest row sums of the matrices along
    /// the axes (Gershgorin). Those are symmetric and the operator is a polynomial of their Kronecker products.
    pub(crate) fn lambda_max(&self) -> f64 {
        let axes = self.all_axes();
        let along = self.stencil.along_axis();
        let most: Vec<f64> = axes.iter().map(|axis| axis.largest_row_sum(along)).collect();
        match self.stencil {
            Stencil::Isotropic => points::Mixed::new(&axes).largest_symbol(&most),
            _ => axes.iter().zip(&most).map(|(axis, most)| axis.weight() * most).sum(),
        }
    }

    /// One value per cell, by construction.
    pub(crate) fn shaped(&self, values: Vec<f64>) -> ArrayD<f64> {
        let shape = IxDyn(&self.shape());
        ArrayD::from_shape_vec(shape.clone(), values).unwrap_or_else(|_| ArrayD::zeros(shape))
    }

    /// Values and bounds as arrays.
    pub(crate) fn split(&self, cells: &[Rounded]) -> [ArrayD<f64>; 2] {
        let (value, bound) = cells.iter().map(|cell| (cell.value, cell.error)).unzip();
        [self.shaped(value), self.shaped(bound)]
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

    /// The negated matrix of an operator, column by column, from what it makes of unit fields.
    fn matrix(grid: Grid<'_>) -> Vec<Vec<f64>> {
        let cells = grid.spatial.iter().product();
        let operator = Operator::new(grid, 1.0, 0.0, 0.0, FaceMean::Arithmetic);
        let column = |j: usize| {
            let unit: Vec<Rounded> =
                (0..cells).map(|i| Rounded::exact(f64::from(u8::from(i == j)))).collect();
            operator.apply(Fields { u: &unit, ..Default::default() }).iter().map(|cell| -cell.value).collect()
        };
        (0..cells).map(column).collect()
    }

    /// The largest eigenvalue of a symmetric matrix without negative ones, by the power method.
    fn largest_eigenvalue(columns: &[Vec<f64>]) -> f64 {
        let mut v: Vec<f64> = (0..columns.len()).map(|i| 1.0 + (i as f64 * 0.7).sin()).collect();
        let mut length = 0.0;
        for _ in 0..3000 {
            let mut next = vec![0.0; v.len()];
            for (column, x) in columns.iter().zip(&v) {
                next.iter_mut().zip(column).for_each(|(sum, entry)| *sum += entry * x);
            }
            length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
            if length == 0.0 {
                return 0.0;
            }
            v = next.iter().map(|x| x / length).collect();
        }
        length
    }

    const EDGES: [Edge; 4] = [Edge::Periodic, Edge::Fixed(0.0), Edge::Dirichlet(0.0), Edge::Neumann(0.0)];

    fn grids(mut check: impl FnMut(Grid<'_>)) {
        for stencil in Stencil::ALL {
            for edge in EDGES {
                for spatial in [&[1][..], &[2], &[5], &[6], &[4, 4], &[5, 3], &[1, 4], &[2, 2, 4], &[3, 3, 3]]
                {
                    let boundary = &[[edge; 2]];
                    check(Grid { batch: 1, spatial, spacing: &[0.5], boundary, stencil });
                }
            }
        }
    }

    /// Periodic grids of even extent reach the bound, and so do zero faces.
    #[test]
    fn the_largest_eigenvalue_is_bounded_closely() {
        let mut reached = 0;
        grids(|grid| {
            let (bound, largest) = (grid.lambda_max(), largest_eigenvalue(&matrix(grid)));
            assert!(largest <= bound * (1.0 + 1e-9), "{grid:?}: {largest} > {bound}");
            let even =
                grid.boundary[0][0] == Edge::Periodic && grid.spatial.iter().all(|extent| extent % 2 == 0);
            if even || matches!(grid.boundary[0][0], Edge::Dirichlet(_)) && grid.stencil != Stencil::Fourth {
                assert!(largest >= bound * (1.0 - 1e-9), "{grid:?}: {largest} < {bound}");
                reached += 1;
            }
        });
        assert!(reached > 20);
    }

    #[test]
    fn the_matrix_is_symmetric_and_its_extremes_are_found() {
        grids(|grid| {
            let columns = matrix(grid);
            let cells = columns.len();
            let largest = (0..cells).map(|i| columns[i][i]).fold(0.0, f64::max);
            let entries = (0..cells).flat_map(|i| (0..cells).map(move |j| (i, j)));
            let mut smallest = f64::INFINITY;
            for (i, j) in entries {
                assert!((columns[i][j] - columns[j][i]).abs() < 1e-12, "{grid:?} {i} {j}");
                if i != j && columns[i][j] != 0.0 {
                    smallest = smallest.min(-columns[i][j]);
                }
            }
            let [diagonal, other] = Operator::new(grid, 1.0, 0.0, 0.0, FaceMean::Arithmetic).extremes();
            assert!((diagonal - largest).abs() < 1e-12, "{grid:?}: {diagonal} and {largest}");
            assert!(
                other == smallest || (other - smallest).abs() < 1e-12,
                "{grid:?}: {other} and {smallest}"
            );
        });
    }

    #[test]
    fn means_of_faces() {
        assert_eq!(FaceMean::Arithmetic.of(1.0, 0.0), 0.5);
        assert_eq!(FaceMean::Harmonic.of(1.0, 0.0), 0.0);
        assert_eq!(FaceMean::Harmonic.of(0.0, 0.0), 0.0);
        assert_eq!(FaceMean::Harmonic.of(1.0, 1.0 / 3.0), 0.5);
        assert_eq!(FaceMean::Harmonic.of(0.7, 0.7), 0.7);
    }
}
