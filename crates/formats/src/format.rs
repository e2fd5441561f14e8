//! The list of formats and the figures that describe them.

use std::fmt;
use std::str::FromStr;

use crate::{ParseFormatError, bf16, e4m3, e5m2, f16, i8};

/// How the numbers of a tensor are stored. The table in the [crate documentation](crate) compares them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "lowercase"))]
#[non_exhaustive]
pub enum Format {
    /// IEEE 754 binary32.
    #[default]
    F32,
    /// IEEE 754 binary16.
    F16,
    /// bfloat16: the upper half of a binary32.
    BF16,
    /// FP8 with 4 exponent and 3 fraction bits, the FN variant: no infinity, one NaN per sign, max 448.
    E4m3,
    /// FP8 with 5 exponent and 2 fraction bits, with infinities, max 57344.
    E5m2,
    /// Signed 8-bit integer, two's complement.
    I8,
}

/// What a value above the largest finite one becomes. NaN stays NaN in both modes (I8: 0).
///
/// F32 values are copied in both modes. I8 has no code to overflow to and saturates in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Overflow {
    /// The largest finite value of the same sign, for finite overflow and for infinity.
    #[default]
    Saturate,
    /// Infinity of the same sign (F16, BF16, E5M2), or NaN where there is no infinity (E4M3).
    NonSaturating,
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 6] = [Self::F32, Self::F16, Self::BF16, Self::E4m3, Self::E5m2, Self::I8];

    /// Bits of one element.
    pub const fn bits(self) -> u32 {
        match self {
            Self::F32 => 32,
            Self::F16 | Self::BF16 => 16,
            Self::E4m3 | Self::E5m2 | Self::I8 => 8,
        }
    }

    /// Whether every number of the format is one of F16: F16 itself and the formats of 8 bits.
    pub const fn fits_f16(self) -> bool {
        matches!(self, Self::F16 | Self::E4m3 | Self::E5m2 | Self::I8)
    }

    /// Bytes of one element.
    pub const fn bytes(self) -> usize {
        self.bits() as usize / 8
    }

    /// Elements in a 32-bit word: 1, 2 or 4.
    pub const fn per_word(self) -> usize {
        4 / self.bytes()
    }

    /// The name that [`Display`](fmt::Display), [`FromStr`] and serde use: `"f32"`, `"f16"`, `"bf16"`,
    /// `"e4m3"`, `"e5m2"`, `"i8"`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::E4m3 => "e4m3",
            Self::E5m2 => "e5m2",
            Self::I8 => "i8",
        }
    }

    /// Whether the error of the format is relative to the value; only I8 is not a float.
    pub const fn is_float(self) -> bool {
        !matches!(self, Self::I8)
    }

    /// The unit roundoff `u = 2^-p` for `p` significant bits: rounding a value in the normal range moves it
    /// by at most `u * |value|`.
    ///
    /// 0 for [`I8`](Self::I8), which is no float: its error is absolute, half a step, and
    /// [`rounding_error`](Self::rounding_error) gives it.
    pub const fn unit_roundoff(self) -> f64 {
        match self {
            Self::F32 => power_of_two(-24),
            Self::F16 => power_of_two(-11),
            Self::BF16 => power_of_two(-8),
            Self::E4m3 => power_of_two(-4),
            Self::E5m2 => power_of_two(-3),
            Self::I8 => 0.0,
        }
    }

    /// The largest finite value. 127 for [`I8`](Self::I8), whose quantizer emits -127 to 127.
    pub const fn max_finite(self) -> f64 {
        match self {
            Self::F32 => f32::MAX as f64,
            Self::F16 => 65504.0,
            Self::BF16 => (2.0 - power_of_two(-7)) * power_of_two(127),
            Self::E4m3 => 448.0,
            Self::E5m2 => 57344.0,
            Self::I8 => 127.0,
        }
    }

    /// The smallest positive normal value; 1 for [`I8`](Self::I8).
    pub const fn min_normal(self) -> f64 {
        match self {
            Self::F32 | Self::BF16 => power_of_two(-126),
            Self::F16 | Self::E5m2 => power_of_two(-14),
            Self::E4m3 => power_of_two(-6),
            Self::I8 => 1.0,
        }
    }

    /// The smallest positive value, a subnormal; also the spacing of all subnormals. 1 for [`I8`](Self::I8).
    pub const fn min_positive(self) -> f64 {
        match self {
            Self::F32 => power_of_two(-149),
            Self::F16 => power_of_two(-24),
            Self::BF16 => power_of_two(-133),
            Self::E4m3 => power_of_two(-9),
            Self::E5m2 => power_of_two(-16),
            Self::I8 => 1.0,
        }
    }

    /// A bound of `|round(value) - value|` for one rounding to nearest:
    /// `max(unit_roundoff * |value|, min_positive / 2)`; 0.5 for [`I8`](Self::I8).
    ///
    /// Infinity where `value` overflows, whatever the [`Overflow`] mode: the rounding of a value beyond the
    /// midpoint of the largest finite value and its would-be successor has no useful bound (I8: beyond
    /// 127.5). NaN for NaN.
    ///
    /// Flushing of subnormals, which GPUs may do to F32 values, is not included.
    pub fn rounding_error(self, value: f64) -> f64 {
        let magnitude = value.abs();
        if magnitude.is_nan() {
            return f64::NAN;
        }
        if self.overflows(magnitude) {
            return f64::INFINITY;
        }
        (self.unit_roundoff() * magnitude).max(0.5 * self.min_positive())
    }

    /// Whether a magnitude rounds to nearest beyond the largest finite value.
    fn overflows(self, magnitude: f64) -> bool {
        match self {
            // The largest finite code is even, so the tie at 464 stays finite.
            Self::E4m3 => magnitude > 464.0,
            Self::I8 => magnitude > 127.5,
            // The largest finite code is odd, so the tie goes up.
            Self::F32 | Self::F16 | Self::BF16 | Self::E5m2 => {
                let half_step = self.unit_roundoff() * self.max_binade();
                magnitude >= self.max_finite() + half_step
            }
        }
    }

    /// The power of two at the bottom of the largest binade.
    fn max_binade(self) -> f64 {
        match self {
            Self::F32 | Self::BF16 => power_of_two(127),
            Self::F16 | Self::E5m2 => power_of_two(15),
            Self::E4m3 => power_of_two(8),
            Self::I8 => power_of_two(6),
        }
    }

    /// The code of a value rounded to nearest, ties to even, in the low [`bits`](Self::bits) of a word.
    ///
    /// F32 is copied. I8 is rounded, clamped to [-127, 127], and NaN gives 0.
    pub const fn encode(self, value: f32, overflow: Overflow) -> u32 {
        match self {
            Self::F32 => value.to_bits(),
            Self::F16 => f16::encode(value, overflow) as u32,
            Self::BF16 => bf16::encode(value, overflow) as u32,
            Self::E4m3 => e4m3::encode(value, overflow) as u32,
            Self::E5m2 => e5m2::encode(value, overflow) as u32,
            Self::I8 => i8::encode(value) as u8 as u32,
        }
    }

    /// The value of the code in the low [`bits`](Self::bits) of a word; higher bits are ignored.
    pub const fn decode(self, code: u32) -> f32 {
        match self {
            Self::F32 => f32::from_bits(code),
            Self::F16 => f16::decode(code as u16),
            Self::BF16 => bf16::decode(code as u16),
            Self::E4m3 => e4m3::decode(code as u8),
            Self::E5m2 => e5m2::decode(code as u8),
            Self::I8 => i8::decode(code as u8 as core::primitive::i8),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = ParseFormatError;

    /// The format of a [`name`](Self::name).
    ///
    /// # Errors
    /// [`ParseFormatError`] when no format has the name; case matters.
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|format| format.name() == name);
        known.ok_or_else(|| ParseFormatError { name: name.to_owned() })
    }
}

/// `2^exponent`, for exponents of normal f64 values.
const fn power_of_two(exponent: i32) -> f64 {
    f64::from_bits(((1023 + exponent) as u64) << 52)
}
