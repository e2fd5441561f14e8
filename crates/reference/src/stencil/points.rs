use super::GridAxis;

/// Which cells around it a cell's Laplacian is made of.
///
/// As JSON: `"second"`, `"fourth"`, `"isotropic"`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Stencil {
    /// Second order, the nearest cells along each axis: 3, 5 or 7 points.
    #[default]
    Second,
    /// Fourth order, two cells to each side along each axis: 5, 9 or 13 points.
    Fourth,
    /// Second order with an error that does not depend on the direction, all cells around: 3, 9 or 27 points.
    ///
    /// With `d` for the second difference along an axis of spacing `h`: the sum of `d_i / h_i^2`, of
    /// `(h_i^2 + h_j^2) / 12 d_i d_j / (h_i h_j)^2` over pairs and, in three dimensions, of
    /// `(h_1^2 h_2^2 + h_1^2 h_3^2 + h_2^2 h_3^2) / 90 d_1 d_2 d_3 / (h_1 h_2 h_3)^2`. For equal spacings these are
    /// `[1 4 1; 4 -20 4; 1 4 1] / 6` and corners 1, edges 3, faces 14, centre -128 over 30.
    Isotropic,
}

impl Stencil {
    /// Every stencil.
    pub const ALL: [Self; 3] = [Self::Second, Self::Fourth, Self::Isotropic];

    /// How far away the furthest cells are along an axis.
    pub const fn reach(self) -> usize {
        if matches!(self, Self::Fourth) { 2 } else { 1 }
    }

    /// The weights of the cells 1, 2, .. away along an axis, times the squared spacing, where axes do not mix.
    pub(super) const fn along_axis(self) -> &'static [f64] {
        if matches!(self, Self::Fourth) { &[16.0 / 12.0, -1.0 / 12.0] } else { &[1.0] }
    }
}

/// A cell around another one and the weight of their difference.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Steps along each axis.
    pub steps: Vec<i64>,
    /// The weight of `neighbour - centre`.
    pub weight: f64,
}

/// The weights of an isotropic stencil: of the differences along each axis, of products of two and of three of them.
pub(super) struct Mixed {
    pub(super) single: Vec<f64>,
    /// By the axis that is left out, in three dimensions; the only pair in two.
    pairs: Vec<f64>,
    triple: f64,
}

impl Mixed {
    pub(super) fn new(axes: &[GridAxis]) -> Self {
        let single: Vec<f64> = axes.iter().map(GridAxis::weight).collect();
        let square = |i: usize| axes[i].spacing * axes[i].spacing;
        let pair = |[i, j]: [usize; 2]| (square(i) + square(j)) / 12.0 * single[i] * single[j];
        let pairs: Vec<[usize; 2]> = match axes.len() {
            3 => vec![[1, 2], [0, 2], [0, 1]],
            2 => vec![[0, 1]],
            _ => Vec::new(),
        };
        // (h1 h2)^2 / (h1 h2 h3)^2 = 1 / h3^2, and so on.
        let triple = if axes.len() == 3 { single.iter().sum::<f64>() / 90.0 } else { 0.0 };
        Self { pairs: pairs.into_iter().map(pair).collect(), single, triple }
    }

    fn pair(&self, i: usize, j: usize) -> f64 {
        let index = if self.single.len() == 3 { 3 - i - j } else { 0 };
        // More axes than three are no grid, which the rules say.
        self.pairs.get(index).copied().unwrap_or_default()
    }

    /// The symbol of the negated operator where the negated second differences along the axes are `d`.
    fn symbol(&self, d: &[f64]) -> f64 {
        let mut sum: f64 = self.single.iter().zip(d).map(|(weight, d)| weight * d).sum();
        for i in 0..d.len() {
            for j in 0..i {
                sum -= self.pair(i, j) * d[i] * d[j];
            }
        }
        sum + self.triple * if d.len() == 3 { d.iter().product::<f64>() } else { 0.0 }
    }

    /// The largest value of the symbol for differences between 0 and `most`: it is linear in each, so at a corner.
    pub(super) fn largest_symbol(&self, most: &[f64]) -> f64 {
        let corner = |bits: usize| -> Vec<f64> {
            most.iter().enumerate().map(|(i, &d)| if bits >> i & 1 == 1 { d } else { 0.0 }).collect()
        };
        (0..1 << most.len()).map(|bits| self.symbol(&corner(bits))).fold(0.0, f64::max)
    }

