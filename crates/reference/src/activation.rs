//! Element-wise functions.

use crate::bound::{Rounded, TINY, U_ACC};
use crate::{Cost, DescError, Expected, Format, Op, TensorSpec, Tensors};
use std::f64::consts::FRAC_1_SQRT_2;

/// An element-wise function, fused into the end of a matmul or run by itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Activation {
    /// `x`
    #[default]
    Identity,
    /// `max(x, 0)`
    Relu,
    /// `x / 2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))` (Hendrycks and Gimpel, arXiv 1606.08415)
    GeluTanh,
    /// `x / 2 (1 + erf(x / sqrt(2)))`, the GELU that the tanh form approximates (PyTorch's default)
    GeluErf,
    /// `x / (1 + exp(-x))`
    Silu,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Self; 5] = [Self::Identity, Self::Relu, Self::GeluTanh, Self::GeluErf, Self::Silu];

    /// The function, in f64.
    pub fn apply(self, x: f64) -> f64 {
        match self {
            Self::Identity => x,
            Self::Relu => x.max(0.0),
            Self::GeluTanh => x / (1.0 + (-2.0 * gelu_argument(x)).exp()),
            // 1 + erf(-z) would cancel.
            Self::GeluErf => 0.5 * x * libm::erfc(-x * FRAC_1_SQRT_2),
            Self::Silu => x / (1.0 + (-x).exp()),
        }
    }

    /// The largest slope anywhere: an error in the argument grows by at most this factor.
    ///
    /// SiLU's steepest slope is 1.0998 (at x = 2.3994), those of the GELUs 1.1290 (at x = 1.4618 and at sqrt(2)); all are
    /// rounded up.
    pub const fn lipschitz(self) -> f64 {
        match self {
            Self::Identity | Self::Relu => 1.0,
            Self::GeluTanh | Self::GeluErf => 1.13,
            Self::Silu => 1.1,
        }
    }

    /// The function of a value that carries an error.
    pub fn apply_rounded(self, x: Rounded) -> Rounded {
        let value = self.apply(x.value);
        let carried = self.lipschitz() * x.error;
        let own = match self {
            Self::Identity | Self::Relu => 0.0,
            Self::GeluTanh => x_sigmoid_error(x, 2.0 * gelu_argument(x.value), gelu_argument_error(x)),
            Self::GeluErf => gelu_erf_error(x),
            Self::Silu => x_sigmoid_error(x, x.value, 0.0),
        };
        Rounded { value, error: carried + own }
    }
}

/// `out = activation(x)`, element by element. (A matmul can apply one to its result for nothing: see
/// [`MatmulDesc::activation`](crate::MatmulDesc::activation).)
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[rows, width]` | [`ActivationDesc::x`] |
/// | `out` | `[rows, width]` | [`ActivationDesc::out`] |
///
/// `x` is in any format (I8 counts as the integers it holds), arithmetic is f32, `out` is F32, F16 or BF16 and
/// overflows to infinity. NaN and infinity in `x` reach only the element they stand in, as some
/// value.
///
/// Error bound: none of its own for identity and ReLU. For GELU's tanh form and SiLU, `x / (1 + exp(-t))`: with `s` the
/// sigmoid of `t`, `|x| (s (1 - s) e + 4.5 u)`, where `u = 2^-23` and `e = (3 + 2 |t|) u` is the error of `exp`, to which
/// GELU adds that of its argument, `8 u |t|`. GELU by erf is `x / 2 erfc(-x / sqrt(2))`, where erfc has the absolute error
/// 1.5e-7 (Abramowitz and Stegun 7.1.26) and the relative one `(24 + 5 z^2) u` at `z = x / sqrt(2)`. Then half a unit in
/// the last place of `out`.
///
/// # Errors
/// [`DescError::Field`] for an `out` of 8 bits; [`DescError::TooLarge`] for more elements than u32 counts.
///
/// # Example
/// ```
/// use langevin_reference::{Activation, ActivationDesc, Format, Op, Tensor, Tensors};
/// let desc = ActivationDesc { rows: 1, width: 2, activation: Activation::Relu, ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 2], &[-1.0, 2.0])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values().as_slice(), Some(&[0.0, 2.0][..]));
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: Hendrycks and Gimpel, arXiv 1606.08415; Abramowitz and Stegun, Handbook of Mathematical Functions, 7.1.26.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct ActivationDesc {
    /// Rows.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub rows: usize,
    /// Elements of a row.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub width: usize,
    /// The function.
    pub activation: Activation,
    /// How `x` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x: Format,
    /// How `out` is stored: F32, F16 or BF16.
    pub out: Format,
}

