//! How far arithmetic in f32 on a GPU may stray from the exact result.
//!
//! WGSL fixes no rounding direction: `+`, `-` and `*` may return either neighbour of the exact result, subnormal results
//! may be flushed to zero, and `exp` is good to `3 + 2|x|` units in the last place (WGSL section 15.7.4, "Accuracy of
//! concrete floating point expressions"). A bound that holds on every adapter starts from these.

use langevin_formats::{Format, Overflow};

/// The unit roundoff of f32 arithmetic with an unspecified rounding direction.
pub const U_ACC: f64 = 1.0 / (1u64 << 23) as f64;

/// The absolute error of one f32 operation whose result is subnormal and may be flushed.
pub const TINY: f64 = f32::MIN_POSITIVE as f64;

/// `exp(x)` is good to `EXP_ULP_BASE + EXP_ULP_SLOPE |x|` units in the last place.
pub const EXP_ULP_BASE: f64 = 3.0;
/// See [`EXP_ULP_BASE`].
pub const EXP_ULP_SLOPE: f64 = 2.0;

/// Units in the last place that `x / y` may be off.
const DIV_ULP: f64 = 2.5;

/// A value with a bound of its error: running error analysis, one method per operation of f32.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounded {
    /// The exact value.
    pub value: f64,
    /// How far the computed value may be from it.
    pub error: f64,
}

impl Rounded {
    /// Nothing is known: an operation left the range of f32, where WGSL promises nothing.
    pub const NOTHING: Self = Self { value: f64::NAN, error: f64::INFINITY };

    /// A value that is stored exactly.
    pub const fn exact(value: f64) -> Self {
        Self { value, error: 0.0 }
    }

    /// A sum of `terms` products in any order, of which the magnitudes sum to `magnitude`.
    ///
    /// Each term passes one multiplication and at most `terms` additions: `gamma(terms + 1) * magnitude`
    /// (Higham, Accuracy and Stability of Numerical Algorithms, section 3.1).
    pub fn dot(value: f64, magnitude: f64, terms: usize) -> Self {
        Self::sum(value, magnitude, terms, terms)
    }

    /// A sum of `terms` results of one operation each, of which the magnitudes sum to `magnitude`, in an order in which no term
    /// passes more than `additions` additions: `gamma(additions + 1) * magnitude`, and what every operation may flush.
    pub fn sum(value: f64, magnitude: f64, terms: usize, additions: usize) -> Self {
        let n = additions.min(terms) as f64 + 1.0;
        let gamma = if n * U_ACC < 0.5 { n * U_ACC / (1.0 - n * U_ACC) } else { f64::INFINITY };
        let flushed = 2.0 * (terms as f64 + 1.0) * TINY;
        let error = if terms == 0 { 0.0 } else { gamma * magnitude + flushed };
        // Partial sums may be as large as the magnitudes together.
        if magnitude > f64::from(f32::MAX) { Self::NOTHING } else { Self { value, error } }
    }

    /// One more f32 operation whose exact result on exact operands is `value`, on operands that already carry `error`.
    fn computed(value: f64, error: f64) -> Self {
        let error = error + U_ACC * (value.abs() + error) + TINY;
        if value.abs() + error > f64::from(f32::MAX) { Self::NOTHING } else { Self { value, error } }
    }

    /// `self + other`, rounded. (The f32 operation, so not `std::ops::Add`.)
    #[allow(clippy::should_implement_trait)]
    pub fn add(self, other: Self) -> Self {
        Self::computed(self.value + other.value, self.error + other.error)
    }

    /// `self - other`, rounded.
    #[allow(clippy::should_implement_trait)]
    pub fn sub(self, other: Self) -> Self {
        self.add(Self { value: -other.value, error: other.error })
    }

    /// `self * other`, rounded.
    #[allow(clippy::should_implement_trait)]
    pub fn mul(self, other: Self) -> Self {
        let error =
            self.error * other.value.abs() + other.error * self.value.abs() + self.error * other.error;
        Self::computed(self.value * other.value, error)
    }

    /// `self / other`, rounded; an infinite error where the divisor may be zero.
    #[allow(clippy::should_implement_trait)]
    pub fn div(self, other: Self) -> Self {
        let smallest = other.value.abs() - other.error;
        if smallest <= 0.0 {
            return Self { value: self.value / other.value, error: f64::INFINITY };
        }
        let value = self.value / other.value;
        let error = (self.error + value.abs() * other.error) / smallest;
        Self { value, error: error + DIV_ULP * U_ACC * (value.abs() + error) + TINY }
    }

    /// `exp(self)`, rounded.
    pub fn exp(self) -> Self {
        let value = self.value.exp();
        // exp(x + e) - exp(x) = exp(x) (exp(e) - 1)
        let error = value * self.error.exp_m1();
        let ulp = EXP_ULP_BASE + EXP_ULP_SLOPE * (self.value.abs() + self.error);
        Self { value, error: error + ulp * U_ACC * (value + error) + TINY }
    }

    /// Stored in `format`, where values beyond the largest may become it.
    ///
    /// Clamping moves no two values apart, so the error stays.
    pub fn store_with(self, format: Format, overflow: Overflow) -> Self {
        let saturates = format != Format::F32 && (overflow == Overflow::Saturate || format == Format::I8);
        let overflows = format.rounding_error(self.value.abs() + self.error).is_infinite();
        if format == Format::E4m3 && !saturates && overflows {
            // There is no infinity: it becomes NaN, or the number it is near.
            return Self::NOTHING;
        }
        if !saturates || !self.value.is_finite() {
            return self.store(format);
        }
        let largest = format.max_finite();
        let value = self.value.clamp(-largest, largest);
        let rounding = format.rounding_error((value.abs() + self.error).min(largest));
        Self { value, error: self.error + rounding }
    }

    /// Stored in `format`; infinite errors where that overflows.
    pub fn store(self, format: Format) -> Self {
        let rounding = match format {
            Format::F32 => 0.0,
            _ => format.rounding_error(self.value.abs() + self.error),
        };
        Self { value: self.value, error: self.error + rounding }
    }
}
