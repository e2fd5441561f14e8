//! A sampler's step: linear combinations of what it knows.

use crate::bound::Rounded;
use crate::{Cost, DescError, Expected, Format, Op, Role, TensorSpec, Tensors};
use ndarray::{Array2, ArrayView2, Axis, concatenate};

/// `state[i] = sum_j factors[i, j] input[j]`, where the inputs are the rows of `state` as they were, then those of
/// `prediction`, then `noise`. Rows are combined element by element.
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `prediction` | `[predictions, elements]` | F32 |
/// | `noise` | `[elements]`, with [`CombineDesc::noise`] | F32 |
/// | `factors` | `[states, states + predictions + 1 with noise]` | F32 |
/// | `state` | `[states, elements]`, read, then overwritten | F32 |
///
/// Every sampler of a diffusion model is of this form once its numbers are known: row 0 of `state` is the sample, the
/// others are what a multi-step method remembers, and `prediction` is what the network said. Classifier-free guidance
/// (`u + s (c - u)`, Ho and Salimans, arXiv 2207.12598, with `s = 1 + w`) is part of it: a factor f of the guided
/// prediction is `s f` of the conditional row and `(1 - s) f` of the unconditional one. An Euler step of a flow,
/// `x + dt (u + s (c - u))`, has the factors `1, s dt, (1 - s) dt`. The next step's factors go into the same buffer; it is
/// read when the call runs.
///
/// A factor of zero does not shield a result from infinity or NaN. A row of zeros but for one 1 is a copy, to the bit
/// (-0 may become 0): so remembered values move on.
///
/// Error bound, per element: `gamma(n + 1) sum |factors| |inputs|` for n inputs, with `u = 2^-23` (WGSL leaves the rounding
/// direction open). Where that sum leaves the range of f32 nothing is promised.
///
/// # Errors
/// [`DescError::Field`] for no states or more than 8, and for more than 8 predictions; [`DescError::TooLarge`] for more
/// elements than u32 counts.
///
/// # Example
/// ```
/// use langevin_reference::{CombineDesc, Format, Op, Tensor, Tensors};
/// let desc = CombineDesc { elements: 1, predictions: 2, ..Default::default() };
/// let (scale, dt) = (2.0, -0.5);
/// let mut inputs = Tensors::new();
/// inputs.insert("state", Tensor::from_f32(Format::F32, &[1, 1], &[10.0])?);
/// inputs.insert("prediction", Tensor::from_f32(Format::F32, &[2, 1], &[3.0, 1.0])?);
/// inputs.insert("factors", Tensor::from_f32(Format::F32, &[1, 3], &[1.0, scale * dt, (1.0 - scale) * dt])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values()[[0, 0]], 10.0 - 0.5 * 5.0);
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct CombineDesc {
    /// Rows that are kept from step to step.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub states: usize,
    /// Rows that the model gives.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub predictions: usize,
    /// Whether fresh noise joins.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub noise: bool,
    /// Numbers of a row: all samples, whatever their shape.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub elements: usize,
}

/// The most rows of either kind: each is held in registers.
const MAX_ROWS: usize = 8;

impl Default for CombineDesc {
    /// One state, one prediction, no noise, no elements: give `elements`.
    fn default() -> Self {
        Self { states: 1, predictions: 1, noise: false, elements: 0 }
    }
}

impl CombineDesc {
    /// How many rows are combined.
    pub const fn inputs(&self) -> usize {
        self.states.saturating_add(self.predictions).saturating_add(self.noise as usize)
    }
}

impl Op for CombineDesc {
    const NAME: &'static str = "combine";

