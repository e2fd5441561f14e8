//! What a descriptor and its positions must keep.

use super::{Positions, RotaryDesc};
use crate::{DescError, Format, Op, Tensors};

/// The most axes.
const MAX_AXES: usize = 4;
/// The longest row, as long as attention takes.
const MAX_DIM: usize = 256;

pub(super) fn check(desc: &RotaryDesc) -> Result<(), DescError> {
    let error = |field, expected: &str, got: String| Err(RotaryDesc::field_error(field, expected, got));
    if !matches!(desc.out, Format::F32 | Format::F16 | Format::BF16) {
        return error("out", "f32, f16 or bf16", desc.out.to_string());
    }
    if !(1..=MAX_DIM).contains(&desc.head_dim) {
        return error("head_dim", &format!("from 1 to {MAX_DIM}"), desc.head_dim.to_string());
    }
    let odd = desc.axes.iter().any(|axis| *axis == 0 || !axis.is_multiple_of(2));
    let sum = desc.axes.iter().fold(0usize, |sum, axis| sum.saturating_add(*axis));
    if odd || desc.axes.len() > MAX_AXES || sum > desc.head_dim {
        let rule = format!("at most {MAX_AXES} even numbers that sum to at most {}", desc.head_dim);
        return error("axes", &rule, format!("{:?}", desc.axes));
    }
    check_table(desc)?;
    if let Some(norm) = desc.norm
        && !(norm.is_normal() && norm > 0.0)
    {
        return error("norm", "a positive normal number", norm.to_string());
    }
    if desc.weight && desc.norm.is_none() {
        return error("weight", "left out without a norm", desc.weight.to_string());
    }
    if !desc.weight && desc.weight_rows != 1 {
        return error("weight_rows", "1 without a weight", desc.weight_rows.to_string());
    }
    if desc.weight_rows == 0 || !desc.heads.is_multiple_of(desc.weight_rows) {
        let rule = format!("a divisor of the {} heads", desc.heads);
        return error("weight_rows", &rule, desc.weight_rows.to_string());
    }
    if desc.in_place && (desc.x, desc.x_view) != (desc.out, desc.out_view) {
        let got = format!("{} at {:?} and {} at {:?}", desc.x, desc.x_view, desc.out, desc.out_view);
        return error("in_place", "left out where `x` and `out` are stored differently", got);
    }
    Ok(())
}

/// Enough rows for the tokens, and as many as an I32 names.
fn check_table(desc: &RotaryDesc) -> Result<(), DescError> {
    if desc.axes.is_empty() {
        return Ok(());
    }
    let least = match desc.positions {
        Positions::From(first) => first.saturating_add(desc.seq),
        _ => usize::from(desc.seq > 0 && desc.batch > 0),
    };
    let most = i32::MAX as usize;
    if !(least..=most).contains(&desc.table_rows) {
        let of = match desc.positions {
            Positions::From(first) => format!("{} tokens from position {first}", desc.seq),
            _ => "the positions given".to_owned(),
        };
        let rule = format!("from {least}, the rows of `cos` and `sin` for {of}, to {most}");
        return Err(RotaryDesc::field_error("table_rows", rule, desc.table_rows));
    }
    Ok(())
}

/// Every position names a row of the table.
pub(super) fn check_positions(desc: &RotaryDesc, inputs: &Tensors) -> Result<(), DescError> {
    let Some(positions) = inputs.values("positions") else { return Ok(()) };
    let inside = |row: f64| row >= 0.0 && row < desc.table_rows as f64;
    match positions.indexed_iter().find(|(_, row)| !inside(**row)) {
        None => Ok(()),
        Some((index, &got)) => {
            let expected = "rows of `cos` and `sin`";
            let index = ndarray::Dimension::slice(&index).to_vec();
            let (op, tensor) = (RotaryDesc::NAME, "positions".to_owned());
            Err(DescError::Value { op, tensor, expected, got, index })
        }
    }
}
