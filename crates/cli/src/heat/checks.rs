//! What must hold of a picture whose heat has spread.

use super::blur::Extension;
use super::spectrum::{Gaussian, Steps};
use langevin::{Edge, HeatDesc};
use ndarray::{ArrayD, Axis};
use std::fmt;

/// Standard deviation, in pixels, of the widest blur that is compared: the work of its bound grows with the cube.
const WIDEST: f64 = 100.0;
/// Multiplications that the blur of a channel may take; beyond, it is computed at fewer pixels.
const WORK: f64 = 3e8;

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed,
    /// It says nothing about this run.
    Skipped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Passed => "ok",
            Self::Failed => "FAILED",
            Self::Skipped => "not checked",
        })
    }
}

/// One check of a run.
#[derive(Clone, Debug)]
pub(crate) struct Check {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    /// What was found, and what is allowed.
    pub(crate) finding: String,
}

impl Check {
    /// Passed where `found` is at most `allowed`; NaN fails.
    fn of(name: &'static str, passed: bool, finding: String) -> Self {
        Self { name, outcome: if passed { Outcome::Passed } else { Outcome::Failed }, finding }
    }

    fn skipped(name: &'static str, why: impl ToString) -> Self {
        Self { name, outcome: Outcome::Skipped, finding: why.to_string() }
    }
}

/// A run as the checks see it.
struct Finished<'a> {
    desc: &'a HeatDesc,
    steps: u64,
    before: &'a ArrayD<f64>,
    after: &'a ArrayD<f64>,
    /// How far rounding may have moved any value, all steps together.
    rounding: f64,
}

/// Every check; `before` and `after` are `[channels, height, width]`.
pub(crate) fn all(
    desc: &HeatDesc,
    steps: u64,
    monotone_dt: f64,
    before: &ArrayD<f64>,
    after: &ArrayD<f64>,
) -> Vec<Check> {
    run(desc, steps, monotone_dt, [before, after], |run| {
        vec![run.mass(MASS), run.range(RANGE), run.blur(BLUR)]
    })
}

/// Those that do not take longer than the run.
pub(crate) fn conserved(
    desc: &HeatDesc,
    steps: u64,
    monotone_dt: f64,
    before: &ArrayD<f64>,
    after: &ArrayD<f64>,
) -> Vec<Check> {
    run(desc, steps, monotone_dt, [before, after], |run| vec![run.mass(MASS), run.range(RANGE)])
}

const MASS: &str = "mass";
const RANGE: &str = "range";
const BLUR: &str = "blur";

