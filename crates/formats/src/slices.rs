//! Whole slices to and from dense bytes.

use crate::{Format, LengthError, Overflow};

/// The codes of the values as dense little-endian bytes, without padding; see [`Format::encode`].
///
/// F32 is copied. I8 is rounded half to even and clamped to [-127, 127], with no scale.
pub fn encode(format: Format, values: &[f32], overflow: Overflow) -> Vec<u8> {
    let mut dense = Vec::with_capacity(values.len() * format.bytes());
    for &value in values {
        let code = format.encode(value, overflow).to_le_bytes();
        dense.extend_from_slice(&code[..format.bytes()]);
    }
    dense
}

/// The values of dense little-endian codes; exact. I8 codes become their integers, with no scale.
///
/// # Errors
/// [`LengthError::Elements`] when the bytes are not a whole number of elements.
pub fn decode(format: Format, dense: &[u8]) -> Result<Vec<f32>, LengthError> {
    decode_with(format, dense, |value| value)
}

/// [`decode`] to f64, in which the references compute; every code is an f64 too.
///
/// # Errors
/// [`LengthError::Elements`] when the bytes are not a whole number of elements.
pub fn decode_f64(format: Format, dense: &[u8]) -> Result<Vec<f64>, LengthError> {
    decode_with(format, dense, f64::from)
}

fn decode_with<T>(format: Format, dense: &[u8], convert: impl Fn(f32) -> T) -> Result<Vec<T>, LengthError> {
    if !dense.len().is_multiple_of(format.bytes()) {
        return Err(LengthError::Elements { format, bytes: dense.len() });
    }
    let value = |element: &[u8]| {
        let mut code = [0; 4];
        code[..element.len()].copy_from_slice(element);
        convert(format.decode(u32::from_le_bytes(code)))
    };
    Ok(dense.chunks_exact(format.bytes()).map(value).collect())
}
