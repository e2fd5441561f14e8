//! Scales of quantized tensors: a stored code stands for `code * scale`.

use crate::Format;

/// The smallest scale, 2^-126: the smallest normal f32, so that no GPU flushes it, and its inverse is finite.
pub const MIN: f32 = f32::MIN_POSITIVE;

/// The largest magnitude among the finite values; 0 when there is none.
///
/// The maximum is taken of the bits with the sign cleared, which order like the magnitudes. NaN and
/// infinities are left out. Subnormals count as 0, since GPUs may flush them.
///
/// ```
/// use langevin_formats::scale::amax;
///
/// assert_eq!(amax(&[1.0, -2.0, f32::NAN, f32::INFINITY]), 2.0);
/// assert_eq!(amax(&[1e-40, -0.0]), 0.0);
/// ```
pub fn amax(values: &[f32]) -> f32 {
    let magnitudes = values.iter().map(|value| value.abs()).filter(|magnitude| magnitude.is_normal());
    f32::from_bits(magnitudes.map(f32::to_bits).max().unwrap_or(0))
}

/// The scale that takes `amax` to the largest finite value of the format: `amax / max_finite`, correctly
/// rounded.
///
/// - `amax = 0` (and a subnormal, and NaN): 1, so that the codes of an all-zero tensor are 0.
/// - At least [`MIN`], so that the [`inverse`] is finite; the codes then do not reach `max_finite`.
/// - The sign of `amax` is ignored, and infinity counts as the largest f32. [`amax`] returns neither.
///
/// Meant for E4M3, E5M2 and I8. `amax` times the [`inverse`] may exceed `max_finite` by the three roundings
/// of scale, inverse and product; that is far below half a step of these formats, so `amax` never overflows.
///
/// ```
/// use langevin_formats::{Format, scale::symmetric};
///
/// assert_eq!(symmetric(896.0, Format::E4m3), 2.0);
/// assert_eq!(symmetric(0.0, Format::I8), 1.0);
/// ```
pub fn symmetric(amax: f32, format: Format) -> f32 {
    let magnitude = amax.abs().min(f32::MAX);
    if amax.is_nan() || !magnitude.is_normal() {
        return 1.0;
    }
    // Every max_finite is an f32, so one f32 division rounds once.
    (magnitude / format.max_finite() as f32).max(MIN)
}

/// The least and the largest of the finite values, with 0 among them; `(0, 0)` when there is none.
///
/// NaN and infinities are left out. Subnormals count as 0, since GPUs may flush them.
///
/// ```
/// use langevin_formats::scale::range;
///
/// assert_eq!(range(&[1.0, -2.0, f32::NAN, f32::INFINITY]), (-2.0, 1.0));
/// assert_eq!(range(&[3.0, 4.0]), (0.0, 4.0));
/// ```
pub fn range(values: &[f32]) -> (f32, f32) {
    let finite = values.iter().copied().filter(|value| value.is_normal());
    finite.fold((0.0, 0.0), |(low, high): (f32, f32), value| (low.min(value), high.max(value)))
}

/// The scale and the zero point that spread a range that contains 0 over the I8 codes -128 to 127:
/// `scale = (high - low) / 255`, `zero_point = round(-low / scale) - 128`, ties to even, each operation
/// correctly rounded to f32.
///
/// The code of 0 is the zero point, so 0 is exact.
///
/// - An empty range, `(0, 0)`: scale 1 and zero point -128.
/// - The scale is at least [`MIN`], so that its [`inverse`] is finite; the codes then do not reach 127.
/// - `high - low` is taken with an unbounded exponent: it may be twice the largest f32.
///
/// Meant for what [`range`] returns.
///
/// ```
/// use langevin_formats::scale::asymmetric;
///
/// assert_eq!(asymmetric(-1.0, 254.0), (1.0, -127));
/// assert_eq!(asymmetric(0.0, 510.0), (2.0, -128));
/// ```
pub fn asymmetric(low: f32, high: f32) -> (f32, i32) {
    if low == 0.0 && high == 0.0 {
        return (1.0, i32::from(i8::MIN));
    }
    // Halving is exact where the difference overflows, so it is rounded as if it had not.
    let (difference, steps) = match high - low {
        difference if difference.is_finite() => (difference, 255.0),
        _ => (high / 2.0 - low / 2.0, 127.5),
    };
    let scale = (difference / steps).max(MIN);
    // At most 255 by its construction, up to rounding, so the cast is exact and the zero point at most 127.
    let below = (-low / scale).round_ties_even() as i32;
    (scale, below + i32::from(i8::MIN))
}

/// The f32 that the quantizer multiplies by: `1 / scale`, correctly rounded.
///
/// Finite for every scale but NaN: magnitudes below [`MIN`] count as [`MIN`] of the same sign. Scales above
/// 2^126 have a subnormal inverse, which quantizers count as 0; no scale that [`symmetric`] makes for an
/// 8-bit format is so large.
pub fn inverse(scale: f32) -> f32 {
    let clamped = if scale.abs() < MIN { MIN.copysign(scale) } else { scale };
    1.0 / clamped
}
