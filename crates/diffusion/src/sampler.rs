//! Samplers as numbers: each is a list of evaluations of the network, and of linear combinations in between.

use crate::process::{Level, Prediction};
use crate::{DiffusionError, Guidance};
use std::fmt;
use std::str::FromStr;

/// How a sample moves from noise to data.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Sampler {
    /// Straight steps: Euler's method for the flow, DDIM without noise elsewhere, which is the same. First order.
    #[default]
    Euler,
    /// Euler's step to less noise than wanted, and fresh noise on top: DDIM with `eta = 1`, which is the same.
    EulerAncestral,
    /// A trial step, then a step by the mean of both slopes: two evaluations to a step, second order. The last step is
    /// Euler's, since no network is trained on clean data. Karras et al., arXiv 2206.00364, algorithm 1, without its noise.
    Heun,
    /// Song, Meng and Ermon, arXiv 2010.02502, equations 12 and 16.
    Ddim {
        /// The share of fresh noise: 0 none, 1 as much as DDPM.
        eta: f64,
    },
    /// DPM-Solver++(2M): the data's line through two steps, second order. The first and the last step are of first
    /// order. Lu et al., arXiv 2211.01095, algorithm 2.
    DpmSolver2M,
    /// The slope's polynomial through the last steps (Adams and Bashforth on uneven steps), as k-diffusion's `sample_lms`.
    Lms {
        /// How many steps the polynomial goes through: 1 to 4. The first steps have fewer.
        order: usize,
    },
}

impl fmt::Display for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Euler => f.write_str("euler"),
            Self::EulerAncestral => f.write_str("euler-ancestral"),
            Self::Heun => f.write_str("heun"),
            Self::Ddim { eta } => write!(f, "ddim:{eta}"),
            Self::DpmSolver2M => f.write_str("dpmpp-2m"),
            Self::Lms { order } => write!(f, "lms:{order}"),
        }
    }
}

/// The names that [`fmt::Display`] writes; `ddim` alone has no noise, `lms` alone is of order 4.
impl FromStr for Sampler {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, number) = text.split_once(':').map_or((text, None), |(name, rest)| (name, Some(rest)));
        let unknown = || {
            let known = "euler, euler-ancestral, heun, ddim[:ETA], dpmpp-2m, lms[:ORDER]";
            format!("there is no sampler `{text}`; the samplers are {known}")
        };
        match (name, number) {
            ("euler", None) => Ok(Self::Euler),
            ("euler-ancestral", None) => Ok(Self::EulerAncestral),
            ("heun", None) => Ok(Self::Heun),
            ("dpmpp-2m", None) => Ok(Self::DpmSolver2M),
            ("ddim", eta) => Ok(Self::Ddim { eta: eta.unwrap_or("0").parse().map_err(|_| unknown())? }),
            ("lms", order) => Ok(Self::Lms { order: order.unwrap_or("4").parse().map_err(|_| unknown())? }),
            _ => Err(unknown()),
        }
    }
}

/// The most a sampler remembers.
pub(crate) const MOST_REMEMBERED: usize = 3;

/// The next sample, as factors of what is known at an evaluation.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Combination {
    /// Of the sample.
    pub sample: f64,
    /// Of the network's prediction, after guidance.
    pub prediction: f64,
    /// Of what earlier evaluations left, the newest first.
    pub remembered: [f64; MOST_REMEMBERED],
    /// Of fresh standard normal noise.
    pub noise: f64,
}

/// One call of the network and what becomes of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Evaluation {
    /// The time that the network is told, in [0, 1].
    pub time: f64,
    /// The next sample.
    pub next: Combination,
    /// What is left for later evaluations, as factors of the sample and of the prediction.
    pub remember: [f64; 2],
}

/// The evaluations of one run. Pure numbers: any network and any executor may follow them.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// In order.
    pub evaluations: Vec<Evaluation>,
    /// How many values earlier evaluations leave: at most 3.
    pub remembered: usize,
    /// The first level: a run from pictures starts at `alpha pictures + sigma noise`.
    pub start: Level,
}

