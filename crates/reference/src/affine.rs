//! What quantize and dequantize share: whose scale is whose, and which values scales and zero points may have.

use crate::{DescError, Dtype, Format, Granularity, Op, Tensors};

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
    let outer = |axes: usize| shape[..shape.len().saturating_sub(axes)].to_vec();
    match granularity {
        Granularity::PerTensor => vec![],
        Granularity::PerRow => outer(1),
        Granularity::PerColumn => vec![width(shape)],
        // A size of 0 is refused, but may be asked about.
        Granularity::PerGroup(size) => [outer(1), vec![width(shape).div_ceil(size.max(1))]].concat(),
        Granularity::PerBlock { rows, columns } => {
            let down = matrix_rows(shape).div_ceil(rows.max(1));
            [outer(2), vec![down, width(shape).div_ceil(columns.max(1))]].concat()
        }
    }
}

/// The rows of one matrix: the last axis but one.
pub(crate) fn matrix_rows(shape: &[usize]) -> usize {
    shape.len().checked_sub(2).map_or(1, |axis| shape[axis])
}

/// Which scale an element has: both counted along the axes, the last one fastest. Groups and blocks of nothing, which the
/// rules refuse, count as those of one.
pub(crate) fn scale_index(shape: &[usize], granularity: Granularity, element: usize) -> usize {
    let width = width(shape).max(1);
    let (row, column) = (element / width, element % width);
    match granularity {
        Granularity::PerTensor => 0,
        Granularity::PerRow => row,
        Granularity::PerColumn => column,
        Granularity::PerGroup(size) => row * width.div_ceil(size.max(1)) + column / size.max(1),
        Granularity::PerBlock { rows, columns } => {
            let [height, rows, columns] = [matrix_rows(shape), rows, columns].map(|extent| extent.max(1));
            let block_row = row / height * height.div_ceil(rows) + row % height / rows;
            block_row * width.div_ceil(columns) + column / columns
        }
    }
}

/// The values that share each scale, in the order of the scales.
pub(crate) fn sharing(shape: &[usize], granularity: Granularity, values: &[f32]) -> Vec<Vec<f32>> {
    let mut shared = vec![Vec::new(); scale_shape(shape, granularity).iter().product()];
    for (element, &value) in values.iter().enumerate() {
        shared[scale_index(shape, granularity, element)].push(value);
    }
    shared
}

/// Groups and blocks are of whole words of codes, and there are matrices to have blocks.
pub(crate) fn check_granularity<O: Op>(shape: &[usize], granularity: Granularity) -> Result<(), DescError> {
    let error = |expected: &str, got: String| Err(O::field_error("granularity", expected, got));
    match granularity {
        Granularity::PerGroup(size) if size == 0 || !size.is_multiple_of(4) => {
            error("groups of a multiple of 4", format!("per_group of {size}"))
        }
        Granularity::PerBlock { rows, columns }
            if rows == 0 || columns == 0 || columns != 1 && !columns.is_multiple_of(4) =>
        {
            error("blocks of some rows and of 1 column or a multiple of 4", format!("{rows} x {columns}"))
        }
        Granularity::PerBlock { .. } if shape.len() < 2 => {
            error("other than per_block for a tensor of less than two axes", format!("{shape:?}"))
        }
        Granularity::PerColumn if shape.is_empty() => {
            error("other than per_column for a scalar", format!("{shape:?}"))
        }
        _ => Ok(()),
    }
}

/// What the scales are stored as.
pub(crate) fn scale_dtype(powers: bool) -> Dtype {
    if powers { Dtype::E8m0 } else { Format::F32.into() }
}

/// Scales that are powers of two belong to MX blocks: FP8 codes in groups of 32.
pub(crate) fn check_powers<O: Op>(
    field: &'static str,
    q: Format,
    granularity: Granularity,
) -> Result<(), DescError> {
    if !matches!(q, Format::E4m3 | Format::E5m2) || granularity != Granularity::PerGroup(32) {
        let got = format!("{q}, {granularity:?}");
        return Err(O::field_error(field, "absent unless `q` is e4m3 or e5m2 in groups of 32", got));
    }
    Ok(())
}

/// Scales that are given must be finite, zero points must be codes of I8.
pub(crate) fn check_affine<O: Op>(inputs: &Tensors) -> Result<(), DescError> {
    // The NaN of UE8M0 marks a block as lost.
    if inputs.get("scale").is_some_and(|scale| scale.dtype() != Dtype::E8m0) {
        inputs.check_values_of(O::NAME, "scale", "finite scales", f64::is_finite)?;
    }
    inputs.check_values_of(O::NAME, "zero_point", "zero points from -128 to 127", |zero| {
        (-128.0..=127.0).contains(&zero)
    })
}
