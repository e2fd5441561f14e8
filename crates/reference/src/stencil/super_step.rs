use super::{Fields, Operator};
use crate::bound::Rounded;
use std::f64::consts::PI;

/// How a step advances the time.
///
/// As JSON: `"euler"`, `{"rkl2": {"stages": 9}}`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Scheme {
    /// `u + time_step f(u)`: first order.
    #[default]
    Euler,
    /// A Runge-Kutta-Legendre step of that many stages: second order, and stable for `(stages^2 + stages - 2) / 4` of the
    /// longest Euler step, which a step of 9 stages is 22 times as long as.
    Rkl2 {
        /// 2 to [`MAX_STAGES`]. Odd numbers damp the shortest waves better.
        stages: usize,
    },
}

/// The most stages of [`Scheme::Rkl2`].
pub const MAX_STAGES: usize = 32;

impl Scheme {
    /// How many of the longest Euler steps a step may be as long as.
    pub fn reach(self) -> f64 {
        match self {
            Self::Euler => 1.0,
            Self::Rkl2 { stages } => {
                let s = stages as f64;
                (s * s + s - 2.0) / 4.0
            }
        }
    }
}

/// The factors of a stage: `Y_j = last Y_(j-1) + before Y_(j-2) + start Y_0 + change f(Y_(j-1)) + first f(Y_0)`, with
/// `f` for what a whole time step changes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RklStage {
    /// Of the stage before.
    pub last: f64,
    /// Of the one before that.
    pub before: f64,
    /// Of the field that the step starts from.
    pub start: f64,
    /// Of the change of the stage before.
    pub change: f64,
    /// Of the change of the field that the step starts from.
    pub first: f64,
}

/// The stages of [`Scheme::Rkl2`], of which the first has no stage before the last one.
///
/// With `b_j = (j^2 + j - 2) / (2 j (j + 1))`, 1/3 for `j < 2`, and `w = 4 / (s^2 + s - 2)`: `last = (2j - 1) / j b_j / b_(j-1)`,
/// `before = -(j - 1) / j b_j / b_(j-2)`, `start = 1 - last - before`, `change = w last`, `first = -(1 - b_(j-1)) change`.
///
/// Source: Meyer, Balsara, Aslam, A stabilized Runge-Kutta-Legendre method for explicit super-time-stepping of parabolic and
/// mixed equations, Journal of Computational Physics 257 (2014), equations 16 and 17.
pub fn rkl2_stages(stages: usize) -> Vec<RklStage> {
    let b = |j: f64| if j < 2.0 { 1.0 / 3.0 } else { (j * j + j - 2.0) / (2.0 * j * (j + 1.0)) };
    let s = stages as f64;
    let w = 4.0 / (s * s + s - 2.0);
    let stage = |j: usize| {
        let j = j as f64;
        if j < 2.0 {
            return RklStage { last: 1.0, before: 0.0, start: 0.0, change: b(1.0) * w, first: 0.0 };
        }
        let last = (2.0 * j - 1.0) / j * b(j) / b(j - 1.0);
        let before = -(j - 1.0) / j * b(j) / b(j - 2.0);
        let change = w * last;
        RklStage { last, before, start: 1.0 - last - before, change, first: -(1.0 - b(j - 1.0)) * change }
    };
    (1..=stages).map(stage).collect()
}

/// A step in stages, each with the same bound for every cell.
pub(crate) struct SuperStep<'a> {
    /// What a whole time step changes.
    pub(crate) change: &'a Operator,
    pub(crate) stages: &'a [RklStage],
    /// The largest eigenvalue of the negated change, or a bound of it.
    pub(crate) lambda: f64,
    /// Cells of one item of the batch.
    pub(crate) cells: usize,
}

