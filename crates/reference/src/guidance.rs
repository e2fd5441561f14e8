//! Classifier-free guidance and the sampler's Euler step.

use crate::bound::Rounded;
use crate::{Cost, DescError, Expected, Format, Op, TensorSpec, Tensors};
use ndarray::{Array2, ArrayView2, Axis};

/// One step of a flow: `out = x + dt * v`, where
///
/// - guided: `v = v_uncond + s (v_cond - v_uncond)`;
/// - unguided: `v = velocity`.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `velocity` | guided `[2 * batch, width]`, the conditional rows first; unguided `[batch, width]` | F32 |
/// | `x` | `[batch, width]` | F32 |
/// | `factors` | `[2]`: the guidance scale `s`, the time step `dt` | F32 |
/// | `out` | `[batch, width]` | F32 |
///
/// A scale of 1 is the conditional velocity, 0 the unconditional one; above 1 it extrapolates. (Some papers call `s -
/// 1` the scale.) `factors` is the caller's slot and may change between two runs of the same call; without guidance its
/// first number is not used. Nothing is clamped: the result is finite while each step of the formula stays in the range
/// of f32. `width` counts all numbers of a sample, whatever its shape.
///
/// Error bound, per element, with `u = 2^-23`: each of the at most five operations adds one `u` of its result, and the
/// error of the difference of the velocities is multiplied by `|s dt|`. Large where the guidance extrapolates far:
/// about `u |dt| (2 |s| |v_cond - v_uncond| + 2 |v|) + u |out|`.
///
/// # Errors
/// [`DescError::TooLarge`] for more elements than u32 counts.
///
/// # Example
/// ```
/// use langevin_reference::{Format, GuidanceDesc, Op, Tensor, Tensors};
/// let desc = GuidanceDesc { batch: 1, width: 1, guided: true };
/// let mut inputs = Tensors::new();
/// inputs.insert("velocity", Tensor::from_f32(Format::F32, &[2, 1], &[3.0, 1.0])?);
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 1], &[10.0])?);
/// inputs.insert("factors", Tensor::from_f32(Format::F32, &[2], &[2.0, -0.5])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values()[[0, 0]], 10.0 - 0.5 * 5.0);
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Sources: Ho and Salimans, arXiv 2207.12598, with `s = 1 + w`; Liu, Gong and Liu, arXiv 2209.03003 (rectified flow).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct GuidanceDesc {
    /// Samples.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Numbers of a sample.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub width: usize,
    /// Whether the velocity is given twice, with the condition and without.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub guided: bool,
}

impl Default for GuidanceDesc {
    /// One unguided sample of width 0: give `width`.
    fn default() -> Self {
        Self { batch: 1, width: 0, guided: false }
    }
}

impl Op for GuidanceDesc {
    const NAME: &'static str = "guidance";

    fn validate(&self) -> Result<(), DescError> {
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let Self { batch, width, guided } = *self;
        // A batch that cannot be doubled is too large anyway.
        let velocities = if guided { batch.saturating_mul(2) } else { batch };
        vec![
            TensorSpec::input("velocity", Format::F32, &[velocities, width]),
            TensorSpec::input("x", Format::F32, &[batch, width]),
            TensorSpec::input("factors", Format::F32, &[2]),
            TensorSpec::output("out", Format::F32, &[batch, width]),
        ]
    }

