//! Which evaluations of the network reuse what earlier ones computed.

use crate::DiffusionError;
use std::fmt;
use std::str::FromStr;

/// What is reused from evaluation to evaluation. Between the tokens that enter the blocks and those that leave them lies a
/// difference that changes slowly; an evaluation that is not computed adds an earlier difference to its own tokens and runs
/// the last layer alone. The first evaluation and the last are always computed. Of use for samplers of many steps.
///
/// What `langevin evaluate` found of 30 Euler steps of the digit model with guidance 2, on lavapipe 26.1. Every setting kept all of
/// 50 digits, by a nearest-neighbour classifier; the distance is the peak signal-to-noise ratio to the same pictures without
/// a cache (`benches/records/llvmpipe-26.1.6-evaluate-2026-11-27.json`), the speed that of 20 digits
/// (`llvmpipe-26.1.6-evaluate-caches-2026-11-27.json`).
///
/// | setting | computed | speed | distance |
/// |---|---|---|---|
/// | `static:2` | 16 of 30 | 1.63 | 42.7 dB |
/// | `taylor:3:1` | 11 of 30 | 1.97 | 47.6 dB |
/// | `teacache:0.3` | 6 of 30 | 3.03 | 27.3 dB |
/// | `dbcache:1:0.2` | 9 of 30 | 1.54 | 29.8 dB |
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[non_exhaustive]
pub enum Caching {
    /// Every evaluation is computed.
    #[default]
    None,
    /// Every so many evaluations one is computed. Heun's method has two to a step: with 2, what it corrects by is always reused,
    /// which leaves little of the correction.
    Static {
        /// How many.
        every: usize,
    },
    /// Computes when the input of the first block, normalised and modulated, has changed enough: when the relative L1 changes
    /// from evaluation to evaluation since the last one computed sum to the threshold or more. The change is that of all samples
    /// together: under this cache and the next a picture depends on those beside it. Liu et al., TeaCache, arXiv
    /// 2411.19108, with the identity for its polynomial.
    TeaCache {
        /// The sum.
        threshold: f64,
    },
    /// Computes the first blocks always, and the others when what the first ones added has changed enough: by the threshold
    /// or more, relative to the last evaluation computed in whole (the first-block cache, DBCache with no last blocks).
    FirstBlocks {
        /// How many are the first.
        blocks: usize,
        /// The relative L1 change.
        threshold: f64,
    },
    /// Every so many evaluations one is computed, and in between the difference is continued by a Taylor polynomial whose
    /// derivatives are finite differences of the evaluations computed. Liu et al., TaylorSeer, arXiv 2503.06923, equation 3,
    /// for all blocks together.
    Taylor {
        /// How many.
        every: usize,
        /// The degree: 0 to 3. The first evaluations have a lower one.
        order: usize,
    },
}

impl Caching {
    /// Blocks that are computed always.
    pub(crate) const fn first_blocks(&self) -> usize {
        if let Self::FirstBlocks { blocks, .. } = *self { blocks } else { 0 }
    }

    /// Differences that are kept.
    pub(crate) const fn kept(&self) -> usize {
        if let Self::Taylor { order, .. } = *self { order + 1 } else { 1 }
    }

    /// Whether the choice depends on numbers that are computed on the way.
    pub(crate) const fn looks(&self) -> bool {
        matches!(self, Self::TeaCache { .. } | Self::FirstBlocks { .. })
    }

