//! What quantize and dequantize share: whose scale is whose, and which values scales and zero points may have.

use crate::{DescError, Granularity, Op, Tensors};

/// The length of the last axis; 1 for a scalar.
pub(crate) fn width(shape: &[usize]) -> usize {
    shape.last().copied().unwrap_or(1)
}

/// The number of rows, the product of all axes but the last.
pub(crate) fn rows(shape: &[usize]) -> usize {
    // Saturating: beside an axis without elements the others may be of any length.
    shape[..shape.len().saturating_sub(1)].iter().fold(1, |rows, &extent| rows.saturating_mul(extent))
}

/// The shape of scales and zero points.
pub(crate) fn scale_shape(shape: &[usize], granularity: Granularity) -> Vec<usize> {
    match granularity {
        Granularity::PerRow => shape[..shape.len().saturating_sub(1)].to_vec(),
        _ => vec![],
    }
}

/// How many neighbouring elements share one scale.
pub(crate) fn sharing(shape: &[usize], granularity: Granularity) -> usize {
    match granularity {
        Granularity::PerRow => width(shape),
        _ => rows(shape) * width(shape),
    }
}

/// One scale for a column would not be shared by neighbours.
pub(crate) fn check_granularity<O: Op>(granularity: Granularity) -> Result<(), DescError> {
    match granularity {
        Granularity::PerTensor | Granularity::PerRow => Ok(()),
        Granularity::PerColumn => Err(O::field_error("granularity", "per_tensor or per_row", "per_column")),
        Granularity::PerGroup(size) => {
            Err(O::field_error("granularity", "per_tensor or per_row", format!("per_group of {size}")))
        }
    }
}

/// Scales that are given must be finite, zero points must be codes of I8.
pub(crate) fn check_affine<O: Op>(inputs: &Tensors) -> Result<(), DescError> {
    inputs.check_values_of(O::NAME, "scale", "finite scales", f64::is_finite)?;
    inputs.check_values_of(O::NAME, "zero_point", "zero points from -128 to 127", |zero| {
        (-128.0..=127.0).contains(&zero)
    })
}
