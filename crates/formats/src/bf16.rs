//! BF16, bfloat16: the upper half of an F32, that is sign, 8 exponent bits, 7 fraction bits.
//!
//! The conversions are those of the `half` crate, in their integer form on every host; the tests of this
//! crate prove them exact.

use crate::Overflow;

const INFINITY: u16 = 0x7f80;

/// The code of the value nearest to `value`, ties to even.
///
/// Magnitudes from (2 - 2^-8) 2^127, infinity included, overflow: to (2 - 2^-7) 2^127 (`Saturate`) or to
/// infinity (`NonSaturating`, as in IEEE 754), of the same sign. NaN stays NaN, made quiet, with its sign and
/// the upper bits of its payload. Subnormals and signed zeros are kept.
pub const fn encode(value: f32, overflow: Overflow) -> u16 {
    let code = half::bf16::from_f32_const(value).to_bits();
    let overflowed = code & 0x7fff == INFINITY;
    match overflow {
        // The code before infinity, with the same sign, is the largest finite one.
        Overflow::Saturate if overflowed => code - 1,
        _ => code,
    }
}

/// The value of a code; exact. A signalling NaN becomes quiet.
pub const fn decode(code: u16) -> f32 {
    half::bf16::from_bits(code).to_f32_const()
}
