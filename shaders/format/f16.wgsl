// F16 (IEEE binary16) by integer operations: no driver's rounding or flushing enters.
fn decode_f16(code: u32) -> f32 {
  let magnitude = code & 0x7fffu;
  // The exponent's bias goes from 15 to 127; infinity and NaN keep the largest exponent.
  let normal = (magnitude << 13u) + select(0x38000000u, 0x70000000u, magnitude >= 0x7c00u);
  // Subnormal: units of 2^-24, a normal f32.
  let subnormal = bitcast<u32>(f32(magnitude) * 0.000000059604644775390625);
  return bitcast<f32>(((code & 0x8000u) << 16u) | select(normal, subnormal, magnitude < 0x400u));
}

// Rounds to nearest, ties to even; overflow becomes infinity.
fn encode_f16(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let sign = (bits >> 16u) & 0x8000u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return sign | 0x7e00u;
  }
  if (magnitude < 0x38800000u) {
    // Below 2^-14: subnormal, units of 2^-24.
    let shift = 126u - (magnitude >> 23u);
    if (shift > 24u) {
      return sign;
    }
    let mantissa = (magnitude & 0x7fffffu) | 0x800000u;
    let quotient = mantissa >> shift;
    let remainder = mantissa & ((1u << shift) - 1u);
    let half = 1u << (shift - 1u);
    let up = remainder > half || (remainder == half && (quotient & 1u) == 1u);
    return sign | (quotient + select(0u, 1u, up));
  }
  let rounded = ((magnitude + 0xfffu + ((magnitude >> 13u) & 1u)) >> 13u) - 0x1c000u;
  return sign | min(rounded, 0x7c00u);
}