    pub(crate) fn validate(&self, layers: usize) -> Result<(), DiffusionError> {
        match *self {
            Self::Static { every: 0 } | Self::Taylor { every: 0, .. } => {
                Err(DiffusionError::config("the period of the cache", "at least 1", 0))
            }
            Self::Taylor { order: 4.., .. } => {
                Err(DiffusionError::config("the order of the cache", "from 0 to 3", self))
            }
            Self::TeaCache { threshold } | Self::FirstBlocks { threshold, .. }
                if !(threshold.is_finite() && threshold >= 0.0) =>
            {
                Err(DiffusionError::config("the threshold of the cache", "a number from 0 on", threshold))
            }
            Self::FirstBlocks { blocks, .. } if !(1..layers).contains(&blocks) => {
                let expected = match layers {
                    0 | 1 => "fewer than the model has, which is one block".to_owned(),
                    _ => format!("from 1 to {}, one less than there are", layers - 1),
                };
                Err(DiffusionError::config("the first blocks of the cache", expected, blocks))
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Caching {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Static { every } => write!(f, "static:{every}"),
            Self::TeaCache { threshold } => write!(f, "teacache:{threshold}"),
            Self::FirstBlocks { blocks, threshold } => write!(f, "dbcache:{blocks}:{threshold}"),
            Self::Taylor { every, order } => write!(f, "taylor:{every}:{order}"),
        }
    }
}

/// The names that [`fmt::Display`] writes.
impl FromStr for Caching {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = |_| {
            let known =
                "none, static:EVERY, teacache:THRESHOLD, dbcache:BLOCKS:THRESHOLD, taylor:EVERY:ORDER";
            format!("there is no cache `{text}`; the caches are {known}")
        };
        let count = |text: &str| text.parse::<usize>().map_err(|_| unknown(()));
        let number = |text: &str| text.parse::<f64>().map_err(|_| unknown(()));
        match text.split(':').collect::<Vec<_>>()[..] {
            ["none"] => Ok(Self::None),
            ["static", every] => Ok(Self::Static { every: count(every)? }),
            ["teacache", threshold] => Ok(Self::TeaCache { threshold: number(threshold)? }),
            ["dbcache", blocks, threshold] => {
                Ok(Self::FirstBlocks { blocks: count(blocks)?, threshold: number(threshold)? })
            }
            ["taylor", every, order] => Ok(Self::Taylor { every: count(every)?, order: count(order)? }),
            _ => Err(unknown(())),
        }
    }
}

/// What becomes of an evaluation.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Verdict {
    /// It is computed.
    Compute,
    /// Earlier differences take its place, the newest first, with these factors.
    Reuse(Vec<f64>),
}

/// The state of a cache in a run.
#[derive(Clone, Debug)]
pub(crate) struct Decisions {
    caching: Caching,
    evaluations: usize,
    /// Evaluations of a step; the second, of two, stands at the next step's time.
    of_step: usize,
    /// The evaluations computed so far.
    computed: Vec<usize>,
    /// The sum of relative changes since the last one.
    changed: f64,
}

impl Decisions {
    pub(crate) fn new(caching: Caching, evaluations: usize, of_step: usize) -> Self {
        Self { caching, evaluations, of_step, computed: Vec::new(), changed: 0.0 }
    }

    /// How many steps lie before an evaluation's time.
    fn time(&self, evaluation: usize) -> usize {
        evaluation.div_ceil(self.of_step)
    }

    /// From the last evaluation computed to this one, in intervals between the last two.
    fn intervals(&self, evaluation: usize) -> f64 {
        match self.computed[..] {
            [.., before, last] => {
                let [before, last, now] = [before, last, evaluation].map(|one| self.time(one) as f64);
                (now - last) / (last - before).max(1.0)
            }
            // The value itself stands for all, whatever the time.
            _ => 0.0,
        }
    }

    pub(crate) fn computed(&self) -> &[usize] {
        &self.computed
    }

    /// Decides on an evaluation; `change` is the relative change where the cache looks at one.
    pub(crate) fn decide(&mut self, evaluation: usize, change: f64) -> Verdict {
        let since = self.computed.last().map_or(0, |last| evaluation - last);
        self.changed = match self.caching {
            Caching::FirstBlocks { .. } => change,
            _ => self.changed + change,
        };
        let due = match self.caching {
            Caching::None => true,
            Caching::Static { every } | Caching::Taylor { every, .. } => since >= every,
            // Written so that a change that is no number computes.
            Caching::TeaCache { threshold } | Caching::FirstBlocks { threshold, .. } => {
                !(self.changed < threshold)
            }
        };
        if due || self.computed.is_empty() || evaluation + 1 == self.evaluations {
            self.computed.push(evaluation);
            self.changed = 0.0;
            return Verdict::Compute;
        }
        Verdict::Reuse(match self.caching {
            Caching::Taylor { order, .. } => {
                taylor(order.min(self.computed.len() - 1), self.intervals(evaluation))
            }
            _ => vec![1.0],
        })
    }
}