impl Schedule {
    /// The evaluations of `sampler` along `levels`, from the noisiest to the last, for a network of that prediction.
    ///
    /// ```
    /// use langevin_diffusion::{Level, Prediction, Sampler, Schedule};
    /// let levels = [Level::flow(1.0), Level::flow(0.5), Level::flow(0.0)];
    /// let schedule = Schedule::new(Sampler::Euler, Prediction::Velocity, &levels)?;
    /// let next = schedule.evaluations[0].next;
    /// assert_eq!((next.sample, next.prediction), (1.0, -0.5));
    /// # Ok::<(), langevin_diffusion::DiffusionError>(())
    /// ```
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for fewer than two levels, levels that do not lose noise, an `eta` below 0 or above 1,
    /// an order outside 1 to 4, and a prediction of noise where there is no data in the sample.
    pub fn new(sampler: Sampler, prediction: Prediction, levels: &[Level]) -> Result<Self, DiffusionError> {
        check(sampler, prediction, levels)?;
        let path = Run { prediction, levels };
        let steps = 0..levels.len() - 1;
        let (evaluations, remembered) = match sampler {
            Sampler::Euler => (steps.map(|i| path.ddim(i, 0.0)).collect(), 0),
            Sampler::EulerAncestral => (steps.map(|i| path.ddim(i, 1.0)).collect(), 0),
            Sampler::Ddim { eta } => (steps.map(|i| path.ddim(i, eta)).collect(), 0),
            Sampler::Heun => (steps.flat_map(|i| path.heun(i)).collect(), 1),
            Sampler::DpmSolver2M => (steps.map(|i| path.dpm_solver_2m(i)).collect(), 1),
            Sampler::Lms { order } => (steps.map(|i| path.lms(i, order)).collect(), order - 1),
        };
        Ok(Self { evaluations, remembered, start: levels[0] })
    }

    /// Whether any evaluation takes fresh noise.
    pub fn is_noisy(&self) -> bool {
        self.evaluations.iter().any(|evaluation| evaluation.next.noise != 0.0)
    }

    /// The rows that move from evaluation to evaluation: the sample and what is remembered.
    pub(crate) fn states(&self) -> usize {
        1 + self.remembered
    }

    /// The factors of an evaluation for [`langevin::CombineDesc`], row by row.
    pub(crate) fn factors(&self, index: usize, guidance: &Guidance) -> Vec<f32> {
        let Evaluation { time, next, remember } = self.evaluations[index];
        let weights = guidance.weights(time);
        let noisy = self.is_noisy();
        let mut factors = Vec::new();
        for row in 0..self.states() {
            let combination = match row {
                0 => next,
                1 => Combination { sample: remember[0], prediction: remember[1], ..Default::default() },
                // Remembered values move on by one row.
                _ => {
                    let mut moved = Combination::default();
                    moved.remembered[row - 2] = 1.0;
                    moved
                }
            };
            factors.push(combination.sample);
            factors.extend(&combination.remembered[..self.remembered]);
            factors.extend(weights.iter().map(|weight| weight * combination.prediction));
            factors.extend(noisy.then_some(combination.noise));
        }
        factors.into_iter().map(|factor| factor as f32).collect()
    }
}

fn check(sampler: Sampler, prediction: Prediction, levels: &[Level]) -> Result<(), DiffusionError> {
    match sampler {
        Sampler::Ddim { eta } if !(0.0..=1.0).contains(&eta) => {
            return Err(DiffusionError::config("eta", "from 0 to 1", eta));
        }
        Sampler::Lms { order } if !(1..=MOST_REMEMBERED + 1).contains(&order) => {
            return Err(DiffusionError::config("order", format!("from 1 to {}", MOST_REMEMBERED + 1), order));
        }
        _ => {}
    }
    if levels.len() < 2 {
        return Err(DiffusionError::config("levels", "at least two", levels.len()));
    }
    let falls = |pair: &[Level]| {
        let [a, b] = [pair[0], pair[1]];
        a.sigma * b.alpha > b.sigma * a.alpha && a.sigma > 0.0
    };
    if let Some(i) = levels.windows(2).position(|pair| !falls(pair)) {
        let got = format!("level {} after level {i}", i + 1);
        return Err(DiffusionError::config("levels", "less noisy from one to the next", got));
    }
    if prediction == Prediction::Noise && levels[0].alpha == 0.0 {
        let expected =
            "velocity or data where the first level is noise alone, which says nothing of the data";
        return Err(DiffusionError::config("prediction", expected, "noise"));
    }
    Ok(())
}

/// The levels of a run, and what is predicted at each.
struct Run<'a> {
    prediction: Prediction,
    levels: &'a [Level],
}