    /// The weight of a neighbour that lies one step away along some axes: `d_i d_j` gives its corners 1 and the cells
    /// beside the centre -2.
    fn weight(&self, steps: &[i64]) -> f64 {
        let away: Vec<usize> = (0..steps.len()).filter(|&axis| steps[axis] != 0).collect();
        match *away {
            [i] => {
                let others = (0..steps.len()).filter(|&j| j != i).map(|j| self.pair(i, j));
                self.single[i] - 2.0 * others.sum::<f64>() + 4.0 * self.triple
            }
            [i, j] => self.pair(i, j) - 2.0 * self.triple,
            _ => self.triple,
        }
    }
}

/// The cells of a stencil on a grid of these axes, without the centre: the last axis runs fastest.
pub(super) fn points(stencil: Stencil, axes: &[GridAxis]) -> Vec<Point> {
    let reach = stencil.reach() as i64;
    let (along, mixed) = (stencil.along_axis(), Mixed::new(axes));
    let weight = |steps: &[i64]| {
        let away: Vec<usize> = (0..steps.len()).filter(|&axis| steps[axis] != 0).collect();
        match (stencil, &away[..]) {
            (_, []) => None,
            (Stencil::Isotropic, _) => Some(mixed.weight(steps)),
            (_, &[axis]) => Some(axes[axis].weight() * along[steps[axis].unsigned_abs() as usize - 1]),
            _ => None,
        }
    };
    let mut offsets = vec![Vec::new()];
    for _ in axes {
        let longer = |steps: Vec<i64>| (-reach..=reach).map(move |step| [&steps[..], &[step]].concat());
        offsets = offsets.into_iter().flat_map(longer).collect();
    }
    offsets.into_iter().filter_map(|steps| Some(Point { weight: weight(&steps)?, steps })).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Edge;

    fn axes(spacings: &[f64]) -> Vec<GridAxis> {
        let axis = |&spacing: &f64| GridAxis { extent: 9, spacing, edges: [Edge::Periodic; 2] };
        spacings.iter().map(axis).collect()
    }

    fn weights(stencil: Stencil, spacings: &[f64]) -> Vec<f64> {
        points(stencil, &axes(spacings)).iter().map(|point| point.weight).collect()
    }

    fn assert_equal(got: &[f64], want: &[f64]) {
        assert_eq!(got.len(), want.len(), "{got:?}");
        assert!(got.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-15), "{got:?} and {want:?}");
    }

    /// The weights of the text books.
    #[test]
    fn known_stencils() {
        assert_equal(&weights(Stencil::Second, &[0.5]), &[4.0, 4.0]);
        assert_equal(&weights(Stencil::Second, &[1.0, 2.0]), &[1.0, 0.25, 0.25, 1.0]);
        assert_equal(&weights(Stencil::Fourth, &[1.0]), &[-1.0, 16.0, 16.0, -1.0].map(|w| w / 12.0));
        assert_equal(&weights(Stencil::Isotropic, &[1.0]), &[1.0, 1.0]);
        let nine = [1.0, 4.0, 1.0, 4.0, 4.0, 1.0, 4.0, 1.0].map(|w| w / 6.0);
        assert_equal(&weights(Stencil::Isotropic, &[1.0, 1.0]), &nine);
        let by_distance = [14.0, 3.0, 1.0];
        for point in points(Stencil::Isotropic, &axes(&[1.0; 3])) {
            let away = point.steps.iter().filter(|&&step| step != 0).count();
            assert!((point.weight - by_distance[away - 1] / 30.0).abs() < 1e-15, "{point:?}");
        }
        let counts = |stencil| [1, 2, 3].map(|count| weights(stencil, &vec![1.0; count]).len() + 1);
        assert_eq!(Stencil::ALL.map(counts), [[3, 5, 7], [5, 9, 13], [3, 9, 27]]);
    }

    /// Exact for quadratic fields whatever the spacings, the cross terms included: `L (x^T A x) = 2 trace A`.
    #[test]
    fn quadratic_fields_are_exact() {
        let spacings = [0.5, 1.5, 0.75];
        let matrix = [[1.0, 0.25, -2.0], [0.25, -3.0, 0.5], [-2.0, 0.5, 4.0]];
        for stencil in Stencil::ALL {
            for count in 1..=3 {
                let sum: f64 = points(stencil, &axes(&spacings[..count]))
                    .iter()
                    .map(|Point { steps, weight }| {
                        let x: Vec<f64> = steps.iter().zip(spacings).map(|(&s, h)| s as f64 * h).collect();
                        let value: f64 = (0..count)
                            .flat_map(|i| (0..count).map(move |j| (i, j)))
                            .map(|(i, j)| x[i] * matrix[i][j] * x[j])
                            .sum();
                        weight * value
                    })
                    .sum();
                let trace: f64 = (0..count).map(|i| matrix[i][i]).sum();
                assert!((sum - 2.0 * trace).abs() < 1e-12, "{stencil:?} in {count} dimensions: {sum}");
            }
        }
    }
}
