//! UE8M0: scales that are powers of two, a biased exponent in a byte. Code `c` is `2^(c - 127)`, and 255 is NaN.
//!
//! Source: OCP Microscaling Formats (MX) Specification, version 1.0, section 5.4.1; the names of the roundings are
//! torchao's.

use crate::Format;

/// The code of NaN.
pub const NAN: u8 = 255;

/// The code of 1.
pub const ONE: u8 = 127;

/// How the largest magnitude of a block becomes a power of two. All but [`Floor`](Self::Floor) and [`Even`](Self::Even)
/// keep every number of the block within the format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum ScaleRounding {
    /// The power of two of `amax`, down, over that of the largest number: the rule of the specification. Numbers in the
    /// upper part of the last binade overflow.
    #[default]
    Floor,
    /// `amax / max_finite`, up: nothing overflows.
    Rceil,
    /// The power of two of `amax`, up, over that of the largest number.
    Ceil,
    /// As `Floor`, of `amax` rounded to as many digits as the format has.
    Even,
}

impl ScaleRounding {
    /// Every rounding.
    pub const ALL: [Self; 4] = [Self::Floor, Self::Rceil, Self::Ceil, Self::Even];

    /// The largest fraction of `amax` (the 23 low bits of its f32) that does not take the scale to the next power of two.
    pub const fn largest_fraction(self, format: Format) -> u32 {
        let fraction_bits = match format {
            Format::E4m3 => 3,
            _ => 2,
        };
        match self {
            Self::Floor => 0x7f_ffff,
            Self::Ceil => 0,
            // The fraction of the largest number, 448 or 57344.
            Self::Rceil => 0x60_0000,
            // From half a unit below the next power of two on.
            Self::Even => 0x7f_ffff - (1 << (22 - fraction_bits)),
        }
    }
}

/// The exponent of the largest number of an FP8 format, 8 or 15: the difference of the codes of `amax` and the scale.
pub const fn largest_exponent(format: Format) -> u32 {
    match format {
        Format::E4m3 => 8,
        _ => 15,
    }
}

/// The value of a code: exact, and quiet NaN for 255. Code 0, 2^-127, is an f32 subnormal.
pub const fn decode(code: u8) -> f32 {
    match code {
        0 => f32::from_bits(1 << 22),
        NAN => f32::NAN,
        _ => f32::from_bits((code as u32) << 23),
    }
}

/// The code of the scale of a block whose largest finite magnitude is `amax`, for E4M3 and E5M2.
///
/// It is 1 to 254, so that scale and inverse are no subnormals; a block of nothing but zeros has the scale 1, code 127.
/// The sign of `amax` is ignored. Meant for what [`scale::amax`](crate::scale::amax) returns.
///
/// ```
/// use langevin_formats::{Format, e8m0::{ScaleRounding, encode_scale}};
///
/// assert_eq!(encode_scale(448.0, Format::E4m3, ScaleRounding::Floor), 127);
/// assert_eq!(encode_scale(500.0, Format::E4m3, ScaleRounding::Floor), 127);
/// assert_eq!(encode_scale(500.0, Format::E4m3, ScaleRounding::Rceil), 128);
/// assert_eq!(encode_scale(0.0, Format::E4m3, ScaleRounding::Floor), 127);
/// ```
pub const fn encode_scale(amax: f32, format: Format, rounding: ScaleRounding) -> u8 {
    let bits = amax.abs().to_bits();
    if bits < f32::MIN_POSITIVE.to_bits() {
        return ONE;
    }
    let up = (bits & 0x7f_ffff > rounding.largest_fraction(format)) as u32;
    let code = (bits >> 23) + up;
    match code.saturating_sub(largest_exponent(format)) {
        0 => 1,
        255.. => 254,
        code => code as u8,
    }
}