impl Run<'_> {
    fn step(&self, i: usize) -> [Level; 2] {
        [self.levels[i], self.levels[i + 1]]
    }

    /// To `alpha data + sqrt(sigma^2 - s^2) noise + s fresh noise`, where `s = eta sigma sqrt(1 - (sigma a / (alpha s))^2)`
    /// between the two ratios of noise to data.
    fn ddim(&self, i: usize, eta: f64) -> Evaluation {
        let [from, to] = self.step(i);
        let (data, noise) = (from.data(self.prediction), from.noise(self.prediction));
        let ratio = to.sigma * from.alpha / (from.sigma * to.alpha);
        let fresh = eta * to.sigma * (1.0 - ratio * ratio).sqrt();
        let kept = (to.sigma * to.sigma - fresh * fresh).sqrt();
        let [sample, prediction] = [0, 1].map(|j| to.alpha * data[j] + kept * noise[j]);
        let next = Combination { sample, prediction, noise: fresh, ..Default::default() };
        Evaluation { time: from.time, next, remember: [0.0; 2] }
    }

    /// The trial step and its correction. The trial is `x + h slope`, so the step by the mean slope is
    /// `trial + h/2 (slope at the trial - slope)`.
    fn heun(&self, i: usize) -> Vec<Evaluation> {
        let [from, to] = self.step(i);
        let trial = self.slope_step(i, &[1.0]);
        if to.sigma == 0.0 {
            return vec![trial];
        }
        let [a, b] = [from, to].map(|level| level.equation(self.prediction));
        let half = b.scale * (b.tau - a.tau) / 2.0;
        let mut remembered = [0.0; MOST_REMEMBERED];
        remembered[0] = -half;
        let next = Combination {
            sample: 1.0 + half * b.slope[0],
            prediction: half * b.slope[1],
            remembered,
            noise: 0.0,
        };
        vec![trial, Evaluation { time: to.time, next, remember: [0.0; 2] }]
    }

    /// `sigma'/sigma x + (alpha' - sigma' alpha / sigma) ((1 + c) data - c data before)`, where `c` is half the ratio of
    /// this step's growth of the logarithm of alpha / sigma to that of the step before.
    fn dpm_solver_2m(&self, i: usize) -> Evaluation {
        let [from, to] = self.step(i);
        let data = from.data(self.prediction);
        let growth = |[from, to]: [Level; 2]| to.log_snr() - from.log_snr();
        // Zero as well where one of the two steps starts from noise alone or ends at clean data.
        let half =
            if i > 0 && to.sigma > 0.0 { growth([from, to]) / growth(self.step(i - 1)) / 2.0 } else { 0.0 };
        let (keep, gain) = (to.sigma / from.sigma, to.alpha - to.sigma * from.alpha / from.sigma);
        let mut remembered = [0.0; MOST_REMEMBERED];
        remembered[0] = -gain * half;
        let next = Combination {
            sample: keep + gain * (1.0 + half) * data[0],
            prediction: gain * (1.0 + half) * data[1],
            remembered,
            noise: 0.0,
        };
        Evaluation { time: from.time, next, remember: data }
    }

    fn lms(&self, i: usize, order: usize) -> Evaluation {
        let count = order.min(i + 1);
        let tau = |level: usize| self.levels[level].equation(self.prediction).tau;
        let nodes: Vec<f64> = (0..count).map(|j| tau(i - j)).collect();
        let span = [tau(i), tau(i + 1)];
        let weights: Vec<f64> =
            (0..count).map(|j| lagrange_integral(&nodes, j, span) / (span[1] - span[0])).collect();
        self.slope_step(i, &weights)
    }

    /// `z + h sum weights slopes`, this level's slope first; remembers this level's slope.
    fn slope_step(&self, i: usize, weights: &[f64]) -> Evaluation {
        let [from, to] = self.step(i);
        let [a, b] = [from, to].map(|level| level.equation(self.prediction));
        let step = b.scale * (b.tau - a.tau);
        let mut remembered = [0.0; MOST_REMEMBERED];
        for (factor, weight) in remembered.iter_mut().zip(&weights[1..]) {
            *factor = step * weight;
        }
        let next = Combination {
            sample: b.scale / a.scale + step * weights[0] * a.slope[0],
            prediction: step * weights[0] * a.slope[1],
            remembered,
            noise: 0.0,
        };
        Evaluation { time: from.time, next, remember: a.slope }
    }
}