impl Default for ActivationDesc {
    /// The identity of one F32 row of width 0: give `width` and `activation`.
    fn default() -> Self {
        Self { rows: 1, width: 0, activation: Activation::Identity, x: Format::F32, out: Format::F32 }
    }
}

impl Op for ActivationDesc {
    const NAME: &'static str = "activation";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.out, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("out", "f32, f16 or bf16", self.out));
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let shape = [self.rows, self.width];
        vec![TensorSpec::input("x", self.x, &shape), TensorSpec::output("out", self.out, &shape)]
    }

    fn cost(&self) -> Cost {
        let per_element = match self.activation {
            Activation::Identity => 0.0,
            Activation::Relu => 1.0,
            Activation::GeluTanh => 10.0,
            Activation::GeluErf => 20.0,
            Activation::Silu => 4.0,
        };
        Cost::of(per_element * self.rows as f64 * self.width as f64, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let x = inputs.values("x").unwrap_or_default();
        let out = x.mapv(|x| self.activation.apply_rounded(Rounded::exact(x)).store(self.out));
        vec![Expected::bounded("out", out.mapv(|y| y.value), out.mapv(|y| y.error))]
    }
}

/// `sqrt(2 / pi) (x + 0.044715 x^3)`
fn gelu_argument(x: f64) -> f64 {
    (2.0 / std::f64::consts::PI).sqrt() * (x + 0.044715 * x * x * x)
}

/// The rounding of twice [`gelu_argument`] in f32: six operations and two rounded constants, all of one sign.
fn gelu_argument_error(x: Rounded) -> f64 {
    let largest = x.value.abs() + x.error;
    8.0 * U_ACC * 2.0 * gelu_argument(largest).abs() + 8.0 * TINY
}

/// The error that evaluating `x / (1 + exp(-t))` in f32 adds, where `t` itself carries `t_error`.
///
/// With s = sigmoid(t), a relative error d of exp(-t) changes s by s (1 - s) d, and so does an absolute error of t; the
/// addition, division and clamp of `t` to +-80 follow.
fn x_sigmoid_error(x: Rounded, t: f64, t_error: f64) -> f64 {
    let magnitude = x.value.abs() + x.error;
    // The slope is largest at t = 0 and falls as |t| grows: take it at the nearest point the error allows.
    let nearest = (t.abs() - t_error).max(0.0);
    // s (1 - s), written so that it does not cancel to zero where s is close to 1.
    let decay = (-nearest).exp();
    let slope = decay / ((1.0 + decay) * (1.0 + decay));
    let exp = (Rounded { value: -(t.abs().min(80.0)), error: t_error }).exp();
    let relative = if exp.value > 0.0 { (exp.error / exp.value).min(1.0) } else { 1.0 };
    let division = 4.5 * U_ACC / (1.0 + (-t).exp()).max(1.0);
    let clamp = (-80.0f64).exp();
    magnitude * (slope * relative + division + clamp) + 4.0 * TINY
}

/// The largest absolute error of the rational approximation of erfc.
const ERFC_ERROR: f64 = 1.5e-7;

