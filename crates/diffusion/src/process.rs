//! How noise and data mix at every time, and what a network predicts of the mixture.

use crate::DiffusionError;
use serde::Deserialize;

/// What a network predicts of a noisy sample `x = alpha data + sigma noise`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prediction {
    /// The noise.
    #[default]
    #[serde(alias = "epsilon")]
    Noise,
    /// The data.
    #[serde(alias = "sample")]
    Data,
    /// The direction in which `x` moves: `noise - data` in a rectified flow, `alpha noise - sigma data` where the
    /// variance is preserved (Salimans and Ho, arXiv 2202.00512).
    #[serde(alias = "v_prediction")]
    Velocity,
}

/// The training schedules that published models use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoiseSchedule {
    /// `alpha = 1 - t`, `sigma = t` (Liu, Gong and Liu, arXiv 2209.03003).
    RectifiedFlow,
    /// 1,000 betas from 0.0001 to 0.02 in equal steps (Ho, Jain and Abbeel, arXiv 2006.11239); DiT's.
    #[default]
    Linear,
    /// 1,000 betas whose roots go from those of 0.00085 to 0.012 in equal steps (Rombach et al., arXiv 2112.10752).
    ScaledLinear,
    /// `alpha^2` falls as a squared cosine (Nichol and Dhariwal, arXiv 2102.09672), 1,000 betas of at most 0.999.
    Cosine,
}

/// Training steps of the published schedules.
const TRAINED_STEPS: usize = 1000;

/// The path from noise to data that a model was trained on.
#[derive(Clone, Debug, PartialEq)]
pub enum Process {
    /// A rectified flow, its times shifted: `t` becomes `shift t / (1 + (shift - 1) t)`. Larger pictures need more
    /// steps at high noise (Esser et al., arXiv 2403.03206, equation 23, where the shift is `sqrt(pixels / trained
    /// pixels)`); 1 changes nothing.
    Flow {
        /// The shift.
        shift: f64,
    },
    /// `alpha^2 + sigma^2 = 1` in discrete training steps: `alpha^2` after each, from the first to the noisiest.
    VariancePreserving {
        /// The product of `1 - beta` up to each step.
        alpha_squared: Vec<f64>,
    },
}

