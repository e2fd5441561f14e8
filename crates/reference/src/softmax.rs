//! One query: the weights of the keys it sees, their mix of the values, and how wrong each may be.
//!
//! A correct kernel knows the logits up to an error `e_j` each, subtracts the largest one it has seen so far, takes
//! `exp`, and rescales what it has summed whenever a larger logit comes. The differences telescope, so that a weight's
//! relative error is `exp(t_j) - 1` with `t_j = e_j + 4 u d_j + 3 u (r + 1)`: each difference is rounded once (`u d_j`
//! in all, `d_j` the distance to the largest logit) and each `exp2(x)` is good to `3 + 2|x|` units, where `x` is a distance
//! divided by `ln 2`; `exp` is as good on smaller numbers. A factor common to all
//! weights cancels, and the weighted mean `o` of values `v_j` moves by at most `sum p_j E_j |v_j - o| / (1 - sum p_j E_j)`,
//! and never beyond the values themselves.

use crate::bound::{EXP_ULP_BASE, EXP_ULP_SLOPE, Rounded, TINY, U_ACC};

/// `log` is this good near 1, and to [`LOG_ULP`] elsewhere.
const LOG_ABSOLUTE: f64 = 1.0 / (1u64 << 21) as f64;
const LOG_ULP: f64 = 3.0;
/// Covers the products of the small relative errors that are summed here.
const SECOND_ORDER: f64 = 1.01;

/// The share of one key.
#[derive(Clone, Copy, Debug)]
struct Share {
    key: usize,
    value: f64,
    error: f64,
}

/// The softmax of one row of logits.
#[derive(Clone, Debug)]
pub(crate) struct Softmax {
    shares: Vec<Share>,
    /// The share of the sink, which mixes in a value of zero.
    sink: Option<Share>,
    /// The largest logit, and the sum of the weights relative to it.
    largest: f64,
    sum: f64,
    largest_logit_error: f64,
    /// How far the logarithm of one weight may be off, at most.
    worst_exponent: f64,
    /// The relative error of a sum of weights or of weighted values.
    gamma: f64,
}

impl Softmax {
    /// From the visible keys with their logits, of which there must be one. A kernel may rescale what it has summed that
    /// often, and once more for the sink.
    pub(crate) fn new(logits: &[(usize, Rounded)], sink: Option<f64>, rescales: usize) -> Self {
        let all = || logits.iter().copied().chain(sink.map(|logit| (usize::MAX, Rounded::exact(logit))));
        let largest = all().map(|(_, logit)| logit.value).fold(f64::NEG_INFINITY, f64::max);
        let largest_logit_error = all().map(|(_, logit)| logit.error).fold(0.0, f64::max);
        let sum: f64 = all().map(|(_, logit)| (logit.value - largest).exp()).sum();
        let rescales = rescales as f64 + f64::from(u8::from(sink.is_some()));
        let mut worst_exponent: f64 = 0.0;
        let mut shares: Vec<Share> = all()
            .map(|(key, logit)| {
                let below = logit.value - largest;
                let distance = largest_logit_error + logit.error - below;
                let rounding = (1.0 + EXP_ULP_SLOPE * std::f64::consts::LOG2_E) * distance
                    + EXP_ULP_BASE * (rescales + 1.0);
                let exponent = SECOND_ORDER * (logit.error + U_ACC * rounding);
                worst_exponent = worst_exponent.max(exponent);
                // Every exp and every rescaled product may flush a subnormal to zero.
                let flushed = 2.0 * (rescales + 2.0) * TINY;
                let error = (below + exponent).exp() - below.exp() + flushed;
                Share { key, value: below.exp() / sum, error: error / sum }
            })
            .collect();
        let sink = if sink.is_some() { shares.pop() } else { None };
        // One for a scale of the value in its weight.
        let steps = (logits.len() + 4) as f64 + rescales;
        let gamma = if steps * U_ACC < 0.5 { steps * U_ACC / (1.0 - steps * U_ACC) } else { f64::INFINITY };
        Self { shares, sink, largest, sum, largest_logit_error, worst_exponent, gamma }
    }

