//! The formula by itself: tables of angles, and rows turned by complex numbers.

use super::{Pairing, RotaryDesc};
use crate::{DescError, Format, Op, Tensor};
use ndarray::{Array2, ArrayView2};

/// The `cos` and `sin` tensors `[positions, pairs]` of positions, in f64, rounded once.
///
/// Pair `i` of an axis of `n` elements turns by `position * base^(-2 i / n)`. `positions` has a list for every row of the
/// table, a position for each axis: `[t]` for text, `[row, column]` for a patch of a picture. `base` is usually 10,000.
/// Every number is within `2^-25 + 2^-48 |angle|` of the formula: half a unit of f32 below 1, and what f64 loses of the
/// angle.
///
/// # Errors
/// [`DescError::Field`] for an odd axis, a `base` that is not positive and finite, or a row with more or fewer positions
/// than axes.
///
/// ```
/// use langevin_reference::rotary_table;
/// // Positions 0 to 99 of a text; and of any picture with up to 100 rows or columns, by its tensor `positions`.
/// let text: Vec<Vec<f64>> = (0..100).map(|t| vec![f64::from(t)]).collect();
/// let [cos, _] = rotary_table(&[64], 10_000.0, &text)?;
/// assert_eq!(cos.shape(), [100, 32]);
/// let both: Vec<Vec<f64>> = (0..100).map(|t| vec![f64::from(t); 2]).collect();
/// assert_eq!(rotary_table(&[32, 32], 10_000.0, &both)?[0].shape(), [100, 32]);
/// // The tokens of one picture of 8 x 8 patches, in order.
/// let patches: Vec<Vec<f64>> = (0..64).map(|i| vec![f64::from(i / 8), f64::from(i % 8)]).collect();
/// assert_eq!(rotary_table(&[32, 32], 10_000.0, &patches)?[1].shape(), [64, 32]);
/// # Ok::<(), langevin_reference::DescError>(())
/// ```
pub fn rotary_table(axes: &[usize], base: f64, positions: &[Vec<f64>]) -> Result<[Tensor; 2], DescError> {
    let angles = angles(axes, base, positions)?;
    let shape = [positions.len(), axes.iter().sum::<usize>() / 2];
    let table = |f: fn(f64) -> f64| {
        let values: Vec<f32> = angles.iter().flatten().map(|&angle| f(angle) as f32).collect();
        Tensor::from_f32(Format::F32, &shape, &values)
    };
    Ok([table(f64::cos)?, table(f64::sin)?])
}

/// Rows `[tokens, head_dim]` turned by their positions, in f64: every pair is a complex number, multiplied by
/// `exp(i angle)`.
///
/// # Errors
/// Those of [`rotary_table`]; [`DescError::Shape`] for another number of rows than of positions; [`DescError::Field`] for
/// axes that are longer than a row together.
pub fn rotary(
    x: ArrayView2<'_, f64>,
    axes: &[usize],
    pairing: Pairing,
    base: f64,
    positions: &[Vec<f64>],
) -> Result<Array2<f64>, DescError> {
    let angles = angles(axes, base, positions)?;
    if axes.iter().sum::<usize>() > x.ncols() {
        return Err(RotaryDesc::field_error(
            "axes",
            format!("at most {} long", x.ncols()),
            format!("{axes:?}"),
        ));
    }
    if x.nrows() != positions.len() {
        let (op, tensor, got) = (RotaryDesc::NAME, "x".to_owned(), x.shape().to_vec());
        let expected = format!("[{}, head_dim]", positions.len());
        return Err(DescError::Shape { op, tensor, expected, got });
    }
    let mut out = x.to_owned();
    for (mut row, angles) in out.rows_mut().into_iter().zip(&angles) {
        let mut angles = angles.iter();
        let mut first = 0;
        for &elements in axes {
            for (pair, angle) in (0..elements / 2).zip(&mut angles) {
                let [i, j] = pairing.elements(first, elements, pair);
                let (real, imaginary) = (row[i], row[j]);
                row[i] = real * angle.cos() - imaginary * angle.sin();
                row[j] = real * angle.sin() + imaginary * angle.cos();
            }
            first += elements;
        }
    }
    Ok(out)
}

/// The angles of every row, a column for each pair.
fn angles(axes: &[usize], base: f64, positions: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, DescError> {
    if axes.iter().any(|axis| !axis.is_multiple_of(2)) {
        return Err(RotaryDesc::field_error("axes", "even numbers", format!("{axes:?}")));
    }
    if !(base.is_finite() && base > 0.0) {
        return Err(RotaryDesc::field_error("base", "a positive finite number", base));
    }
    if let Some(wrong) = positions.iter().find(|position| position.len() != axes.len()) {
        let rule = format!("lists of {}, one position for each axis", axes.len());
        return Err(RotaryDesc::field_error("positions", rule, format!("one of {}", wrong.len())));
    }
    let of_axis = |(&position, &axis): (&f64, &usize)| {
        (0..axis / 2).map(move |i| position * base.powf(-2.0 * i as f64 / axis as f64))
    };
    Ok(positions.iter().map(|position| position.iter().zip(axes).flat_map(of_axis).collect()).collect())
}
