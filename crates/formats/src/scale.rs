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

/// The f32 that the quantizer multiplies by: `1 / scale`, correctly rounded.
///
/// Finite for every scale but NaN: magnitudes below [`MIN`] count as [`MIN`] of the same sign. Scales above
/// 2^126 have a subnormal inverse, which quantizers count as 0; no scale that [`symmetric`] makes for an
/// 8-bit format is so large.
pub fn inverse(scale: f32) -> f32 {
    let clamped = if scale.abs() < MIN { MIN.copysign(scale) } else { scale };
    1.0 / clamped
}