    /// The logarithm of the sum of the exponentials of the logits.
    pub(crate) fn log_sum(&self) -> Rounded {
        let value = self.largest + self.sum.ln();
        let moved = self.total_error();
        // However wrong, the logarithm moves no further than the worst logit.
        let weights = if moved < 0.5 { -(-moved).ln_1p() } else { self.worst_exponent + TINY };
        let log = LOG_ABSOLUTE.max(LOG_ULP * U_ACC * (self.sum.ln() + self.largest_logit_error));
        let error = weights + self.gamma / (1.0 - self.gamma).max(0.5) + log;
        // The largest logit may be known divided by ln 2, a constant that is rounded, and the product again.
        let units = 2.0 * U_ACC * (self.largest.abs() + self.largest_logit_error);
        Rounded { value, error: error + units + U_ACC * (value.abs() + error) + TINY }
    }

    /// The mix of the values, of which `row(key)` gives one row, `width` long, and its scale.
    pub(crate) fn mix<'v>(&self, row: impl Fn(usize) -> (&'v [f64], f64), width: usize) -> Vec<Rounded> {
        let mut means = vec![0.0; width];
        for share in &self.shares {
            let (values, scale) = row(share.key);
            for (mean, value) in means.iter_mut().zip(values) {
                *mean += share.value * scale * value;
            }
        }
        let mut spreads = vec![Spread::default(); width];
        for share in &self.shares {
            let (values, scale) = row(share.key);
            for ((spread, mean), value) in spreads.iter_mut().zip(&means).zip(values) {
                spread.add(share, *value * scale, *mean);
                spread.largest_stored = spread.largest_stored.max(value.abs());
            }
        }
        if let Some(share) = &self.sink {
            spreads.iter_mut().zip(&means).for_each(|(spread, mean)| spread.add(share, 0.0, *mean));
        }
        let total = self.total_error();
        means.into_iter().zip(spreads).map(|(mean, spread)| self.rounded(mean, spread, total)).collect()
    }

    fn rounded(&self, mean: f64, spread: Spread, total: f64) -> Rounded {
        let remaining = if total < 1.0 { 1.0 - total } else { 0.0 };
        let limited = |sum: f64, most: f64| if sum < most * remaining { sum / remaining } else { most };
        let weights = limited(spread.moved, spread.furthest);
        let magnitude = limited(spread.magnitude, spread.largest);
        let sums = 2.0 * self.gamma * magnitude / (1.0 - self.gamma).max(0.5);
        // A product, or a weight times the scale of its value, may be flushed to zero.
        let flushed = 2.0 * (self.shares.len() + 1) as f64 * TINY * (1.0 + spread.largest_stored);
        Rounded { value: mean, error: weights + sums + flushed }
    }

    fn total_error(&self) -> f64 {
        self.shares.iter().chain(&self.sink).map(|share| share.error).sum()
    }
}

/// What one column of values adds up to.
#[derive(Clone, Copy, Debug, Default)]
struct Spread {
    /// `sum p_j E_j |v_j - o|`
    moved: f64,
    /// `max |v_j - o|`
    furthest: f64,
    /// `sum p_j (1 + E_j) |v_j|`
    magnitude: f64,
    /// `max |v_j|`
    largest: f64,
    /// The same before scales.
    largest_stored: f64,
}

impl Spread {
    fn add(&mut self, share: &Share, value: f64, mean: f64) {
        let distance = (value - mean).abs();
        self.moved += share.error * distance;
        self.furthest = self.furthest.max(distance);
        self.magnitude += (share.value + share.error) * value.abs();
        self.largest = self.largest.max(value.abs());
    }
}

/// `c tanh(x / c)`, evaluated as `c (1 - e) / (1 + e)` with `e = exp(-2 |x| / c)`.
pub(crate) fn softcap(x: Rounded, cap: f64) -> Rounded {
    let magnitude = Rounded { value: x.value.abs(), error: x.error };
    let inverse = Rounded { value: 1.0 / cap, error: U_ACC / cap };
    let y = magnitude.mul(inverse);
    // Doubling is exact. The argument is clamped where tanh is 1 up to exp(-40).
    let e = Rounded { value: -2.0 * y.value.min(20.0), error: 2.0 * y.error }.exp();
    let one = Rounded::exact(1.0);
    let capped = one.sub(e).div(one.add(e)).mul(Rounded::exact(cap));
    let clamp = 2.0 * cap * (-40.0f64).exp();
    Rounded { value: cap * (x.value / cap).tanh(), error: capped.error + clamp }
}