    fn cost(&self) -> Cost {
        let per_element = if self.guided { 5.0 } else { 2.0 };
        Cost::of(per_element * self.batch as f64 * self.width as f64, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let value = |name: &str| inputs.values(name).unwrap_or_default();
        let (velocity, x, factors) = (value("velocity"), value("x"), value("factors"));
        let (scale, dt) = (Rounded::exact(factors[[0]]), Rounded::exact(factors[[1]]));
        let out = Array2::from_shape_fn((self.batch, self.width), |(item, column)| {
            let mut v = Rounded::exact(velocity[[item, column]]);
            if self.guided {
                let unconditional = Rounded::exact(velocity[[self.batch + item, column]]);
                v = unconditional.add(scale.mul(v.sub(unconditional)));
            }
            Rounded::exact(x[[item, column]]).add(dt.mul(v))
        });
        vec![Expected::bounded("out", out.mapv(|y| y.value).into_dyn(), out.mapv(|y| y.error).into_dyn())]
    }
}

/// `x + dt (v_uncond + scale (v_cond - v_uncond))` in f64: `velocity` is `[2 * batch, width]`, the conditional rows
/// first.
///
/// # Errors
/// [`DescError::Shape`] when `velocity` is not twice as tall as `x` and as wide.
pub fn guidance(
    velocity: ArrayView2<'_, f64>,
    x: ArrayView2<'_, f64>,
    scale: f64,
    dt: f64,
) -> Result<Array2<f64>, DescError> {
    let (batch, width) = x.dim();
    if velocity.dim() != (2 * batch, width) {
        return Err(DescError::Shape {
            op: GuidanceDesc::NAME,
            tensor: "velocity".into(),
            expected: format!("[{}, {width}]", 2 * batch),
            got: velocity.shape().to_vec(),
        });
    }
    let (conditional, unconditional) = velocity.split_at(Axis(0), batch);
    let guided = &unconditional + scale * (&conditional - &unconditional);
    Ok(&x + dt * guided)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tensor, compare};

    fn step(desc: &GuidanceDesc, scale: f32, dt: f32) -> Expected {
        let f32s = |shape: &[usize], values: &[f32]| Tensor::from_f32(Format::F32, shape, values).unwrap();
        let mut inputs = Tensors::new();
        let velocity: &[f32] = if desc.guided { &[3.0, 5.0, 1.0, -1.0] } else { &[3.0, 5.0] };
        inputs.insert("velocity", f32s(&[velocity.len() / 2, 2], velocity));
        inputs.insert("x", f32s(&[1, 2], &[10.0, 20.0]));
        inputs.insert("factors", f32s(&[2], &[scale, dt]));
        desc.evaluate(&inputs).unwrap().remove(0)
    }

    fn values(expected: &Expected) -> Vec<f64> {
        expected.values().iter().copied().collect()
    }

    #[test]
    fn the_scale_extrapolates_from_the_unconditional_velocity() {
        let guided = GuidanceDesc { batch: 1, width: 2, guided: true };
        assert_eq!(values(&step(&guided, 2.0, -0.5)), [7.5, 14.5]);
        assert_eq!(values(&step(&guided, 0.0, 1.0)), [11.0, 19.0]);
        let alone = GuidanceDesc { guided: false, ..guided };
        assert_eq!(values(&step(&guided, 1.0, 0.5)), values(&step(&alone, 7.0, 0.5)));
    }

    /// The other convention's scale, `s - 1`, is another answer.
    #[test]
    fn the_other_convention_does_not_pass() {
        let guided = GuidanceDesc { batch: 1, width: 2, guided: true };
        let other: Vec<f32> = values(&step(&guided, 1.0, 0.5)).iter().map(|&y| y as f32).collect();
        let other = Tensor::from_f32(Format::F32, &[1, 2], &other).unwrap();
        assert!(compare(&step(&guided, 1.0, 0.5), &other).passed());
        assert!(!compare(&step(&guided, 2.0, 0.5), &other).passed());
    }

    #[test]
    fn an_empty_batch_has_no_answer_and_a_wrong_shape_is_named() {
        let empty = GuidanceDesc { batch: 0, width: 3, guided: true };
        let inputs = crate::generate::inputs(&empty, 0);
        assert!(empty.evaluate(&inputs).unwrap().remove(0).values().is_empty());
        let (velocity, x) = (Array2::zeros((3, 2)), Array2::zeros((2, 2)));
        let error = guidance(velocity.view(), x.view(), 1.0, 1.0).unwrap_err().to_string();
        assert_eq!(error, "guidance: tensor `velocity` must have shape [4, 2], got [3, 2]");
    }
}