impl SuperStep<'_> {
    /// The field after the step.
    ///
    /// A stage rounds its change, and a sum of five products. What it errs by reaches the stage `k` stages on through a
    /// polynomial of degree `k` of the operator, which is symmetric with eigenvalues from `-lambda` to 0: in the Euclidean
    /// norm by the largest value of the polynomial there, and from the largest cell to the Euclidean norm and back by at
    /// most the root of the number of cells.
    pub(crate) fn apply(&self, fields: Fields<'_>) -> Vec<Rounded> {
        let values = |cells: &[Rounded]| cells.iter().map(|cell| cell.value).collect::<Vec<f64>>();
        let largest = |cells: &[f64]| cells.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        let source = fields.source.map_or(0.0, largest);
        let change = |u: &[f64]| {
            let u: Vec<Rounded> = u.iter().map(|&value| Rounded::exact(value)).collect();
            values(&self.change.apply(Fields { u: &u, ..fields }))
        };
        let rounding = |size: f64| self.change.worst(size, fields.medium.is_some(), source).error;
        let start = values(fields.u);
        let (first, start_size) = (change(&start), largest(&start));
        let first_size = largest(&first);
        let amplification = self.amplification();
        let mut levels = vec![start.clone()];
        let (mut own, mut errors) = (Vec::new(), vec![0.0]);
        for (j, stage) in self.stages.iter().enumerate() {
            let before = &levels[j.saturating_sub(1)];
            let changes = change(&levels[j]);
            let next: Vec<f64> = (0..start.len())
                .map(|i| {
                    stage.last * levels[j][i]
                        + stage.before * before[i]
                        + stage.start * start[i]
                        + stage.change * changes[i]
                        + stage.first * first[i]
                })
                .collect();
            let size = largest(&levels[j]) + errors[j];
            let [changed, changed_first] = [rounding(size), rounding(start_size)];
            let moved = self.lambda * errors[j];
            let sizes = stage.last.abs() * size
                + stage.before.abs() * (largest(before) + errors[j.saturating_sub(1)])
                + stage.start.abs() * start_size
                + stage.change.abs() * (largest(&changes) + changed + moved)
                + stage.first.abs() * (first_size + changed_first);
            own.push(
                stage.change.abs() * changed
                    + stage.first.abs() * changed_first
                    + Rounded::dot(0.0, sizes, 7).error,
            );
            let reached = own.iter().enumerate().map(|(k, error)| amplification[j][k] * error);
            errors.push((self.cells as f64).sqrt() * reached.sum::<f64>());
            levels.push(next);
        }
        let error = errors[self.stages.len()];
        levels.swap_remove(self.stages.len()).into_iter().map(|value| Rounded { value, error }).collect()
    }

    /// By how much at most what stage `k` errs by changes stage `j`, `[j][k]`.
    ///
    /// A polynomial of degree `n` exceeds its largest value at `m` Chebyshev nodes by at most `1 / cos(n pi / (2 m))`
    /// (Ehlich and Zeller, 1964).
    fn amplification(&self) -> Vec<Vec<f64>> {
        let count = self.stages.len();
        let nodes = 4 * count;
        let node = |i: usize| -0.5 * self.lambda * (1.0 + (PI * (i as f64 + 0.5) / nodes as f64).cos());
        let between = 1.0 / (PI * count as f64 / (2.0 * nodes as f64)).cos();
        // What stage `k` errs by, as the stages from it on show it at `z`.
        let travel = |k: usize, z: f64| {
            let mut before = 0.0;
            self.stages.iter().enumerate().scan(1.0, move |last: &mut f64, (j, stage)| {
                if j > k {
                    (before, *last) =
                        (*last, (stage.last + stage.change * z) * *last + stage.before * before);
                }
                Some(if j < k { 0.0 } else { last.abs() })
            })
        };
        let mut largest = vec![vec![0.0f64; count]; count];
        for (k, z) in (0..count).flat_map(|k| (0..nodes).map(move |i| (k, node(i)))) {
            for (row, size) in largest.iter_mut().zip(travel(k, z)) {
                row[k] = row[k].max(between * size);
            }
        }
        largest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `1 - b_s + b_s P_s(1 + w z)`, by the recurrence of Legendre's polynomials.
    fn amplification(stages: usize, z: f64) -> f64 {
        let s = stages as f64;
        let b = (s * s + s - 2.0) / (2.0 * s * (s + 1.0));
        let x = 1.0 + 4.0 / (s * s + s - 2.0) * z;
        let (mut before, mut last) = (1.0, x);
        for n in 1..stages {
            let n = n as f64;
            (before, last) = (last, ((2.0 * n + 1.0) * x * last - n * before) / (n + 1.0));
        }
        1.0 - b + b * last
    }

    fn by_stages(stages: usize, z: f64) -> f64 {
        let (mut before, mut last) = (1.0, 1.0);
        for stage in rkl2_stages(stages) {
            let next = stage.last * last
                + stage.before * before
                + stage.start
                + stage.change * z * last
                + stage.first * z;
            (before, last) = (last, next);
        }
        last
    }

    #[test]
    fn stages_make_the_shifted_legendre_polynomial() {
        for stages in 2..=MAX_STAGES {
            let limit = 2.0 * Scheme::Rkl2 { stages }.reach();
            for i in 0..=50 {
                let z = -limit * i as f64 / 50.0;
                let (got, want) = (by_stages(stages, z), amplification(stages, z));
                assert!((got - want).abs() <= 1e-11, "{stages} stages at {z}: {got} and {want}");
                assert!(want.abs() <= 1.0 + 1e-12, "{stages} stages grow at {z}");
            }
            // Odd ones are far from 1 at their limit.
            let beyond = if stages % 2 == 0 { -1.1 } else { -2.0 };
            assert!(by_stages(stages, beyond * limit).abs() > 1.0, "{stages} stages reach further");
        }
    }

    /// `R(z) = 1 + z + z^2 / 2 + ..`.
    #[test]
    fn stages_are_of_second_order() {
        for stages in 2..=9 {
            let h = 1e-3;
            let [low, high] = [by_stages(stages, -h), by_stages(stages, h)];
            assert!((by_stages(stages, 0.0) - 1.0).abs() < 1e-14);
            assert!(((high - low) / (2.0 * h) - 1.0).abs() < 1e-6, "{stages}");
            assert!(((high - 2.0 + low) / (h * h) - 1.0).abs() < 1e-6, "{stages}");
        }
    }
}
