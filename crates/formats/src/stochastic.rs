//! Stochastic rounding: up with the probability of what is cut off, so that the mean of many roundings is the number.

use crate::i8::Range;
use crate::quantize::scaled;
use crate::{Format, Overflow};

/// How a number between two codes becomes one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Rounding {
    /// To the nearer one, ties to even.
    #[default]
    NearestEven,
    /// To either, by a random number: up with the probability of what would be cut off.
    Stochastic,
}

/// The code of `value * inverse_scale`, one f32 multiplication, rounded by 32 random bits. For E4M3, E5M2 and symmetric I8;
/// others are rounded to nearest.
///
/// - FP8: what lies below the code's last bit, `n` bits of the significand, is compared with the `n` upper random bits, at
///   most 31. A number above the largest one overflows if it is rounded up.
/// - I8: the fraction is compared with a multiple of 2^-24 made of the 24 upper random bits; see [`quantize_i8_stochastic`](crate::quantize_i8_stochastic()).
///
/// What is a code already stays itself. Special values are as in [`quantize`](crate::quantize()).
pub fn quantize_stochastic(
    value: f32,
    inverse_scale: f32,
    format: Format,
    overflow: Overflow,
    random: u32,
) -> u32 {
    let product = scaled(value, inverse_scale);
    match format {
        Format::E4m3 => u32::from(encode::<3, 121, 0x7e>(product, overflow, random)),
        Format::E5m2 => u32::from(encode::<2, 113, 0x7b>(product, overflow, random)),
        Format::I8 => {
            u32::from(quantize_i8(value, inverse_scale, 0, Range::Symmetric, random).cast_unsigned())
        }
        _ => format.encode(product, overflow),
    }
}

/// The code `clamp(trunc(p) + (0 or 1 away from zero) + zero_point, range)` of the product `p`: away from zero where a
/// multiple of 2^-24, the 24 upper random bits, is below the fraction of `|p|`.
pub fn quantize_i8(value: f32, inverse_scale: f32, zero_point: i32, range: Range, random: u32) -> i8 {
    let product = scaled(value, inverse_scale);
    let magnitude = if product.is_nan() { 0.0 } else { product.abs().min(1_048_576.0) };
    // Exact, both: integers and fractions of f32 below 2^24.
    let fraction = magnitude - magnitude.trunc();
    let up = ((random >> 8) as f32 / 16_777_216.0) < fraction;
    let nearest = magnitude as i32 + i32::from(up);
    let signed = if product.is_sign_negative() { -nearest } else { nearest };
    let least = if range == Range::Full { -128 } else { -127 };
    signed.saturating_add(zero_point).clamp(least, 127) as i8
}

/// FP8 by integers: `MIN_EXPONENT` is the biased f32 exponent of the smallest normal number.
fn encode<const FRACTION: u32, const MIN_EXPONENT: u32, const MAX: u32>(
    value: f32,
    overflow: Overflow,
    random: u32,
) -> u8 {
    let bits = value.to_bits();
    let sign = (bits >> 24) as u8 & 0x80;
    if value.is_nan() {
        return sign | 0x7f;
    }
    let magnitude = bits & 0x7fff_ffff;
    let (exponent, significand) = (magnitude >> 23, magnitude & 0x7f_ffff | 0x80_0000);
    // An f32 subnormal counts as zero.
    if exponent == 0 {
        return sign;
    }
    let base = exponent.max(MIN_EXPONENT);
    let cut = 23 - FRACTION + (base - exponent);
    // More than 31 bits are not compared.
    let (shift, lost) = (cut.min(31), (cut - cut.min(31)).min(31));
    let kept = ((significand >> lost) + (random >> (32 - shift))) >> shift;
    let code = kept + ((base - MIN_EXPONENT) << FRACTION);
    let largest = if overflow == Overflow::Saturate { MAX } else { MAX + 1 };
    sign | code.min(largest) as u8
}
