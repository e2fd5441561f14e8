use crate::{DescError, Edge, Op};
use std::collections::BTreeMap;

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

/// A cell inside or outside of an axis: `scale` times the cell at `source` and an `offset`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ghost {
    /// A cell inside.
    pub source: usize,
    /// Its factor: 1 inside, 0 where only the edge decides.
    pub scale: f64,
    /// What the edge adds.
    pub offset: f64,
}

impl GridAxis {
    /// The cell at a position: itself inside; outside what the edge there makes of the cells inside.
    ///
    /// A mirror image that lies beyond the other end is mirrored there again. An axis without cells counts as one of a
    /// single cell, and one of more than 2^61, which the rules refuse, as one of 2^61.
    pub fn at(&self, position: i64) -> Ghost {
        let extent = self.extent.clamp(1, 1 << 61) as i64;
        if (0..extent).contains(&position) {
            return Ghost { source: position as usize, scale: 1.0, offset: 0.0 };
        }
        let (side, mirrored, depth) = match position < 0 {
            true => (0, -1 - position, -(position as f64)),
            false => (1, 2 * extent - 1 - position, (position - extent) as f64 + 1.0),
        };
        match self.edges[side] {
            Edge::Periodic => Ghost { source: position.rem_euclid(extent) as usize, scale: 1.0, offset: 0.0 },
            Edge::Fixed(value) => Ghost { source: 0, scale: 0.0, offset: value },
            Edge::Dirichlet(value) => {
                let Ghost { source, scale, offset } = self.at(mirrored);
                Ghost { source, scale: -scale, offset: 2.0 * value - offset }
            }
            Edge::Neumann(slope) => {
                let inside = self.at(mirrored);
                let distance = (2.0 * depth - 1.0) * self.spacing;
                Ghost { offset: inside.offset + distance * slope, ..inside }
            }
        }
    }

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

    /// Whether both ends are the other's neighbour.
    pub fn periodic(&self) -> bool {
        self.edges[0] == Edge::Periodic
    }

    /// Positions among which every kind of row is: those near an end, and one between.
    pub(super) fn kinds(&self) -> Vec<usize> {
        let mut kinds: Vec<usize> = (0..5.min(self.extent)).collect();
        kinds.extend(self.extent.saturating_sub(2)..self.extent);
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    }

    /// The largest absolute row sum of the matrix of `sum of weights[k - 1] (cells k before and after - 2 centre)`.
    pub(super) fn largest_row_sum(&self, weights: &[f64]) -> f64 {
        let row_sum = |position: usize| {
            let mut row = BTreeMap::new();
            for (reach, weight) in (1..).zip(weights) {
                for step in [-reach, reach] {
                    let Ghost { source, scale, .. } = self.at((position as i64).saturating_add(step));
                    *row.entry(source).or_insert(0.0) += weight * scale;
                    *row.entry(position).or_insert(0.0) -= weight;
                }
            }
            row.values().map(|entry: &f64| entry.abs()).sum::<f64>()
        };
        self.kinds().into_iter().map(row_sum).fold(0.0, f64::max)
    }

    pub(super) fn check<O: Op>(&self) -> Result<(), DescError> {
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
            // Four: what two mirrors of a fourth-order stencil add, or three spacings of a slope.
            if !((4.0 * self.face(side)[1]) as f32).is_finite() {
                let expected = "a value that is finite as f32, also times 4 or 4 spacings";
                return Err(O::field_error("boundary", expected, format!("{edge:?}")));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(extent: usize, edges: [Edge; 2]) -> GridAxis {
        GridAxis { extent, spacing: 0.5, edges }
    }

    fn ghosts(axis: GridAxis, positions: std::ops::Range<i64>) -> Vec<(usize, f64, f64)> {
        let cell = |position| axis.at(position);
        positions.map(cell).map(|Ghost { source, scale, offset }| (source, scale, offset)).collect()
    }

    /// Two cells outside on each side of three, by hand.
    #[test]
    fn cells_outside_are_what_the_edges_make_of_those_inside() {
        let inside = [(0, 1.0, 0.0), (1, 1.0, 0.0), (2, 1.0, 0.0)];
        let around = |before: [(usize, f64, f64); 2], after: [(usize, f64, f64); 2]| {
            [&before[..], &inside[..], &after[..]].concat()
        };
        for (edges, expected) in [
            ([Edge::Periodic; 2], around([(1, 1.0, 0.0), (2, 1.0, 0.0)], [(0, 1.0, 0.0), (1, 1.0, 0.0)])),
            (
                [Edge::Fixed(3.0), Edge::Dirichlet(2.0)],
                around([(0, 0.0, 3.0); 2], [(2, -1.0, 4.0), (1, -1.0, 4.0)]),
            ),
            (
                [Edge::Neumann(2.0), Edge::Neumann(-2.0)],
                around([(1, 1.0, 3.0), (0, 1.0, 1.0)], [(2, 1.0, -1.0), (1, 1.0, -3.0)]),
            ),
        ] {
            assert_eq!(ghosts(axis(3, edges), -2..5), expected, "{edges:?}");
        }
    }

    /// One cell: the mirror images of mirror images.
    #[test]
    fn an_axis_shorter_than_a_stencil_is_mirrored_again() {
        let one = |edges| ghosts(axis(1, edges), -2..3);
        assert_eq!(one([Edge::Periodic; 2]), [(0, 1.0, 0.0); 5]);
        // 2 * 1 - (2 * 3 - u) = u - 4 on the left, 2 * 3 - (2 * 1 - u) = u + 4 on the right.
        let mirrored = [(0, 1.0, -4.0), (0, -1.0, 2.0), (0, 1.0, 0.0), (0, -1.0, 6.0), (0, 1.0, 4.0)];
        assert_eq!(one([Edge::Dirichlet(1.0), Edge::Dirichlet(3.0)]), mirrored);
        // The slope goes on: u + h g + 3 h g is the image of u + h g.
        let slopes = one([Edge::Neumann(2.0); 2]);
        assert_eq!(slopes[0], (0, 1.0, 4.0));
        assert_eq!(one([Edge::Neumann(0.0); 2]), [(0, 1.0, 0.0); 5]);
    }

    #[test]
    fn the_face_is_the_first_cell_outside_less_the_last_inside() {
        for edges in [[Edge::Fixed(1.5), Edge::Dirichlet(-2.0)], [Edge::Neumann(0.75), Edge::Fixed(0.0)]] {
            let axis = axis(4, edges);
            for (side, outside, last) in [(0, -1, 0), (1, 4, 3)] {
                let Ghost { source, scale, offset } = axis.at(outside);
                let slope = if source == last { scale - 1.0 } else { -1.0 };
                assert_eq!(axis.face(side), [slope, offset], "{edges:?}");
            }
        }
    }
}
