//! I8: two's complement integers, and their quantization with a scale and a zero point.
//!
//! A code stands for `(code - zero_point) * scale`.

use crate::quantize::scaled;

/// The codes that [`quantize`] may emit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum Range {
    /// -127 to 127, so that every code has its negative. For symmetric quantization, with zero point 0.
    #[default]
    Symmetric,
    /// -128 to 127. For asymmetric quantization.
    Full,
}

impl Range {
    /// The least code; the largest is 127 in both ranges.
    const fn min(self) -> i32 {
        match self {
            Self::Symmetric => -127,
            Self::Full => -128,
        }
    }
}

/// The code of a value: `clamp(round(value * inverse_scale) + zero_point, range)`, ties to even.
///
/// Formats and rounding: the product is one f32 multiplication. Subnormal `value` and `inverse_scale` count
/// as zero, since GPUs may flush them. A NaN product counts as 0 and so gives the clamped zero point; an
/// infinite one saturates.
///
/// ```
/// use langevin_formats::i8::{self, Range};
///
/// assert_eq!(i8::quantize(2.5, 1.0, 0, Range::Symmetric), 2);
/// assert_eq!(i8::quantize(-200.0, 1.0, 0, Range::Symmetric), -127);
/// assert_eq!(i8::quantize(-200.0, 1.0, 5, Range::Full), -128);
/// ```
pub const fn quantize(value: f32, inverse_scale: f32, zero_point: i32, range: Range) -> i8 {
    let product = scaled(value, inverse_scale);
    // The cast of a float saturates and takes NaN to 0.
    let code = (product.round_ties_even() as i32).saturating_add(zero_point);
    let min = range.min();
    let clamped = if code < min {
        min
    } else if code > 127 {
        127
    } else {
        code
    };
    clamped as i8
}

/// The value of a code: `(code - zero_point) * scale`, the difference exact, the product one f32
/// multiplication.
///
/// Exact zero for `code == zero_point` with any finite scale. The difference is exact for zero points within
/// 2^23.
pub const fn dequantize(code: i8, scale: f32, zero_point: i32) -> f32 {
    (code as i64 - zero_point as i64) as f32 * scale
}

/// The integer nearest to `value`, ties to even, clamped to [-127, 127]; NaN gives 0.
pub const fn encode(value: f32) -> i8 {
    quantize(value, 1.0, 0, Range::Symmetric)
}

/// The value of a code, which is the integer itself; exact for all 256 codes, -128 included.
pub const fn decode(code: i8) -> f32 {
    code as f32
}
