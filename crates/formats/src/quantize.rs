//! Symmetric quantization of one value.

use crate::{Format, Overflow, i8};

/// The code of `value * inverse_scale` in the low [`bits`](Format::bits) of a word: one f32 multiplication,
/// then [`Format::encode`].
///
/// Formats and rounding: meant for E4M3, E5M2 and symmetric I8, and defined for all. The product is rounded
/// to f32, then to the format, ties to even both times. Subnormal `value` and `inverse_scale` count as signed
/// zero, since GPUs may flush them. A NaN product gives NaN with the sign of `value` (I8: 0); an infinite one
/// overflows as `overflow` says (I8 saturates). The asymmetric form of I8 is
/// [`i8::quantize`](crate::i8::quantize()).
///
/// ```
/// use langevin_formats::{Format, Overflow, quantize};
///
/// assert_eq!(quantize(3.0, 2.0, Format::E4m3, Overflow::Saturate), 0x4c);
/// assert_eq!(quantize(-3.0, 2.0, Format::I8, Overflow::Saturate), 0xfa);
/// ```
pub const fn quantize(value: f32, inverse_scale: f32, format: Format, overflow: Overflow) -> u32 {
    match format {
        Format::I8 => i8::quantize(value, inverse_scale, 0, i8::Range::Symmetric) as u8 as u32,
        _ => format.encode(scaled(value, inverse_scale), overflow),
    }
}

/// The f32 product that gets encoded, defined to the last bit on every host.
pub(crate) const fn scaled(value: f32, inverse_scale: f32) -> f32 {
    let product = flush(value) * flush(inverse_scale);
    // The sign of a NaN that arithmetic makes differs between processors.
    if product.is_nan() { f32::NAN.copysign(value) } else { product }
}

/// A subnormal as the zero of its sign; every other value as it is.
const fn flush(value: f32) -> f32 {
    if value.is_subnormal() { 0.0_f32.copysign(value) } else { value }
}
