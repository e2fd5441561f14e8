// F16 (IEEE binary16) by integer operations: no driver's rounding or flushing enters.
fn decode_f16(code: u32) -> f32 {
  let sign = (code & 0x8000u) << 16u;
  let magnitude = code & 0x7fffu;
  if (magnitude >= 0x7c00u) {
    return bitcast<f32>(sign | 0x7f800000u | ((magnitude & 0x3ffu) << 13u));
  }
  if (magnitude < 0x400u) {
    // Subnormal: units of 2^-24, a normal f32.
    return bitcast<f32>(sign | bitcast<u32>(f32(magnitude) * 0.000000059604644775390625));
  }
  // The exponent's bias goes from 15 to 127.
  return bitcast<f32>(sign | ((magnitude << 13u) + 0x38000000u));
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
