//! Tensors in safetensors files.

use crate::{CliError, output};
use langevin::verify::{Dtype, Tensor, Tensors};
use langevin::{DescError, Format};
use safetensors::tensor::{SafeTensors, TensorView};
use std::fs;
use std::path::Path;

/// The element types of a file, under the names the format gives them.
pub(crate) use safetensors::Dtype as FileDtype;

/// A tensor that a file may or must hold.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Input {
    pub(crate) name: &'static str,
    pub(crate) dtypes: &'static [FileDtype],
    pub(crate) required: bool,
}

impl Input {
    pub(crate) const fn required(name: &'static str, dtypes: &'static [FileDtype]) -> Self {
        Self { name, dtypes, required: true }
    }

    pub(crate) const fn optional(name: &'static str, dtypes: &'static [FileDtype]) -> Self {
        Self { name, dtypes, required: false }
    }
}

/// Every number format of the kernels.
pub(crate) const NUMBERS: &[FileDtype] =
    &[FileDtype::F32, FileDtype::F16, FileDtype::BF16, FileDtype::F8_E4M3, FileDtype::F8_E5M2, FileDtype::I8];
/// The formats that arithmetic results are stored in.
pub(crate) const FLOATS: &[FileDtype] = &[FileDtype::F32, FileDtype::F16, FileDtype::BF16];
/// Scales, biases and the like.
pub(crate) const F32: &[FileDtype] = &[FileDtype::F32];
/// Masks.
pub(crate) const MASK: &[FileDtype] = &[FileDtype::BOOL, FileDtype::U8];
/// Scales: numbers, or powers of two by their exponents.
pub(crate) const SCALES: &[FileDtype] = &[FileDtype::F32, FileDtype::F8_E8M0];
/// Zero points.
pub(crate) const I32: &[FileDtype] = &[FileDtype::I32];

/// Reads the tensors of a file, which must be among `inputs`, with all the required ones there.
pub(crate) fn read(path: &Path, op: &'static str, inputs: &[Input]) -> Result<Tensors, CliError> {
    let bytes = fs::read(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|source| CliError::Safetensors { path: path.to_owned(), source })?;
    let mut tensors = Tensors::new();
    let mut views = file.tensors();
    views.sort_by(|(a, _), (b, _)| a.cmp(b));
    for (name, view) in views {
        let Some(input) = inputs.iter().find(|input| input.name == name) else {
            let known = inputs.iter().map(|input| input.name).collect::<Vec<_>>().join(", ");
            return Err(CliError::UnknownTensor { path: path.to_owned(), tensor: name, op, known });
        };
        tensors.insert(input.name, convert(op, input, &view)?);
    }
    match inputs.iter().find(|input| input.required && tensors.get(input.name).is_none()) {
        Some(input) => Err(CliError::MissingTensor { path: path.to_owned(), tensor: input.name, op }),
        None => Ok(tensors),
    }
}

fn convert(op: &'static str, input: &Input, view: &TensorView<'_>) -> Result<Tensor, CliError> {
    let unsupported = || CliError::UnsupportedDtype {
        op,
        tensor: input.name,
        got: view.dtype().to_string(),
        allowed: input.dtypes.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    if !input.dtypes.contains(&view.dtype()) {
        return Err(unsupported());
    }
    let dtype = dtype_of_file(view.dtype()).ok_or_else(unsupported)?;
    check_extents(op, input.name, view.shape())?;
    Ok(Tensor::new(dtype, view.shape(), view.data().to_vec())?)
}

/// Checks that even without its empty axes a tensor could be counted, so that no product of some extents overflows.
fn check_extents(op: &'static str, name: &str, shape: &[usize]) -> Result<(), DescError> {
    let limit = u64::from(u32::MAX);
    let product = |product: u128, extent: &usize| product.saturating_mul((*extent).max(1) as u128);
    let got = shape.iter().fold(1, product);
    if got <= u128::from(limit) {
        return Ok(());
    }
    Err(DescError::TooLarge {
        op,
        what: format!("the product of the extents of tensor `{name}`"),
        limit,
        got,
    })
}

/// Writes tensors to a file, whole or not at all.
pub(crate) fn write(path: &Path, tensors: &Tensors) -> Result<(), CliError> {
    let failed = |source| CliError::Safetensors { path: path.to_owned(), source };
    let mut views = Vec::new();
    for (name, tensor) in tensors.iter() {
        let dtype = dtype_in_file(tensor.dtype());
        views.push((name, TensorView::new(dtype, tensor.shape().to_vec(), tensor.bytes()).map_err(failed)?));
    }
    output::write_file(path, &safetensors::serialize(views, None).map_err(failed)?)
}

/// The number format of a tensor; F32 where it is absent or holds no numbers.
pub(crate) fn format(tensors: &Tensors, name: &str) -> Format {
    match tensors.get(name).map(Tensor::dtype) {
        Some(Dtype::Number(format)) => format,
        _ => Format::F32,
    }
}

fn dtype_of_file(dtype: FileDtype) -> Option<Dtype> {
    Some(match dtype {
        FileDtype::F32 => Format::F32.into(),
        FileDtype::F16 => Format::F16.into(),
        FileDtype::BF16 => Format::BF16.into(),
        FileDtype::F8_E4M3 => Format::E4m3.into(),
        FileDtype::F8_E5M2 => Format::E5m2.into(),
        FileDtype::I8 => Format::I8.into(),
        // A mask's bytes: zero is false, all others are true.
        FileDtype::BOOL | FileDtype::U8 => Dtype::Bool,
        FileDtype::I32 => Dtype::I32,
        FileDtype::F8_E8M0 => Dtype::E8m0,
        _ => return None,
    })
}

/// The name of an element type in a file; F32 also stands in for types that no kernel writes.
pub(crate) fn dtype_in_file(dtype: Dtype) -> FileDtype {
    match dtype {
        Dtype::Number(Format::F16) => FileDtype::F16,
        Dtype::Number(Format::BF16) => FileDtype::BF16,
        Dtype::Number(Format::E4m3) => FileDtype::F8_E4M3,
        Dtype::Number(Format::E5m2) => FileDtype::F8_E5M2,
        Dtype::Number(Format::I8) => FileDtype::I8,
        Dtype::Bool => FileDtype::BOOL,
        Dtype::I32 => FileDtype::I32,
        Dtype::E8m0 => FileDtype::F8_E8M0,
        _ => FileDtype::F32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_element_type_has_its_name_in_a_file() {
        let formats = Format::ALL.map(Dtype::from);
        for dtype in formats.into_iter().chain([Dtype::Bool, Dtype::I32, Dtype::E8m0]) {
            let in_file = dtype_in_file(dtype);
            assert_eq!(in_file.bitsize(), dtype.bytes() * 8);
            assert_eq!(dtype_of_file(in_file), Some(dtype));
        }
        assert_eq!(dtype_of_file(FileDtype::F64), None);
    }
}