/// The integral of the polynomial that is 1 at node `j` and 0 at the others: Gauss's rule of two points is exact up to
/// degree three.
fn lagrange_integral(nodes: &[f64], j: usize, [from, to]: [f64; 2]) -> f64 {
    let others = || nodes.iter().enumerate().filter(|(k, _)| *k != j).map(|(_, node)| node);
    let polynomial = |tau: f64| others().map(|node| (tau - node) / (nodes[j] - node)).product::<f64>();
    let (middle, half) = ((from + to) / 2.0, (to - from) / 2.0);
    let offset = half / 3f64.sqrt();
    half * (polynomial(middle - offset) + polynomial(middle + offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flow(times: &[f64]) -> Vec<Level> {
        times.iter().map(|&time| Level::flow(time)).collect()
    }

    /// Adams and Bashforth's factors on equal steps: 3/2 and -1/2; 23/12, -16/12, 5/12; 55/24, -59/24, 37/24, -9/24.
    #[test]
    fn multi_step_factors_are_the_textbook_s() {
        let levels = flow(&[1.0, 0.75, 0.5, 0.25, 0.0]);
        let run = Run { prediction: Prediction::Velocity, levels: &levels };
        for (order, expected) in
            [(2, [36.0, -12.0, 0.0, 0.0]), (3, [46.0, -32.0, 10.0, 0.0]), (4, [55.0, -59.0, 37.0, -9.0])]
        {
            let next = run.lms(3, order).next;
            let [a, b, c] = next.remembered;
            for (got, expected) in [next.prediction, a, b, c].into_iter().zip(expected) {
                assert!((got - -0.25 * expected / 24.0).abs() < 1e-14, "order {order}: {next:?}");
            }
            assert_eq!(next.sample, 1.0);
        }
    }

    #[test]
    fn rows_of_factors_follow_the_state() {
        let schedule =
            Schedule::new(Sampler::Lms { order: 3 }, Prediction::Velocity, &flow(&[1.0, 0.5, 0.25, 0.0]))
                .unwrap();
        let guidance = Guidance::classifier_free(3.0);
        // State: sample and two slopes. Inputs: those three, then the conditional and the unconditional prediction.
        let factors = schedule.factors(0, &guidance);
        assert_eq!(factors[..5], [1.0, 0.0, 0.0, -1.5, 1.0]);
        assert_eq!(factors[5..10], [0.0, 0.0, 0.0, 3.0, -2.0]);
        assert_eq!(factors[10..], [0.0, 1.0, 0.0, 0.0, 0.0]);
    }

    #[test]
    fn names_are_read_as_they_are_written() {
        for name in ["euler", "euler-ancestral", "heun", "ddim:0.5", "dpmpp-2m", "lms:3"] {
            assert_eq!(name.parse::<Sampler>().unwrap().to_string(), name);
        }
        assert_eq!("ddim".parse(), Ok(Sampler::Ddim { eta: 0.0 }));
        assert_eq!("lms".parse(), Ok(Sampler::Lms { order: 4 }));
        for wrong in ["", "eulers", "euler:1", "ddim:x", "lms:-1"] {
            assert!(wrong.parse::<Sampler>().unwrap_err().contains("the samplers are euler,"), "{wrong}");
        }
    }

    #[test]
    fn senseless_wishes_are_one_sentence() {
        let error = |sampler, prediction, times: &[f64]| {
            Schedule::new(sampler, prediction, &flow(times)).unwrap_err().to_string()
        };
        let (euler, velocity) = (Sampler::Euler, Prediction::Velocity);
        assert_eq!(
            error(Sampler::Ddim { eta: 1.5 }, velocity, &[1.0, 0.0]),
            "eta must be from 0 to 1, got 1.5"
        );
        assert_eq!(
            error(Sampler::Lms { order: 5 }, velocity, &[1.0, 0.0]),
            "order must be from 1 to 4, got 5"
        );
        assert_eq!(error(euler, velocity, &[1.0]), "levels must be at least two, got 1");
        assert_eq!(
            error(euler, velocity, &[1.0, 0.5, 0.5]),
            "levels must be less noisy from one to the next, got level 2 after level 1"
        );
        assert!(
            error(euler, Prediction::Noise, &[1.0, 0.0]).starts_with("prediction must be velocity or data")
        );
    }
}
