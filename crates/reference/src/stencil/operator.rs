use super::{FaceMean, Ghost, Grid, GridAxis, Point};
use crate::bound::{Rounded, TINY};
use rayon::prelude::*;

/// `keep u + sum of weight (neighbour - centre) + rate source` on a grid: what every stencil computes.
pub(crate) struct Operator {
    axes: Vec<GridAxis>,
    strides: Vec<usize>,
    points: Vec<Point>,
    /// The factor of the cell itself.
    keep: f64,
    /// The factor of the source.
    rate: f64,
    mean: FaceMean,
    /// The cells outside of every axis: `reach` before the first, then as many after the last.
    outside: Vec<Vec<Ghost>>,
    reach: usize,
}

/// What an operator is applied to, cell by cell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Fields<'a> {
    /// The field, with the error it carries.
    pub(crate) u: &'a [Rounded],
    /// The share of the diffusivity of each cell.
    pub(crate) medium: Option<&'a [f64]>,
    /// What is added.
    pub(crate) source: Option<&'a [f64]>,
}

/// The sums over one cell's neighbours that make up value and bound.
#[derive(Clone, Copy, Debug, Default)]
struct CellSums {
    /// `sum of weight (neighbour - centre)`.
    change: f64,
    /// The same of `|weight| (|neighbour| + |centre|)`.
    magnitude: f64,
    /// The same without weights.
    unweighted: f64,
    /// The factor of the cell itself in `change`.
    own: f64,
    /// The errors of the others, times their factors.
    carried: f64,
}

impl Operator {
    /// The operator of a grid with every weight times `factor`.
    pub(crate) fn new(grid: Grid<'_>, factor: f64, keep: f64, rate: f64, mean: FaceMean) -> Self {
        let axes: Vec<GridAxis> = (0..grid.axes()).map(|axis| grid.axis(axis)).collect();
        let reach = grid.stencil.reach();
        // Saturating: an absurd grid has an operator, too, though no cells are ever looked up in it.
        let product = |extents: &[usize]| {
            extents.iter().fold(1usize, |product, &extent| product.saturating_mul(extent))
        };
        let strides = (0..axes.len()).map(|axis| product(&grid.spatial[axis + 1..])).collect();
        let mut points = super::points::points(grid.stencil, &axes);
        points.iter_mut().for_each(|point| point.weight *= factor);
        let outside = |axis: &GridAxis| {
            let reach = reach as i64;
            let before = (-reach..0).map(|position| axis.at(position));
            before.chain((0..reach).map(|step| axis.at((axis.extent as i64).saturating_add(step)))).collect()
        };
        let outside = axes.iter().map(outside).collect();
        Self { axes, strides, points, keep, rate, mean, outside, reach }
    }

    /// Each cell's new value with its bound, in the order of the cells.
    ///
    /// A difference costs one rounding, and where its neighbour lies outside two for each axis it lies outside of; its
    /// weight two, and four more at a face between media; a sum of all as many as there are. What is kept and the source
    /// add three. Relative to the sum of magnitudes that is `gamma(points + 2 axes + 6)`, with media 6 more. A flushed
    /// subnormal is multiplied by its weight, and a weight may itself be flushed.
    pub(crate) fn apply(&self, fields: Fields<'_>) -> Vec<Rounded> {
        let cell = |(i, centre): (usize, &Rounded)| {
            let sums = self.sums(i, fields);
            let source = fields.source.map_or(0.0, |source| self.rate * source[i]);
            let value = self.keep * centre.value + sums.change + source;
            let size = sums.magnitude + self.keep * (centre.value.abs() + centre.error) + source.abs();
            let own = (self.keep + sums.own).abs() * centre.error;
            let rounding = self.rounding(size, sums.unweighted, fields.medium.is_some());
            Rounded { value, error: rounding + sums.carried + own }
        };
        fields.u.par_iter().enumerate().map(cell).collect()
    }

    /// The largest magnitude and the largest error that a step adds to a field without values beyond `largest`, with a source
    /// without values beyond `source`.
    pub(crate) fn worst(&self, largest: f64, medium: bool, source: f64) -> Rounded {
        // Outside along one axis after the other.
        let outside = |size: f64, axis: &Vec<Ghost>| {
            axis.iter().fold(size, |worst, ghost| worst.max(ghost.scale.abs() * size + ghost.offset.abs()))
        };
        let neighbour = self.outside.iter().rev().fold(largest, outside);
        let weights: f64 = self.points.iter().map(|point| point.weight.abs()).sum();
        let size = self.keep * largest + weights * (neighbour + largest) + self.rate.abs() * source;
        let unweighted = self.points.len() as f64 * (neighbour + largest);
        Rounded { value: size, error: self.rounding(size, unweighted, medium) }
    }

