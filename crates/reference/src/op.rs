use crate::generate::Random;
use crate::{DescError, Role, Tensor, TensorSpec, Tensors};
use ndarray::ArrayD;
use std::fmt::Debug;

/// What one scale, or one zero point, is shared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Granularity {
    /// The whole tensor.
    PerTensor,
    /// Each row: the elements along the last axis (a token of an activation). JSON may also say `per_token`.
    #[cfg_attr(feature = "serde", serde(alias = "per_token"))]
    PerRow,
    /// Each column: the elements that share an index on the last axis (an output channel of a `[k, n]` weight).
    PerColumn,
    /// Each group of that many neighbours along a row, or along the summed axis of a matrix product; the last may be shorter.
    PerGroup(usize),
    /// Each block of the last two axes; the last one along either may be smaller. 128 x 128 is usual; with one column, groups
    /// along the first of the two.
    PerBlock {
        /// Rows of a block.
        rows: usize,
        /// Columns of a block.
        columns: usize,
    },
}

impl Granularity {
    /// The same for matrices of that size, no group and no block larger than they need: a group longer than a row is the row.
    /// Scales keep their number and their order.
    #[must_use]
    pub fn within(self, matrix_rows: usize, width: usize) -> Self {
        let units = width.div_ceil(4).max(1).saturating_mul(4);
        match self {
            Self::PerGroup(size) => Self::PerGroup(size.min(units)),
            Self::PerBlock { rows, columns } => {
                Self::PerBlock { rows: rows.min(matrix_rows.max(1)), columns: columns.min(units) }
            }
            other => other,
        }
    }
}

/// Columns `start..` of a matrix that is `width` wide: how a chunk of a wider projection is read in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(deny_unknown_fields))]
pub struct Columns {
    /// The first column.
    pub start: usize,
    /// The width of the whole matrix.
    pub width: usize,
}

impl Columns {
    /// All columns of a matrix that wide.
    pub const fn all(width: usize) -> Self {
        Self { start: 0, width }
    }
}

/// What an operation costs, from its formula: the floor of what any kernel must do.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Cost {
    /// Floating-point (or integer) operations; a fused multiply-add counts as two.
    pub flops: f64,
    /// Bytes of every input, each read once.
    pub bytes_read: f64,
    /// Bytes of every output, each written once.
    pub bytes_written: f64,
}

impl Cost {
    /// The cost of `flops` operations over the given tensors.
    pub fn of(flops: f64, tensors: &[TensorSpec]) -> Self {
        let bytes = |spec: &TensorSpec| spec.gpu_bytes().unwrap_or(u64::MAX) as f64;
        let sum = |skip: Role| tensors.iter().filter(|spec| spec.role != skip).map(bytes).sum();
        Self { flops, bytes_read: sum(Role::Output), bytes_written: sum(Role::Input) }
    }

    /// The same where so many elements of a tensor are touched and the others are not: of a view, or of some columns.
    pub(crate) fn touching(mut self, tensors: &[TensorSpec], name: &str, elements: f64) -> Self {
        let Some(spec) = tensors.iter().find(|spec| spec.name == name) else { return self };
        let all = spec.gpu_bytes().unwrap_or(u64::MAX) as f64;
        let spared = (all - elements * spec.dtype.bytes() as f64).max(0.0);
        self.bytes_read -= if spec.role == Role::Output { 0.0 } else { spared };
        self.bytes_written -= if spec.role == Role::Input { 0.0 } else { spared };
        self
    }

    /// The same for a tensor that is written there and keeps what it holds elsewhere: nothing of it is read.
    pub(crate) fn writing(self, tensors: &[TensorSpec], name: &str, elements: f64) -> Self {
        let bytes_written = self.touching(tensors, name, elements).bytes_written;
        Self { bytes_written, ..self.touching(tensors, name, 0.0) }
    }

    /// FLOPs per byte moved.
    pub fn arithmetic_intensity(&self) -> f64 {
        self.flops / (self.bytes_read + self.bytes_written)
    }
}

/// What an output must be.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Each element within its bound of the f64 value.
    Bounded {
        /// The values.
        value: ArrayD<f64>,
        /// The largest error allowed, per element; the rounding of the output format is part of it.
        bound: ArrayD<f64>,
    },
    /// These bits.
    Exact(Tensor),
}

/// One output of an operation.
#[derive(Clone, Debug, PartialEq)]
pub struct Expected {
    /// The output's name.
    pub name: &'static str,
    /// What it must be.
    pub answer: Answer,
}

impl Expected {
    /// An output known up to a bound.
    ///
    /// Where NaN or infinity in the inputs reached an element, so that its bound is NaN, nothing is promised: its value
    /// becomes NaN and its bound infinite.
    pub fn bounded(name: &'static str, mut value: ArrayD<f64>, mut bound: ArrayD<f64>) -> Self {
        ndarray::Zip::from(&mut value).and(&mut bound).for_each(|value, bound| {
            if bound.is_nan() && !value.is_finite() {
                (*value, *bound) = (f64::NAN, f64::INFINITY);
            }
        });
        Self { name, answer: Answer::Bounded { value, bound } }
    }

