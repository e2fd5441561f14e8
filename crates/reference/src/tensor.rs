use crate::DescError;
use langevin_formats::{self as formats, Format, Overflow};
use ndarray::{ArrayD, IxDyn};
use std::collections::BTreeMap;
use std::fmt;

/// What the elements of a tensor are: a number format of the kernels, or one of the two helper types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Dtype {
    /// Numbers in a storage format.
    Number(Format),
    /// One byte each, zero is false. On the GPU packed four to a word like every 8-bit type.
    Bool,
    /// Signed 32-bit integers (zero points).
    I32,
    /// UE8M0: powers of two, a biased exponent in a byte each (the scales of MX blocks).
    E8m0,
}

impl Dtype {
    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        match self {
            Self::Number(format) => format.bytes(),
            Self::Bool | Self::E8m0 => 1,
            Self::I32 => 4,
        }
    }

    /// The format with elements of the same width, whose layout rule this type shares.
    const fn layout(self) -> Format {
        match self {
            Self::Number(format) => format,
            Self::Bool | Self::E8m0 => Format::I8,
            Self::I32 => Format::F32,
        }
    }

    /// Elements between the starts of two rows on the GPU: rows start on a 4-byte word.
    pub const fn padded_row_len(self, row_len: usize) -> usize {
        formats::padded_row_len(self.layout(), row_len)
    }
}

impl From<Format> for Dtype {
    fn from(format: Format) -> Self {
        Self::Number(format)
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(format) => write!(f, "{format}"),
            Self::Bool => f.write_str("bool"),
            Self::I32 => f.write_str("i32"),
            Self::E8m0 => f.write_str("e8m0"),
        }
    }
}

/// Which way a tensor's data flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Read only.
    Input,
    /// Written only; what it held before does not matter.
    Output,
    /// Read, then overwritten.
    InOut,
}

/// One tensor of an operation: its name, shape, element type and direction.
#[derive(Clone, Debug, PartialEq)]
pub struct TensorSpec {
    /// The name, the same in the buffers struct, the shader and the files of the program.
    pub name: &'static str,
    /// The shape; a scalar's is empty.
    pub shape: Vec<usize>,
    /// The element type.
    pub dtype: Dtype,
    /// The direction.
    pub role: Role,
}

impl TensorSpec {
    /// An input.
    pub fn input(name: &'static str, dtype: impl Into<Dtype>, shape: &[usize]) -> Self {
        Self { name, shape: shape.to_vec(), dtype: dtype.into(), role: Role::Input }
    }

    /// An output.
    pub fn output(name: &'static str, dtype: impl Into<Dtype>, shape: &[usize]) -> Self {
        Self { name, shape: shape.to_vec(), dtype: dtype.into(), role: Role::Output }
    }

    /// The length of the last axis; 1 for a scalar.
    pub fn row_len(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    /// The number of elements; `None` where it leaves `usize`.
    pub fn elements(&self) -> Option<usize> {
        checked_product(1, &self.shape)
    }

    /// The number of elements with the pad of every row counted: one more than the largest index a kernel may form.
    pub fn padded_elements(&self) -> Option<usize> {
        let padded = self.dtype.padded_row_len(self.row_len());
        let rows = &self.shape[..self.shape.len().saturating_sub(1)];
        checked_product(padded, rows)
    }

    /// The bytes it takes on the GPU, rows padded to words.
    pub fn gpu_bytes(&self) -> Option<u64> {
        let elements = u64::try_from(self.padded_elements()?).ok()?;
        elements.checked_mul(self.dtype.bytes() as u64)
    }
}

/// The product of `first` and the extents; zero where an axis is empty, however large the others are.
fn checked_product(first: usize, extents: &[usize]) -> Option<usize> {
    if extents.contains(&0) {
        return Some(0);
    }
    extents.iter().try_fold(first, |product, &extent| product.checked_mul(extent))
}

/// A tensor in host memory: dense, row-major, little-endian - the layout of safetensors and NumPy.
#[derive(Clone, PartialEq)]
pub struct Tensor {
    dtype: Dtype,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl fmt::Debug for Tensor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tensor({} {:?})", self.dtype, self.shape)
    }
}

impl Tensor {
    /// A tensor of the given bytes.
    ///
    /// # Errors
    /// [`DescError::Bytes`] when the bytes do not fill the shape.
    pub fn new(dtype: impl Into<Dtype>, shape: &[usize], data: Vec<u8>) -> Result<Self, DescError> {
        let dtype = dtype.into();
        let expected = bytes_of(dtype, shape);
        if expected != Some(data.len()) {
            let expected = expected.unwrap_or(usize::MAX);
            return Err(DescError::Bytes { dtype, shape: shape.to_vec(), expected, got: data.len() });
        }
        Ok(Self { dtype, shape: shape.to_vec(), data })
    }

    /// A tensor of numbers, rounded into `format` (ties to even, FP8 saturating, 16-bit formats overflow to infinity).
    ///
    /// # Errors
    /// [`DescError::Bytes`] when the values do not fill the shape.
    pub fn from_f32(format: Format, shape: &[usize], values: &[f32]) -> Result<Self, DescError> {
        let overflow = match format {
            Format::F16 | Format::BF16 => Overflow::NonSaturating,
            _ => Overflow::Saturate,
        };
        Self::new(format, shape, formats::encode(format, values, overflow))
    }

    /// A tensor of booleans.
    ///
    /// # Errors
    /// [`DescError::Bytes`] when the values do not fill the shape.
    pub fn from_bools(shape: &[usize], values: &[bool]) -> Result<Self, DescError> {
        Self::new(Dtype::Bool, shape, values.iter().map(|&value| u8::from(value)).collect())
    }

