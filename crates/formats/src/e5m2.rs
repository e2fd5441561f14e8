//! E5M2: sign, 5 exponent bits with bias 15, 2 fraction bits; infinity `7c`, NaN `7d` to `7f`.
//!
//! Source: OCP 8-bit Floating Point Specification (OFP8), revision 1.0, section 4.

use crate::Overflow;
use crate::fp8::Layout;

const LAYOUT: Layout = Layout { fraction_bits: 2, bias: 15, max: 0x7b, overflow: 0x7c };

/// The code of the value nearest to `value`, ties to even.
///
/// Magnitudes from 61440, infinity included, overflow: to 57344 (`Saturate`) or to infinity
/// (`NonSaturating`), of the same sign. NaN becomes `7f` with the sign of `value`; other libraries write
/// `7e`. Magnitudes up to 2^-17 become a zero of the same sign.
///
/// ```
/// use langevin_formats::{Overflow, e5m2};
///
/// assert_eq!(e5m2::encode(61440.0, Overflow::NonSaturating), 0x7c);
/// assert_eq!(e5m2::encode(61440.0, Overflow::Saturate), 0x7b);
/// ```
pub const fn encode(value: f32, overflow: Overflow) -> u8 {
    LAYOUT.encode(value, overflow)
}

/// The value of a code; exact. The NaN codes all become the same quiet NaN, with their sign.
pub const fn decode(code: u8) -> f32 {
    LAYOUT.decode(code)
}