impl From<NoiseSchedule> for Process {
    fn from(schedule: NoiseSchedule) -> Self {
        let steps = TRAINED_STEPS as f64;
        let between = |first: f64, last: f64, i: usize| first + (last - first) * i as f64 / (steps - 1.0);
        let beta = |i: usize| match schedule {
            NoiseSchedule::ScaledLinear => between(0.00085f64.sqrt(), 0.012f64.sqrt(), i).powi(2),
            NoiseSchedule::Cosine => {
                let alpha_squared =
                    |t: f64| ((t / steps + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
                (1.0 - alpha_squared(i as f64 + 1.0) / alpha_squared(i as f64)).min(0.999)
            }
            _ => between(1e-4, 0.02, i),
        };
        match schedule {
            NoiseSchedule::RectifiedFlow => Self::Flow { shift: 1.0 },
            _ => Self::from_betas((0..TRAINED_STEPS).map(beta)),
        }
    }
}

impl Process {
    /// A process that preserves the variance, from the share of noise that each training step adds.
    pub fn from_betas(betas: impl IntoIterator<Item = f64>) -> Self {
        let product = |kept: &mut f64, beta: f64| {
            *kept *= 1.0 - beta;
            Some(*kept)
        };
        Self::VariancePreserving { alpha_squared: betas.into_iter().scan(1.0, product).collect() }
    }

    /// The levels that `steps` steps run through, the noisiest first, clean data last: one more than steps.
    ///
    /// A flow's times are equal steps from 1 to 0, then shifted. Of T training steps those numbered
    /// `round(T - i T / steps)` are taken, so that the first is the noisiest (Lin et al., arXiv 2305.08891, "trailing").
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for no steps, more than 100,000 or more than were trained, and for a shift that is not
    /// a positive number.
    pub fn levels(&self, steps: usize) -> Result<Vec<Level>, DiffusionError> {
        let most = match self {
            Self::Flow { .. } => 100_000,
            Self::VariancePreserving { alpha_squared } => alpha_squared.len(),
        };
        if !(1..=most).contains(&steps) {
            return Err(DiffusionError::config("steps", format!("between 1 and {most}"), steps));
        }
        let remaining = |i: usize| (steps - i) as f64 / steps as f64;
        match self {
            Self::Flow { shift } if !(shift.is_finite() && *shift > 0.0) => {
                Err(DiffusionError::config("shift", "a positive number", shift))
            }
            Self::Flow { shift } => {
                let shifted = |t: f64| shift * t / (1.0 + (shift - 1.0) * t);
                Ok((0..=steps).map(|i| Level::flow(shifted(remaining(i)))).collect())
            }
            Self::VariancePreserving { alpha_squared } => {
                let trained = alpha_squared.len();
                let level = |i: usize| {
                    let index = (remaining(i) * trained as f64).round_ties_even().max(1.0) as usize - 1;
                    Level::variance_preserving(index as f64 / trained as f64, alpha_squared[index])
                };
                Ok((0..steps).map(level).chain([Level::variance_preserving(0.0, 1.0)]).collect())
            }
        }
    }
}

/// A sample's share of data and noise: `x = alpha data + sigma noise`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// The time that the network is told, in [0, 1].
    pub time: f64,
    /// The factor of the data.
    pub alpha: f64,
    /// The factor of the noise.
    pub sigma: f64,
    path: Path,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Path {
    Flow,
    VariancePreserving,
}

/// The sample's ordinary differential equation `dz/dtau = slope`, where `z = x / scale` and the slope is some factor of
/// the sample plus another of the prediction.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Equation {
    pub(crate) scale: f64,
    pub(crate) tau: f64,
    pub(crate) slope: [f64; 2],
}

impl Level {
    /// A rectified flow at a time from 0 (data) to 1 (noise).
    pub const fn flow(time: f64) -> Self {
        Self { time, alpha: 1.0 - time, sigma: time, path: Path::Flow }
    }

    /// A process that preserves the variance, at the given `alpha^2`.
    pub fn variance_preserving(time: f64, alpha_squared: f64) -> Self {
        let (alpha, sigma) = (alpha_squared.sqrt(), (1.0 - alpha_squared).sqrt());
        Self { time, alpha, sigma, path: Path::VariancePreserving }
    }

    /// The logarithm of `alpha / sigma`; infinite at either end.
    pub fn log_snr(&self) -> f64 {
        (self.alpha / self.sigma).ln()
    }

    /// The data, as factors of the sample and of the prediction.
    pub fn data(&self, prediction: Prediction) -> [f64; 2] {
        match prediction {
            Prediction::Data => [0.0, 1.0],
            Prediction::Noise => [1.0 / self.alpha, -self.sigma / self.alpha],
            // The velocity is a data + b noise; solved together with the sample, whose determinant with it is 1.
            Prediction::Velocity => [self.velocity()[1], -self.sigma],
        }
    }

    /// The noise, as factors of the sample and of the prediction.
    pub fn noise(&self, prediction: Prediction) -> [f64; 2] {
        match prediction {
            Prediction::Noise => [0.0, 1.0],
            Prediction::Data => [1.0 / self.sigma, -self.alpha / self.sigma],
            Prediction::Velocity => [-self.velocity()[0], self.alpha],
        }
    }

    /// The velocity, as factors of the data and of the noise.
    fn velocity(&self) -> [f64; 2] {
        match self.path {
            Path::Flow => [-1.0, 1.0],
            Path::VariancePreserving => [-self.sigma, self.alpha],
        }
    }