/// The error that evaluating `x / 2 erfc(-x / sqrt(2))` in f32 adds: `erfc(z) = t p(t) exp(-z^2)`, `t = 1 / (1 + c z)`,
/// for positive z, and `2 - erfc(z)` else.
fn gelu_erf_error(x: Rounded) -> f64 {
    let magnitude = x.value.abs() + x.error;
    let z = x.value.abs() * FRAC_1_SQRT_2;
    let farthest = z + x.error * FRAC_1_SQRT_2;
    // The error of z^2 makes one of exp: three roundings, the square and exp's own 3 + 2 z^2, all but the last doubled.
    // t (2.5 u and two roundings, to the fifth power at most), the polynomial and three products make at most 24.
    let relative = (24.0 + 5.0 * farthest * farthest) * U_ACC;
    let nearest = (z - x.error * FRAC_1_SQRT_2).max(0.0);
    // The tail flushes to zero where exp does.
    let erfc = libm::erfc(nearest) * relative.min(1.0) + ERFC_ERROR + 4.0 * TINY;
    0.5 * magnitude * (erfc + 4.0 * U_ACC * libm::erfc(-farthest)) + 4.0 * TINY
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Tensor;
    use approx::assert_relative_eq;

    #[test]
    fn known_values() {
        // From jax.nn.gelu(approximate=True) and jax.nn.silu in f64.
        assert_relative_eq!(Activation::GeluTanh.apply(1.0), 0.841_191_990_608_276_8, max_relative = 1e-15);
        assert_relative_eq!(Activation::GeluTanh.apply(-0.5), -0.154_285_990_174_856_1, max_relative = 1e-14);
        // From 0.5 x scipy.special.erfc(-x / sqrt(2)).
        assert_relative_eq!(Activation::GeluErf.apply(1.0), 0.841_344_746_068_542_9, max_relative = 1e-15);
        assert_relative_eq!(
            Activation::GeluErf.apply(-5.0),
            -1.433_257_859_395_972_5e-6,
            max_relative = 1e-13
        );
        assert_relative_eq!(Activation::Silu.apply(2.0), 1.761_594_155_955_764_8, max_relative = 1e-15);
        assert_eq!(Activation::Relu.apply(-3.0), 0.0);
        assert_eq!(Activation::Identity.apply(-3.0), -3.0);
    }

    #[test]
    fn the_lipschitz_constants_bound_every_slope() {
        for activation in Activation::ALL {
            let slope = (-80_000..80_000)
                .map(|i| f64::from(i) * 1e-4)
                .map(|x| (activation.apply(x + 1e-4) - activation.apply(x)).abs() / 1e-4)
                .fold(0.0, f64::max);
            // The quotient's own rounding: two values up to 8, over 1e-4.
            let rounding = 4.0 * 8.0 * f64::EPSILON / 1e-4;
            assert!(slope <= activation.lipschitz() + rounding, "{activation:?} has slope {slope}");
            assert!(slope > 0.99 * activation.lipschitz(), "{activation:?}'s constant is loose: {slope}");
        }
    }

    #[test]
    fn f32_evaluation_on_the_host_stays_within_the_bound() {
        let silu = |x: f32| x / (1.0 + (-x).exp());
        let gelu = |x: f32| x / (1.0 + (-2.0 * 0.797_884_6 * (x + 0.044715 * x * x * x)).exp());
        let gelu_erf = |x: f32| {
            let z = x.abs() * 0.707_106_77;
            let t = 1.0 / (1.0 + 0.327_591_1 * z);
            let p = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t
                + 0.254_829_6)
                * t;
            let tail = 0.5 * p * (-z * z).exp();
            x * if x < 0.0 { tail } else { 1.0 - tail }
        };
        for i in -4000i16..4000 {
            let x = f32::from(i) * 0.01;
            let cases = [
                (Activation::Silu, silu(x)),
                (Activation::GeluTanh, gelu(x)),
                (Activation::GeluErf, gelu_erf(x)),
            ];
            for (activation, got) in cases {
                let bound = activation.apply_rounded(Rounded::exact(f64::from(x)));
                let error = (f64::from(got) - bound.value).abs();
                assert!(error <= bound.error, "{activation:?}({x}) errs by {error}, bound {}", bound.error);
                let loose = bound.error > 1e-5 * (1.0 + f64::from(x.abs()));
                assert!(!loose, "{activation:?}({x}) has a loose bound {}", bound.error);
            }
        }
    }

    /// Far out the function is tiny, and an error of exp is not small beside it: the bound must know.
    #[test]
    fn tails_have_the_error_of_exp_in_their_bound() {
        for (activation, x) in [(Activation::Silu, -60.0), (Activation::GeluTanh, -5.7)] {
            let bound = activation.apply_rounded(Rounded::exact(x));
            assert!(bound.error >= 40.0 * U_ACC * bound.value.abs(), "{activation:?}: {bound:?}");
            assert!(bound.error <= 1e4 * U_ACC * bound.value.abs(), "{activation:?}: {bound:?}");
        }
    }

    #[test]
    fn an_operation_maps_every_element_and_may_be_empty() {
        let desc = ActivationDesc { rows: 2, width: 2, activation: Activation::Relu, ..Default::default() };
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[2, 2], &[-1.0, 2.0, 3.0, -4.0]).unwrap());
        let answer = desc.evaluate(&inputs).unwrap().remove(0);
        assert_eq!(answer.values().as_slice(), Some(&[0.0, 2.0, 3.0, 0.0][..]));
        let empty = ActivationDesc { rows: 0, width: 5, ..Default::default() };
        inputs.insert("x", Tensor::from_f32(Format::F32, &[0, 5], &[]).unwrap());
        assert!(empty.evaluate(&inputs).unwrap().remove(0).values().is_empty());
    }
}