    /// An output known to the bit.
    pub fn exact(name: &'static str, tensor: Tensor) -> Self {
        Self { name, answer: Answer::Exact(tensor) }
    }

    /// The values in f64.
    pub fn values(&self) -> ArrayD<f64> {
        match &self.answer {
            Answer::Bounded { value, .. } => value.clone(),
            Answer::Exact(tensor) => tensor.to_f64(),
        }
    }
}

/// An operation: a descriptor that knows its rules, its tensors and its answer.
pub trait Op: Clone + Debug + PartialEq + Send + Sync + 'static {
    /// The name, the stem of every file about it.
    const NAME: &'static str;

    /// Checks the descriptor's own rules.
    ///
    /// # Errors
    /// [`DescError::Field`] or [`DescError::TooLarge`] for the first rule broken.
    fn validate(&self) -> Result<(), DescError>;

    /// The tensors of a valid descriptor: inputs, then outputs. Those a descriptor leaves out are absent.
    fn tensors(&self) -> Vec<TensorSpec>;

    /// What it costs.
    fn cost(&self) -> Cost;

    /// The answer and its bound, from inputs that [`check_inputs`](Op::check_inputs) accepts.
    fn answer(&self, inputs: &Tensors) -> Vec<Expected>;

    /// Checks that the inputs are exactly those of [`Op::tensors`], with their shapes and types.
    ///
    /// # Errors
    /// [`DescError`] for the first tensor that is missing, unexpected, of another shape or type, or holds a wrong value.
    fn check_inputs(&self, inputs: &Tensors) -> Result<(), DescError> {
        let specs = self.tensors();
        let inputs_of_op = || specs.iter().filter(|spec| spec.role != Role::Output);
        for (name, _) in inputs.iter() {
            if !inputs_of_op().any(|spec| spec.name == name) {
                return Err(DescError::Unexpected { op: Self::NAME, tensor: name.to_owned() });
            }
        }
        for spec in inputs_of_op() {
            let tensor = inputs.get(spec.name).ok_or_else(|| DescError::Missing {
                op: Self::NAME,
                tensor: spec.name.to_owned(),
                dtype: spec.dtype,
                shape: spec.shape.clone(),
            })?;
            if tensor.dtype() != spec.dtype {
                return Err(DescError::Dtype {
                    op: Self::NAME,
                    tensor: spec.name.to_owned(),
                    expected: spec.dtype.to_string(),
                    got: tensor.dtype(),
                });
            }
            if tensor.shape() != spec.shape {
                return Err(DescError::Shape {
                    op: Self::NAME,
                    tensor: spec.name.to_owned(),
                    expected: format!("{:?}", spec.shape),
                    got: tensor.shape().to_vec(),
                });
            }
        }
        self.check_values(inputs)
    }

    /// Checks the values of inputs whose names, types and shapes are right; a GPU cannot refuse them.
    ///
    /// # Errors
    /// [`DescError::Value`] for the first value that the operation cannot use.
    fn check_values(&self, _inputs: &Tensors) -> Result<(), DescError> {
        Ok(())
    }

    /// A tensor for tests where random numbers would break the operation's rules.
    fn typical(&self, _tensor: &str, _random: &mut Random) -> Option<Tensor> {
        None
    }

    /// Checks everything, then computes the answer.
    ///
    /// # Errors
    /// Those of [`Op::validate`] and [`Op::check_inputs`].
    fn evaluate(&self, inputs: &Tensors) -> Result<Vec<Expected>, DescError> {
        self.validate()?;
        self.check_inputs(inputs)?;
        Ok(self.answer(inputs))
    }

    /// A broken rule of one field.
    fn field_error(field: &'static str, expected: impl ToString, got: impl ToString) -> DescError {
        DescError::Field { op: Self::NAME, field, expected: expected.to_string(), got: got.to_string() }
    }

    /// Checks that every tensor can be indexed by u32, the integer of the shaders.
    ///
    /// # Errors
    /// [`DescError::TooLarge`] names the tensor.
    fn check_index_range(&self) -> Result<(), DescError> {
        // Kernels step past the end by less than one tile of 256 rows or columns before they check.
        let limit = u64::from(u32::MAX) - (1 << 16);
        for spec in self.tensors() {
            let (largest, row_len) = (spec.shape.iter().copied().max().unwrap_or(1), spec.row_len());
            // An axis without elements counts as one: ndarray, too, forbids shapes that are huge but for it.
            let product = |row: usize| {
                let rows = &spec.shape[..spec.shape.len().saturating_sub(1)];
                rows.iter()
                    .fold(row as u128, |product, &extent| product.saturating_mul(extent.max(1) as u128))
            };
            let got = match largest as u128 > u128::from(limit) {
                true => product(row_len.max(1)),
                false => product(spec.dtype.padded_row_len(row_len.max(1))),
            };
            if got > u128::from(limit) {
                let what = match spec.shape.contains(&0) {
                    true => format!("the product of the extents of `{}`, 0 left out,", spec.name),
                    false => format!("the number of elements of `{}`", spec.name),
                };
                return Err(DescError::TooLarge { op: Self::NAME, what, limit, got });
            }
        }
        Ok(())
    }
}