    /// A tensor of 32-bit integers.
    ///
    /// # Errors
    /// [`DescError::Bytes`] when the values do not fill the shape.
    pub fn from_i32(shape: &[usize], values: &[i32]) -> Result<Self, DescError> {
        Self::new(Dtype::I32, shape, bytemuck::cast_slice(values).to_vec())
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        self.dtype
    }

    /// The shape.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The bytes, dense and row-major.
    pub fn bytes(&self) -> &[u8] {
        &self.data
    }

    /// The same elements under another shape; `None` when the number of elements differs.
    pub fn reshape(mut self, shape: &[usize]) -> Option<Self> {
        let elements = |shape: &[usize]| shape.iter().product::<usize>();
        if elements(shape) != elements(&self.shape) {
            return None;
        }
        self.shape = shape.to_vec();
        Some(self)
    }

    /// The elements as f32, in row-major order. Exact for every type but large `I32`.
    pub fn to_f32(&self) -> Vec<f32> {
        match self.dtype {
            Dtype::Number(format) => formats::decode(format, &self.data).unwrap_or_default(),
            Dtype::Bool => self.data.iter().map(|&byte| f32::from(u8::from(byte != 0))).collect(),
            Dtype::I32 => self.words_i32().map(|value| value as f32).collect(),
            Dtype::E8m0 => self.data.iter().map(|&code| formats::e8m0::decode(code)).collect(),
        }
    }

    /// The elements as an f64 array. Exact.
    pub fn to_f64(&self) -> ArrayD<f64> {
        let values = match self.dtype {
            Dtype::I32 => self.words_i32().map(f64::from).collect(),
            _ => self.to_f32().into_iter().map(f64::from).collect(),
        };
        // A tensor's bytes fill its shape by construction, so the values do.
        ArrayD::from_shape_vec(IxDyn(&self.shape), values)
            .unwrap_or_else(|_| ArrayD::zeros(IxDyn(&self.shape)))
    }

    /// The words the GPU holds: rows start on a word, pad bytes are `pad` (zero, except in tests that poison them).
    pub fn to_words(&self, pad: u8) -> Vec<u32> {
        formats::pack_rows_with(self.dtype.layout(), &self.data, self.row_len(), pad).unwrap_or_default()
    }

    /// The tensor that GPU words hold; the inverse of [`Tensor::to_words`].
    ///
    /// # Errors
    /// [`DescError::Bytes`] when there are too few or too many words for the shape.
    pub fn from_words(dtype: impl Into<Dtype>, shape: &[usize], words: &[u32]) -> Result<Self, DescError> {
        let dtype = dtype.into();
        let row_len = shape.last().copied().unwrap_or(1);
        let wrong =
            |expected| DescError::Bytes { dtype, shape: shape.to_vec(), expected, got: words.len() * 4 };
        bytes_of(dtype, shape).ok_or_else(|| wrong(usize::MAX))?;
        let rows = shape[..shape.len().saturating_sub(1)].iter().product();
        let data = formats::unpack_rows(dtype.layout(), words, row_len, rows)
            .map_err(|_| wrong(rows * dtype.padded_row_len(row_len) * dtype.bytes()))?;
        Self::new(dtype, shape, data)
    }

    fn row_len(&self) -> usize {
        self.shape.last().copied().unwrap_or(1)
    }

    fn words_i32(&self) -> impl Iterator<Item = i32> + '_ {
        self.data.chunks_exact(4).map(|b| i32::from_le_bytes([b[0], b[1], b[2], b[3]]))
    }
}

/// The bytes of a dense tensor; `None` where they leave `isize`, an axis without elements counting as one.
fn bytes_of(dtype: Dtype, shape: &[usize]) -> Option<usize> {
    let capacity = shape.iter().try_fold(dtype.bytes(), |bytes, &extent| bytes.checked_mul(extent.max(1)))?;
    isize::try_from(capacity).ok()?;
    Some(if shape.contains(&0) { 0 } else { capacity })
}

/// Named tensors: the inputs or the outputs of an operation.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tensors(BTreeMap<String, Tensor>);

impl Tensors {
    /// No tensors.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces a tensor.
    pub fn insert(&mut self, name: impl Into<String>, tensor: Tensor) -> Option<Tensor> {
        self.0.insert(name.into(), tensor)
    }

    /// The tensor of that name.
    pub fn get(&self, name: &str) -> Option<&Tensor> {
        self.0.get(name)
    }

    /// Takes the tensor of that name out.
    pub fn remove(&mut self, name: &str) -> Option<Tensor> {
        self.0.remove(name)
    }

    /// Names and tensors, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.0.iter().map(|(name, tensor)| (name.as_str(), tensor))
    }

    /// Checks every value of a tensor, if it is there.
    pub(crate) fn check_values_of(
        &self,
        op: &'static str,
        tensor: &str,
        expected: &'static str,
        holds: impl Fn(f64) -> bool,
    ) -> Result<(), DescError> {
        let Some(values) = self.values(tensor) else { return Ok(()) };
        if let Some((index, &got)) = values.indexed_iter().find(|(_, value)| !holds(**value)) {
            let index = ndarray::Dimension::slice(&index).to_vec();
            return Err(DescError::Value { op, tensor: tensor.into(), expected, got, index });
        }
        Ok(())
    }

    /// The f64 values of a tensor; an empty scalar where it is absent, so check the inputs first.
    pub(crate) fn values(&self, name: &str) -> Option<ArrayD<f64>> {
        self.get(name).map(Tensor::to_f64)
    }
}