    fn validate(&self) -> Result<(), DescError> {
        if !(1..=MAX_ROWS).contains(&self.states) {
            return Err(Self::field_error("states", format!("from 1 to {MAX_ROWS}"), self.states));
        }
        if self.predictions > MAX_ROWS {
            return Err(Self::field_error("predictions", format!("at most {MAX_ROWS}"), self.predictions));
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let Self { states, predictions, noise, elements } = *self;
        let mut specs = Vec::new();
        if predictions > 0 {
            specs.push(TensorSpec::input("prediction", Format::F32, &[predictions, elements]));
        }
        specs.extend(noise.then(|| TensorSpec::input("noise", Format::F32, &[elements])));
        specs.push(TensorSpec::input("factors", Format::F32, &[states, self.inputs()]));
        let state = TensorSpec::output("state", Format::F32, &[states, elements]);
        specs.push(TensorSpec { role: Role::InOut, ..state });
        specs
    }

    fn cost(&self) -> Cost {
        let flops = 2.0 * self.states as f64 * self.inputs() as f64 * self.elements as f64;
        Cost::of(flops, &self.tensors())
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let mut rows = Vec::new();
        for name in ["state", "prediction", "noise"] {
            let values = inputs.values(name).unwrap_or_default();
            rows.extend(
                values.into_iter().collect::<Vec<f64>>().chunks(self.elements.max(1)).map(<[_]>::to_vec),
            );
        }
        let factors = inputs.values("factors").unwrap_or_default();
        let combined = |row: usize, column: usize| {
            let terms = rows.iter().enumerate().map(|(j, values)| factors[[row, j]] * values[column]);
            let (value, magnitude) = terms.fold((0.0, 0.0), |(v, m), term: f64| (v + term, m + term.abs()));
            Rounded::dot(value, magnitude, rows.len())
        };
        let out = Array2::from_shape_fn((self.states, self.elements), |(i, column)| combined(i, column));
        let (value, bound) = (out.mapv(|y| y.value).into_dyn(), out.mapv(|y| y.error).into_dyn());
        vec![Expected::bounded("state", value, bound)]
    }
}

/// `factors [state; prediction]` in f64: the matrix product of all factors with all rows.
///
/// # Errors
/// [`DescError::Shape`] when the shapes do not fit together.
pub fn combine(
    state: ArrayView2<'_, f64>,
    prediction: ArrayView2<'_, f64>,
    factors: ArrayView2<'_, f64>,
) -> Result<Array2<f64>, DescError> {
    let (op, elements) = (CombineDesc::NAME, state.ncols());
    let wrong = |tensor: &str, expected: String, got: &[usize]| DescError::Shape {
        op,
        tensor: tensor.into(),
        expected,
        got: got.to_vec(),
    };
    let rows = concatenate(Axis(0), &[state, prediction])
        .map_err(|_| wrong("prediction", format!("[rows, {elements}]"), prediction.shape()))?;
    if factors.dim() != (state.nrows(), rows.nrows()) {
        let expected = format!("[{}, {}]", state.nrows(), rows.nrows());
        return Err(wrong("factors", expected, factors.shape()));
    }
    Ok(factors.dot(&rows))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tensor, compare};
    use ndarray::array;

    const GUIDED: CombineDesc = CombineDesc { states: 1, predictions: 2, noise: false, elements: 2 };

    fn step(desc: &CombineDesc, rows: &[(&str, &[f32])], factors: &[f32]) -> Expected {
        let mut inputs = Tensors::new();
        for spec in desc.tensors() {
            let given =
                rows.iter().find(|(name, _)| *name == spec.name).map_or(factors, |(_, values)| *values);
            inputs.insert(spec.name, Tensor::from_f32(Format::F32, &spec.shape, given).unwrap());
        }
        desc.evaluate(&inputs).unwrap().remove(0)
    }

    fn guided(scale: f32, dt: f32) -> Expected {
        let rows: [(&str, &[f32]); 2] = [("state", &[10.0, 20.0]), ("prediction", &[3.0, 5.0, 1.0, -1.0])];
        step(&GUIDED, &rows, &[1.0, scale * dt, (1.0 - scale) * dt])
    }

    fn values(expected: &Expected) -> Vec<f64> {
        expected.values().iter().copied().collect()
    }

    #[test]
    fn guidance_extrapolates_from_the_unconditional_prediction() {
        assert_eq!(values(&guided(2.0, -0.5)), [7.5, 14.5]);
        assert_eq!(values(&guided(0.0, 1.0)), [11.0, 19.0]);
        assert_eq!(values(&guided(1.0, 0.5)), [11.5, 22.5]);
    }

    /// The other convention's scale, `s - 1`, is another answer.
    #[test]
    fn the_other_convention_does_not_pass() {
        let other: Vec<f32> = values(&guided(1.0, 0.5)).iter().map(|&y| y as f32).collect();
        let other = Tensor::from_f32(Format::F32, &[1, 2], &other).unwrap();
        assert!(compare(&guided(1.0, 0.5), &other).passed());
        assert!(!compare(&guided(2.0, 0.5), &other).passed());
    }

    #[test]
    fn every_row_is_made_of_the_rows_as_they_were() {
        let desc = CombineDesc { states: 2, predictions: 1, noise: true, elements: 1 };
        let rows: [(&str, &[f32]); 3] = [("state", &[2.0, 3.0]), ("prediction", &[5.0]), ("noise", &[7.0])];
        // Row 1 takes the old row 0: the new one is 68.
        let out = step(&desc, &rows, &[1.0, 2.0, 5.0, 5.0, 1.0, 0.0, 0.0, 0.0]);
        assert_eq!(values(&out), [68.0, 2.0]);
    }

    #[test]
    fn an_empty_row_has_no_answer_and_wrong_sizes_are_named() {
        let empty = CombineDesc { elements: 0, ..GUIDED };
        let inputs = crate::generate::inputs(&empty, 0);
        assert!(empty.evaluate(&inputs).unwrap().remove(0).values().is_empty());
        for (desc, sentence) in [
            (CombineDesc { states: 0, ..GUIDED }, "combine: `states` must be from 1 to 8, got 0"),
            (CombineDesc { predictions: 9, ..GUIDED }, "combine: `predictions` must be at most 8, got 9"),
        ] {
            assert_eq!(desc.validate().unwrap_err().to_string(), sentence);
        }
        let (state, prediction) = (array![[1.0, 2.0]], array![[3.0, 4.0]]);
        let error = |factors: Array2<f64>| {
            combine(state.view(), prediction.view(), factors.view()).unwrap_err().to_string()
        };
        assert_eq!(error(array![[1.0]]), "combine: tensor `factors` must have shape [1, 2], got [1, 1]");
    }
}
