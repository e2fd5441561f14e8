//! The integer algorithm that both FP8 formats share.

use crate::Overflow;

/// NaN, sign apart: every bit set, in both formats.
const NAN: u8 = 0x7f;
const SIGN: u8 = 0x80;
const F32_FRACTION_BITS: u32 = 23;
const F32_BIAS: u32 = 127;
const F32_INFINITY: u32 = 0x7f80_0000;
const F32_QUIET_NAN: u32 = 0x7fc0_0000;

/// How an FP8 format spends its bits.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) fraction_bits: u32,
    pub(crate) bias: u32,
    /// The code of the largest finite value.
    pub(crate) max: u8,
    /// The code that a value above `max` overflows to: infinity, or NaN where there is none.
    pub(crate) overflow: u8,
}

impl Layout {
    /// The difference of the exponent biases of F32 and this format.
    const fn rebias(&self) -> u32 {
        F32_BIAS - self.bias
    }

    /// The code of a value, rounded once from its f32 bits.
    pub(crate) const fn encode(&self, value: f32, overflow: Overflow) -> u8 {
        let bits = value.to_bits();
        let sign = (bits >> 24) as u8 & SIGN;
        let magnitude = bits & 0x7fff_ffff;
        if magnitude > F32_INFINITY {
            return sign | NAN;
        }
        let min_normal = (self.rebias() + 1) << F32_FRACTION_BITS;
        if magnitude < min_normal {
            return sign | self.encode_subnormal(magnitude);
        }
        // A carry out of the fraction increments the exponent, which is the right answer.
        let dropped_bits = F32_FRACTION_BITS - self.fraction_bits;
        let code = round_shift(magnitude, dropped_bits) - (self.rebias() << self.fraction_bits);
        if code <= self.max as u32 {
            return sign | code as u8;
        }
        match overflow {
            Overflow::Saturate => sign | self.max,
            Overflow::NonSaturating => sign | self.overflow,
        }
    }

    /// The code of a magnitude below the smallest normal, in units of the smallest subnormal.
    const fn encode_subnormal(&self, magnitude: u32) -> u8 {
        let exponent = magnitude >> F32_FRACTION_BITS;
        let shift = F32_FRACTION_BITS - self.fraction_bits + self.rebias() + 1 - exponent;
        // Shifted further, the 24 bits of the significand are less than half a unit; so is an F32 subnormal.
        if shift > F32_FRACTION_BITS + 1 {
            return 0;
        }
        let significand = magnitude & 0x007f_ffff | 0x0080_0000;
        round_shift(significand, shift) as u8
    }

    /// The value of a code; exact.
    pub(crate) const fn decode(&self, code: u8) -> f32 {
        let sign = ((code & SIGN) as u32) << 24;
        let magnitude = code & !SIGN;
        let bits = if magnitude > self.max {
            if magnitude == self.overflow && magnitude != NAN { F32_INFINITY } else { F32_QUIET_NAN }
        } else if magnitude >> self.fraction_bits == 0 {
            let unit = f32::from_bits((self.rebias() + 1 - self.fraction_bits) << F32_FRACTION_BITS);
            (magnitude as f32 * unit).to_bits()
        } else {
            let dropped_bits = F32_FRACTION_BITS - self.fraction_bits;
            ((magnitude as u32) << dropped_bits) + (self.rebias() << F32_FRACTION_BITS)
        };
        f32::from_bits(sign | bits)
    }
}

/// `bits / 2^shift` rounded to nearest, ties to even; `shift` is 1 to 24, and `bits + 2^shift` fits.
const fn round_shift(bits: u32, shift: u32) -> u32 {
    let odd = (bits >> shift) & 1;
    (bits + ((1 << (shift - 1)) - 1) + odd) >> shift
}
