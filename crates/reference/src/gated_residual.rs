//! The end of a transformer branch: a gate and a residual.

use crate::bound::Rounded;
use crate::{Columns, Cost, DescError, Expected, Format, Op, TensorSpec, Tensors};
use ndarray::{Array3, ArrayView2, ArrayView3};

/// `out = residual + gate * x`, with one gate per batch item and column, shared by its rows. (A matmul can end with the
/// same step: see [`MatmulDesc::gate`](crate::MatmulDesc::gate).)
///
/// | tensor | shape | type |
/// |---|---|---|
/// | `x` | `[batch, rows, width]` | [`GatedResidualDesc::x`] |
/// | `residual` | `[batch, rows, width]` | [`GatedResidualDesc::out`] |
/// | `gate` | columns of `[batch, gate.width]`, with [`GatedResidualDesc::gate`] | F32 |
/// | `out` | `[batch, rows, width]` | [`GatedResidualDesc::out`] |
///
/// Without a gate, `out = residual + x`. `x` is in any format (I8 counts as the integers it holds), arithmetic is f32,
/// `residual` and `out` are F32, F16 or BF16; F16 and BF16 overflow to infinity. A gate of zero leaves a finite
/// residual as it is (subnormals may be flushed). NaN and infinity reach only the element they stand in, as some value.
///
/// Error bound, per element, with `u = 2^-23`: `u |gate x| + u |out|`, plus half a unit in the last place of `out`.
///
/// # Errors
/// [`DescError::Field`] for an `out` of 8 bits or a gate whose columns leave its matrix; [`DescError::TooLarge`] for
/// more elements than u32 counts.
///
/// # Example
/// ```
/// use langevin_reference::{Columns, Format, GatedResidualDesc, Op, Tensor, Tensors};
/// let desc = GatedResidualDesc { width: 1, gate: Some(Columns::all(1)), ..Default::default() };
/// let mut inputs = Tensors::new();
/// inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 1, 1], &[3.0])?);
/// inputs.insert("residual", Tensor::from_f32(Format::F32, &[1, 1, 1], &[10.0])?);
/// inputs.insert("gate", Tensor::from_f32(Format::F32, &[1, 1], &[0.5])?);
/// assert_eq!(desc.evaluate(&inputs)?[0].values()[[0, 0, 0]], 11.5);
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
///
/// Source: Peebles and Xie, arXiv 2212.09748, section 3.2 (adaLN-Zero).
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize, serde::Deserialize),
    serde(default, deny_unknown_fields)
)]
pub struct GatedResidualDesc {
    /// Groups of rows that share a gate.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub batch: usize,
    /// Rows of each batch item.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub rows: usize,
    /// Elements of a row.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub width: usize,
    /// How `x` is stored.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub x: Format,
    /// How `residual` and `out` are stored: F32, F16 or BF16.
    pub out: Format,
    /// Where the gate stands in its matrix.
    pub gate: Option<Columns>,
}

impl Default for GatedResidualDesc {
    /// One F32 row of width 0 without a gate: give `width`.
    fn default() -> Self {
        Self { batch: 1, rows: 1, width: 0, x: Format::F32, out: Format::F32, gate: None }
    }
}

impl Op for GatedResidualDesc {
    const NAME: &'static str = "gated_residual";

    fn validate(&self) -> Result<(), DescError> {
        if !matches!(self.out, Format::F32 | Format::F16 | Format::BF16) {
            return Err(Self::field_error("out", "f32, f16 or bf16", self.out));
        }
        if let Some(Columns { start, width }) = self.gate
            && start.checked_add(self.width).is_none_or(|end| end > width)
        {
            let got = format!("columns {start}..{start}+{} of {width}", self.width);
            return Err(Self::field_error("gate", "columns inside its matrix", got));
        }
        self.check_index_range()
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        let shape = [self.batch, self.rows, self.width];
        let mut specs =
            vec![TensorSpec::input("x", self.x, &shape), TensorSpec::input("residual", self.out, &shape)];
        specs.extend(self.gate.map(|gate| TensorSpec::input("gate", Format::F32, &[self.batch, gate.width])));
        specs.push(TensorSpec::output("out", self.out, &shape));
        specs
    }

    fn cost(&self) -> Cost {
        let per_element = if self.gate.is_some() { 2.0 } else { 1.0 };
        let tensors = self.tensors();
        let cost = Cost::of(per_element * self.batch as f64 * self.rows as f64 * self.width as f64, &tensors);
        cost.touching(&tensors, "gate", self.batch as f64 * self.width as f64)
    }

