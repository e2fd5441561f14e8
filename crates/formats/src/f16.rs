//! F16, IEEE 754 binary16: sign, 5 exponent bits with bias 15, 10 fraction bits.
//!
//! The conversions are those of the `half` crate, in their integer form on every host; the tests of this
//! crate prove them exact.

use crate::Overflow;

const INFINITY: u16 = 0x7c00;

/// The code of the value nearest to `value`, ties to even.
///
/// Magnitudes from 65520, infinity included, overflow: to 65504 (`Saturate`) or to infinity (`NonSaturating`,
/// as in IEEE 754), of the same sign. NaN stays NaN, made quiet, with its sign and the upper bits of its
/// payload. Subnormals and signed zeros are kept.
pub const fn encode(value: f32, overflow: Overflow) -> u16 {
    let code = half::f16::from_f32_const(value).to_bits();
    let overflowed = code & 0x7fff == INFINITY;
    match overflow {
        // The code before infinity, with the same sign, is the largest finite one.
        Overflow::Saturate if overflowed => code - 1,
        _ => code,
    }
}

/// The value of a code; exact. A signalling NaN becomes quiet.
pub const fn decode(code: u16) -> f32 {
    half::f16::from_bits(code).to_f32_const()
}