fn run(
    desc: &HeatDesc,
    steps: u64,
    monotone_dt: f64,
    [before, after]: [&ArrayD<f64>; 2],
    checks: impl Fn(Finished<'_>) -> Vec<Check>,
) -> Vec<Check> {
    let skipped = |why: &str| [MASS, RANGE, BLUR].map(|name| Check::skipped(name, why)).to_vec();
    if desc.time_step > monotone_dt {
        // Rounding may grow then, and so may the values.
        return skipped(&format!("only promised for steps up to {monotone_dt:.6}"));
    }
    let largest = before.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
    // No step amplifies an error, so those of the steps add up. They also let the values grow, and with them the bound
    // of a step, which is linear in the largest value: the sum R obeys R <= n (bound(largest) + R bound(1)).
    let share = steps as f64 * desc.step_bound(1.0);
    if share >= 0.5 {
        return skipped("so many steps may round it away");
    }
    let rounding = steps as f64 * desc.step_bound(largest) / (1.0 - share);
    checks(Finished { desc, steps, before, after, rounding })
}

impl Finished<'_> {
    fn edge(&self) -> Edge {
        self.desc.axis(0).edges[0]
    }

    /// Nothing is lost where nothing can leave.
    fn mass(&self, name: &'static str) -> Check {
        if matches!(self.edge(), Edge::Dirichlet(_)) {
            return Check::skipped(name, "it leaves through a dirichlet border");
        }
        let (before, after) = (self.before.sum(), self.after.sum());
        let cells = self.before.len() as f64;
        // The sums are f64.
        let own = 2.0 * cells * f64::EPSILON * self.before.mapv(f64::abs).sum();
        let (found, allowed) = ((after - before).abs(), cells * self.rounding + own);
        let finding =
            format!("{before:.4} before, {after:.4} after; changed by {found:.1e}, allowed {allowed:.1e}");
        Check::of(name, found <= allowed, finding)
    }

    /// No value beyond those there were, and the border's.
    fn range(&self, name: &'static str) -> Check {
        let mut worst = f64::NEG_INFINITY;
        let ends = |field: &ndarray::ArrayViewD<'_, f64>| {
            field.iter().fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], &x| [low.min(x), high.max(x)])
        };
        for (before, after) in self.before.axis_iter(Axis(0)).zip(self.after.axis_iter(Axis(0))) {
            let [mut low, mut high] = ends(&before);
            if let Edge::Dirichlet(value) = self.edge() {
                [low, high] = [low.min(value), high.max(value)];
            }
            // Written so that a NaN shows.
            let beyond =
                after.iter().map(|&x| if x.is_nan() { f64::INFINITY } else { (low - x).max(x - high) });
            worst = beyond.fold(worst, f64::max);
        }
        let [low, high] = ends(&self.before.view());
        let [new_low, new_high] = ends(&self.after.view());
        let allowed = self.rounding;
        let finding = format!(
            "[{low:.4}, {high:.4}] before, [{new_low:.4}, {new_high:.4}] after; beyond by at most {:.1e}, allowed {allowed:.1e}",
            worst.max(0.0)
        );
        Check::of(name, worst <= allowed, finding)
    }

    /// Close to a Gaussian blur of variance 2 D T.
    fn blur(&self, name: &'static str) -> Check {
        let steps = Steps { ratio: self.desc.ratio(0), steps: self.steps };
        let variance = steps.variance();
        if variance == 0.0 || self.before.is_empty() {
            return Check::skipped(name, "nothing spreads");
        }
        if variance.sqrt() > WIDEST {
            let why = format!("wider than {WIDEST} pixels, {:.1}", variance.sqrt());
            return Check::skipped(name, why);
        }
        let gaussian = Gaussian::of_variance(variance);
        let distance = steps.distance_to(&gaussian);
        let spatial = [self.desc.spatial[0], self.desc.spatial[1]];
        let work = (spatial[0] * spatial[1] * gaussian.radius()) as f64 * 2.0;
        let stride = (work / WORK).ceil().max(1.0) as usize;
        let (mut worst, mut worst_ratio, mut allowed, mut pixels) = (0.0f64, 0.0f64, 0.0f64, 0);
        for (before, after) in self.before.axis_iter(Axis(0)).zip(self.after.axis_iter(Axis(0))) {
            let cells: Vec<f64> = before.iter().copied().collect();
            let plane = Extension { cells: &cells, spatial, edge: self.edge() };
            // The sums of the blur are f64, with all weights positive.
            let own = 4.0 * gaussian.radius() as f64 * f64::EPSILON;
            let bound = self.amplitude(&cells) * distance + self.rounding + own;
            let after: Vec<f64> = after.iter().copied().collect();
            for (place, value) in plane.blurred(&gaussian, stride) {
                let error = (after[place] - value).abs();
                // A NaN counts as infinitely far.
                let ratio = if error <= bound { error / bound } else { f64::INFINITY };
                worst = if error.is_nan() { f64::INFINITY } else { worst.max(error) };
                worst_ratio = worst_ratio.max(ratio);
                pixels += 1;
            }
            allowed = allowed.max(bound);
        }
        let finding = format!(
            "within {worst:.1e} of a Gaussian blur of variance {variance:.4} at {pixels} pixels, allowed {allowed:.1e}"
        );
        Check::of(name, worst_ratio <= 1.0, finding)
    }

    /// How far the extended picture is from the constant that both kernels keep.
    fn amplitude(&self, cells: &[f64]) -> f64 {
        let low = cells.iter().copied().fold(f64::INFINITY, f64::min);
        let high = cells.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self.edge() {
            // The negative mirror image has the negative values.
            Edge::Dirichlet(_) => high.abs().max(low.abs()),
            _ => (high - low) / 2.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::reference::heat_step;

    fn run(edge: Edge, steps: u64) -> (HeatDesc, ArrayD<f64>, ArrayD<f64>) {
        let desc = HeatDesc {
            batch: 2,
            spatial: vec![19, 24],
            boundary: vec![[edge; 2]],
            time_step: 0.15,
            ..Default::default()
        };
        // Two sharp squares: nothing is further from smooth.
        let before = ArrayD::from_shape_fn(vec![2, 19, 24], |index| {
            f64::from(u8::from((index[1] + 3 * index[0]) % 8 < 4 && index[2] % 11 < 6))
        });
        let after = (0..steps).fold(before.clone(), |u, _| heat_step(u.view(), &desc).unwrap());
        (desc, before, after)
    }

    const EDGES: [Edge; 3] = [Edge::Periodic, Edge::Neumann(0.0), Edge::Dirichlet(0.0)];

    fn outcomes(desc: &HeatDesc, steps: u64, before: &ArrayD<f64>, after: &ArrayD<f64>) -> Vec<Outcome> {
        all(desc, steps, desc.monotone_dt(), before, after).iter().map(|check| check.outcome).collect()
    }

    #[test]
    fn the_reference_passes_at_every_border() {
        use Outcome::{Passed, Skipped};
        for edge in EDGES {
            for steps in [1, 5, 60] {
                let (desc, before, after) = run(edge, steps);
                let mass = if matches!(edge, Edge::Dirichlet(_)) { Skipped } else { Passed };
                assert_eq!(
                    outcomes(&desc, steps, &before, &after),
                    [mass, Passed, Passed],
                    "{edge:?} {steps}"
                );
            }
        }
    }

    /// Negative controls: too few steps, a wrong border, a lost pixel, a NaN.
    #[test]
    fn wrong_results_are_noticed() {
        for (edge, other) in [(EDGES[0], EDGES[1]), (EDGES[1], EDGES[0]), (EDGES[2], EDGES[1])] {
            let (desc, before, after) = run(edge, 60);
            let failed = |after: &ArrayD<f64>| {
                outcomes(&desc, 60, &before, after)
                    .iter()
                    .filter(|outcome| **outcome == Outcome::Failed)
                    .count()
            };
            assert_eq!(failed(&after), 0);
            assert_eq!(failed(&run(edge, 40).2), 1, "{edge:?}: the blur alone tells the time");
            assert_eq!(failed(&run(other, 60).2), 1, "{edge:?}: the blur alone tells the border");
            assert!(failed(&before) >= 1);
            for (value, least) in [(-1.0, 2), (f64::NAN, 2)] {
                let mut broken = after.clone();
                broken[[1, 7, 8]] = value;
                assert!(failed(&broken) >= least, "{edge:?}: {value}");
            }
        }
    }

    #[test]
    fn long_steps_are_not_promised_anything() {
        let (desc, before, after) = run(Edge::Neumann(0.0), 3);
        let checks = all(&desc, 3, 0.1, &before, &after);
        assert!(checks.iter().all(|check| check.outcome == Outcome::Skipped));
        assert_eq!(checks[1].finding, "only promised for steps up to 0.100000");
    }
}