    /// In a flow, `x` itself against time; otherwise `x / alpha` against `sigma / alpha`, whose slope is the noise
    /// (Karras et al., arXiv 2206.00364).
    pub(crate) fn equation(&self, prediction: Prediction) -> Equation {
        let noise = self.noise(prediction);
        match self.path {
            Path::Flow => {
                let data = self.data(prediction);
                let slope = [noise[0] - data[0], noise[1] - data[1]];
                Equation { scale: 1.0, tau: self.sigma, slope }
            }
            Path::VariancePreserving => {
                Equation { scale: self.alpha, tau: self.sigma / self.alpha, slope: noise }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every prediction of one mixture leads back to its data and its noise.
    #[test]
    fn predictions_are_solved_for_data_and_noise() {
        let (data, noise) = (0.7, -1.3);
        for level in [Level::flow(0.3), Level::flow(0.99), Level::variance_preserving(0.5, 0.4)] {
            let x = level.alpha * data + level.sigma * noise;
            let velocity = match level.path {
                Path::Flow => noise - data,
                Path::VariancePreserving => level.alpha * noise - level.sigma * data,
            };
            for (prediction, f) in
                [(Prediction::Noise, noise), (Prediction::Data, data), (Prediction::Velocity, velocity)]
            {
                let solved = |[a, b]: [f64; 2]| a * x + b * f;
                assert!((solved(level.data(prediction)) - data).abs() < 1e-13, "{level:?} {prediction:?}");
                assert!((solved(level.noise(prediction)) - noise).abs() < 1e-13, "{level:?} {prediction:?}");
            }
        }
    }

    #[test]
    fn levels_run_from_noise_to_data() {
        let levels = Process::Flow { shift: 3.0 }.levels(2).unwrap();
        assert_eq!(levels.iter().map(|level| level.time).collect::<Vec<_>>(), [1.0, 0.75, 0.0]);
        let process = Process::from(NoiseSchedule::Linear);
        let levels = process.levels(4).unwrap();
        // The steps 1000, 750, 500 and 250 are indices 999, 749, 499 and 249 of the training.
        let times: Vec<f64> = levels.iter().map(|level| level.time * 1000.0).collect();
        assert_eq!(times, [999.0, 749.0, 499.0, 249.0, 0.0]);
        assert_eq!(levels[4], Level::variance_preserving(0.0, 1.0));
        assert!(levels.windows(2).all(|pair| pair[0].log_snr() < pair[1].log_snr()));
    }

    /// Values of the published schedules, by hand for the first step and known for the last.
    #[test]
    fn schedules_are_the_published_ones() {
        let alpha_squared = |schedule: NoiseSchedule| match Process::from(schedule) {
            Process::VariancePreserving { alpha_squared } => alpha_squared,
            flow => unreachable!("{flow:?}"),
        };
        let linear = alpha_squared(NoiseSchedule::Linear);
        assert_eq!((linear.len(), linear[0]), (1000, 1.0 - 1e-4));
        // The total: the logarithms of 1 - beta sum to about -10.1.
        assert!((linear[999] - 4.0358e-5).abs() < 1e-8, "{}", linear[999]);
        let scaled = alpha_squared(NoiseSchedule::ScaledLinear);
        assert!((scaled[0] - (1.0 - 0.00085)).abs() < 1e-15 && (scaled[999] - 0.0046602).abs() < 1e-6);
        let cosine = alpha_squared(NoiseSchedule::Cosine);
        let at = |t: f64| ((t / 1000.0 + 0.008) / 1.008 * std::f64::consts::FRAC_PI_2).cos().powi(2);
        assert!((cosine[499] - at(500.0) / at(0.0)).abs() < 1e-12);
        // Only the last beta is cut off, at 0.999.
        assert!((cosine[999] / cosine[998] - 1e-3).abs() < 1e-12);
    }

    #[test]
    fn senseless_wishes_are_one_sentence() {
        let flow = |shift, steps| Process::Flow { shift }.levels(steps).unwrap_err().to_string();
        assert_eq!(flow(1.0, 0), "steps must be between 1 and 100000, got 0");
        assert_eq!(flow(-1.0, 1), "shift must be a positive number, got -1");
        let error = Process::from(NoiseSchedule::Cosine).levels(1001).unwrap_err().to_string();
        assert_eq!(error, "steps must be between 1 and 1000, got 1001");
    }
}