    fn answer(&self, inputs: &Tensors) -> Vec<Expected> {
        let value = |name: &str| inputs.values(name).unwrap_or_default();
        let (x, residual, gate) = (value("x"), value("residual"), inputs.values("gate"));
        let out = Array3::from_shape_fn((self.batch, self.rows, self.width), |(item, row, column)| {
            let mut y = Rounded::exact(x[[item, row, column]]);
            if let (Some(gate), Some(Columns { start, .. })) = (&gate, self.gate) {
                y = y.mul(Rounded::exact(gate[[item, start + column]]));
            }
            Rounded::exact(residual[[item, row, column]]).add(y).store(self.out)
        });
        vec![Expected::bounded("out", out.mapv(|y| y.value).into_dyn(), out.mapv(|y| y.error).into_dyn())]
    }
}

/// `residual + gate * x` in f64: `x` and `residual` are `[batch, rows, width]`, `gate` is `[batch, width]`.
///
/// # Errors
/// [`DescError::Shape`] when the shapes do not fit together.
pub fn gated_residual(
    x: ArrayView3<'_, f64>,
    residual: ArrayView3<'_, f64>,
    gate: ArrayView2<'_, f64>,
) -> Result<Array3<f64>, DescError> {
    let (batch, _, width) = x.dim();
    let shape = |tensor: &str, expected: &[usize], got: &[usize]| {
        if expected == got {
            return Ok(());
        }
        let (op, tensor, expected) = (GatedResidualDesc::NAME, tensor.to_owned(), format!("{expected:?}"));
        Err(DescError::Shape { op, tensor, expected, got: got.to_vec() })
    };
    shape("residual", x.shape(), residual.shape())?;
    shape("gate", &[batch, width], gate.shape())?;
    Ok(Array3::from_shape_fn(x.dim(), |(item, row, column)| {
        residual[[item, row, column]] + gate[[item, column]] * x[[item, row, column]]
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tensor, compare};

    fn inputs(gate: &[f32]) -> Tensors {
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[2, 1, 2], &[1.0, 2.0, 3.0, 4.0]).unwrap());
        let residual = Tensor::from_f32(Format::F32, &[2, 1, 2], &[10.0, 20.0, 30.0, 40.0]).unwrap();
        inputs.insert("residual", residual);
        inputs.insert("gate", Tensor::from_f32(Format::F32, &[2, gate.len() / 2], gate).unwrap());
        inputs
    }

    #[test]
    fn the_gate_is_read_at_its_columns_of_its_batch_item() {
        let gate = Some(Columns { start: 1, width: 3 });
        let desc = GatedResidualDesc { batch: 2, width: 2, gate, ..Default::default() };
        let inputs = inputs(&[9.0, 0.5, -1.0, 9.0, 2.0, 0.0]);
        let answer = desc.evaluate(&inputs).unwrap().remove(0);
        assert_eq!(answer.values().as_slice(), Some(&[10.5, 18.0, 36.0, 40.0][..]));
        // A gate read one column off must not pass.
        let off = GatedResidualDesc { gate: Some(Columns { start: 0, width: 3 }), ..desc };
        let wrong: Vec<f32> =
            off.evaluate(&inputs).unwrap().remove(0).values().iter().map(|&y| y as f32).collect();
        assert!(!compare(&answer, &Tensor::from_f32(Format::F32, &[2, 1, 2], &wrong).unwrap()).passed());
    }

    #[test]
    fn without_a_gate_it_is_a_sum_and_it_may_be_empty() {
        let desc = GatedResidualDesc { batch: 2, width: 2, ..Default::default() };
        let mut inputs = inputs(&[0.0, 0.0]);
        inputs.remove("gate");
        let answer = desc.evaluate(&inputs).unwrap().remove(0);
        assert_eq!(answer.values().as_slice(), Some(&[11.0, 22.0, 33.0, 44.0][..]));
        for name in ["x", "residual"] {
            inputs.insert(name, Tensor::from_f32(Format::F32, &[2, 1, 0], &[]).unwrap());
        }
        let empty = GatedResidualDesc { width: 0, ..desc };
        assert!(empty.evaluate(&inputs).unwrap().remove(0).values().is_empty());
    }

    #[test]
    fn shapes_that_do_not_fit_are_named() {
        let (x, gate) = (Array3::zeros((2, 3, 4)), ndarray::Array2::zeros((2, 5)));
        let error = gated_residual(x.view(), x.view(), gate.view()).unwrap_err().to_string();
        assert_eq!(error, "gated_residual: tensor `gate` must have shape [2, 4], got [2, 5]");
    }
}