    /// The largest factor with which a cell enters its own negated sum, and the smallest factor of another in it.
    pub(crate) fn extremes(&self) -> [f64; 2] {
        let mut extremes = [0.0, f64::INFINITY];
        let kinds = self.axes.iter().fold(vec![0], |cells: Vec<usize>, axis| {
            let more =
                |cell: usize| axis.kinds().into_iter().map(move |position| cell * axis.extent + position);
            cells.into_iter().flat_map(more).collect()
        });
        for cell in kinds {
            let mut row = std::collections::BTreeMap::new();
            for point in &self.points {
                let Neighbour { source, scale, .. } = self.neighbour(cell, &point.steps);
                if scale != 0.0 {
                    *row.entry(source).or_insert(0.0) += point.weight * scale;
                }
                *row.entry(cell).or_insert(0.0) -= point.weight;
            }
            extremes[0] = extremes[0].max(-row.remove(&cell).unwrap_or(0.0));
            extremes[1] = row.values().copied().fold(extremes[1], f64::min);
        }
        extremes
    }

    /// The cell that many steps from cell `i`: outside, the last axis is continued first.
    fn neighbour(&self, i: usize, steps: &[i64]) -> Neighbour {
        let mut neighbour = Neighbour { source: i, scale: 1.0, offset: 0.0, size: 0.0, outside: false };
        for (axis, &step) in steps.iter().enumerate().rev() {
            if step == 0 {
                continue;
            }
            let (extent, stride) = (self.axes[axis].extent, self.strides[axis]);
            let position = i / stride % extent;
            let at = position as i64 + step;
            let is_inside = (0..extent as i64).contains(&at);
            let ghost = match is_inside {
                true => Ghost { source: at as usize, scale: 1.0, offset: 0.0 },
                false => {
                    let before = if at < 0 { at } else { at - extent as i64 };
                    self.outside[axis][(before + self.reach as i64) as usize]
                }
            };
            neighbour = Neighbour {
                source: neighbour.source - position * stride + ghost.source * stride,
                scale: ghost.scale * neighbour.scale,
                offset: ghost.scale * neighbour.offset + ghost.offset,
                size: ghost.scale.abs() * neighbour.size + ghost.offset.abs(),
                outside: neighbour.outside || !(is_inside || self.axes[axis].periodic()),
            };
        }
        neighbour
    }

    fn sums(&self, i: usize, Fields { u, medium, .. }: Fields<'_>) -> CellSums {
        let centre = u[i];
        let mut sums = CellSums::default();
        for point in &self.points {
            let Neighbour { source, scale, offset, size, outside } = self.neighbour(i, &point.steps);
            let share = medium.map_or(1.0, |medium| match outside {
                true => medium[i],
                false => self.mean.of(medium[i], medium[source]),
            });
            let weight = point.weight * share;
            // Where the edge alone decides, whatever lies elsewhere does not matter, be it NaN.
            let there = if scale == 0.0 { Rounded::exact(0.0) } else { u[source] };
            let magnitude =
                scale.abs() * (there.value.abs() + there.error) + size + centre.value.abs() + centre.error;
            sums.change += weight * (scale * there.value + offset - centre.value);
            sums.magnitude += weight.abs() * magnitude;
            sums.unweighted += magnitude;
            sums.own -= weight;
            if source == i {
                sums.own += weight * scale;
            } else {
                sums.carried += (weight * scale).abs() * there.error;
            }
        }
        sums
    }

    fn rounding(&self, size: f64, unweighted: f64, medium: bool) -> f64 {
        let terms = self.points.len() + 2 * self.axes.len() + if medium { 11 } else { 5 };
        let weights: f64 = self.points.iter().map(|point| point.weight.abs()).sum();
        let flushed = 2.0 * terms as f64 * TINY * (weights + self.rate.abs());
        Rounded::dot(0.0, size, terms).error + flushed + TINY * unweighted
    }
}

/// `scale` times a cell and an `offset`, whose parts together are at most `size`.
struct Neighbour {
    source: usize,
    scale: f64,
    offset: f64,
    size: f64,
    outside: bool,
}
