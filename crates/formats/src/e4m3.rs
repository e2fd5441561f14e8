//! E4M3FN: sign, 4 exponent bits with bias 7, 3 fraction bits; no infinity, NaN `7f` and `ff`.
//!
//! Source: OCP 8-bit Floating Point Specification (OFP8), revision 1.0, section 4.

use crate::Overflow;
use crate::fp8::Layout;

const LAYOUT: Layout = Layout { fraction_bits: 3, bias: 7, max: 0x7e, overflow: 0x7f };

/// The code of the value nearest to `value`, ties to even.
///
/// Magnitudes above 464, infinity included, overflow: to 448 (`Saturate`) or to NaN (`NonSaturating`), of the
/// same sign. NaN becomes `7f` with the sign of `value`. Magnitudes up to 2^-10 become a zero of the same
/// sign.
///
/// ```
/// use langevin_formats::{Overflow, e4m3};
///
/// assert_eq!(e4m3::encode(464.0, Overflow::NonSaturating), 0x7e);
/// assert_eq!(e4m3::encode(465.0, Overflow::NonSaturating), 0x7f);
/// assert_eq!(e4m3::encode(465.0, Overflow::Saturate), 0x7e);
/// ```
pub const fn encode(value: f32, overflow: Overflow) -> u8 {
    LAYOUT.encode(value, overflow)
}

/// The value of a code; exact. NaN is quiet and keeps its sign.
pub const fn decode(code: u8) -> f32 {
    LAYOUT.decode(code)
}