/// The factors of kept values, the newest first, in their Taylor polynomial of a degree, `steps` intervals after the newest:
/// `sum_i steps^i / i! (i-th backward difference)`.
fn taylor(degree: usize, steps: f64) -> Vec<f64> {
    let mut factors = vec![0.0; degree + 1];
    let mut weight = 1.0;
    for i in 0..=degree {
        let mut binomial = 1.0;
        for (j, factor) in factors.iter_mut().enumerate().take(i + 1) {
            *factor += weight * binomial * if j % 2 == 0 { 1.0 } else { -1.0 };
            binomial *= (i - j) as f64 / (j + 1) as f64;
        }
        weight *= steps / (i + 1) as f64;
    }
    factors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(caching: Caching, changes: &[f64]) -> String {
        let mut decisions = Decisions::new(caching, changes.len(), 1);
        let letter = |(i, change): (usize, &f64)| match decisions.decide(i, *change) {
            Verdict::Compute => 'c',
            Verdict::Reuse(_) => '-',
        };
        changes.iter().enumerate().map(letter).collect()
    }

    #[test]
    fn the_first_and_the_last_are_computed_and_those_that_are_due() {
        let none = [0.0; 8];
        assert_eq!(verdicts(Caching::None, &none), "cccccccc");
        assert_eq!(verdicts(Caching::Static { every: 3 }, &none), "c--c--cc");
        assert_eq!(verdicts(Caching::Taylor { every: 2, order: 1 }, &none), "c-c-c-cc");
        // The changes sum to the threshold; a computed evaluation starts anew.
        let changes = [9.0, 0.4, 0.4, 0.4, 0.1, 0.1, 0.1, 0.1];
        assert_eq!(verdicts(Caching::TeaCache { threshold: 1.0 }, &changes), "c--c---c");
        // Each change counts by itself.
        let changes = [9.0, 0.4, 1.4, 0.4, f64::NAN, 0.1, 0.1, 0.1];
        assert_eq!(verdicts(Caching::FirstBlocks { blocks: 1, threshold: 1.0 }, &changes), "c-c-c--c");
    }

    /// A polynomial of the degree is continued: exactly up to degree 1 anywhere, and beyond at the coefficients of the paper.
    #[test]
    fn taylor_continues_by_finite_differences() {
        assert_eq!(taylor(0, 0.5), [1.0]);
        assert_eq!(taylor(1, 0.5), [1.5, -0.5]);
        // 1 + s + s^2/2 of the newest, -s - s^2 of the next, s^2/2 of the oldest.
        assert_eq!(taylor(2, 1.0), [2.5, -2.0, 0.5]);
        for (degree, steps) in [(1, 0.3), (2, 0.7), (3, 0.9)] {
            // Constants stay.
            assert!((taylor(degree, steps).iter().sum::<f64>() - 1.0).abs() < 1e-15);
        }
        let mut decisions = Decisions::new(Caching::Taylor { every: 2, order: 2 }, 9, 1);
        // The degree grows with what is known.
        let lengths: Vec<usize> = (0..6)
            .filter_map(|i| match decisions.decide(i, 0.0) {
                Verdict::Reuse(factors) => Some(factors.len()),
                Verdict::Compute => None,
            })
            .collect();
        assert_eq!(lengths, [1, 2, 3]);
    }

    /// Heun's second evaluation of a step is a whole step ahead, where the next step begins.
    #[test]
    fn the_second_evaluation_of_a_step_is_at_the_next_time() {
        let factors = |of_step, at: usize| {
            let mut decisions = Decisions::new(Caching::Taylor { every: 2, order: 1 }, 9, of_step);
            (0..=at).map(|i| decisions.decide(i, 0.0)).last()
        };
        assert_eq!(factors(2, 3), Some(Verdict::Reuse(vec![2.0, -1.0])));
        assert_eq!(factors(1, 3), Some(Verdict::Reuse(vec![1.5, -0.5])));
    }

    #[test]
    fn names_are_read_as_they_are_written_and_senseless_wishes_are_one_sentence() {
        for name in ["none", "static:2", "teacache:0.1", "dbcache:1:0.05", "taylor:3:2"] {
            assert_eq!(name.parse::<Caching>().unwrap().to_string(), name);
        }
        assert!("tea".parse::<Caching>().unwrap_err().contains("the caches are none, static:EVERY"));
        let error = |text: &str| text.parse::<Caching>().unwrap().validate(4).unwrap_err().to_string();
        assert_eq!(error("static:0"), "the period of the cache must be at least 1, got 0");
        assert_eq!(error("taylor:2:4"), "the order of the cache must be from 0 to 3, got taylor:2:4");
        assert_eq!(error("teacache:-1"), "the threshold of the cache must be a number from 0 on, got -1");
        assert_eq!(
            error("dbcache:4:0.1"),
            "the first blocks of the cache must be from 1 to 3, one less than there are, got 4"
        );
        let one = Caching::FirstBlocks { blocks: 1, threshold: 0.1 }.validate(1).unwrap_err().to_string();
        assert_eq!(
            one,
            "the first blocks of the cache must be fewer than the model has, which is one block, got 1"
        );
    }
}
