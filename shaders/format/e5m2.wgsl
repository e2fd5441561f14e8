// E5M2 (OCP 8-bit floating point): bias 15, infinity is 0x7c, NaN is written 0x7f, the largest number 57344 is 0x7b.
fn decode_e5m2(code: u32) -> f32 {
  let magnitude = code & 0x7fu;
  // The exponent's bias goes from 15 to 127; infinity and NaN keep the largest exponent.
  let normal = (magnitude << 21u) + select(0x38000000u, 0x70000000u, magnitude >= 0x7cu);
  // Subnormal: units of 2^-16.
  let subnormal = bitcast<u32>(f32(magnitude) * 0.0000152587890625);
  return bitcast<f32>(((code & 0x80u) << 24u) | select(normal, subnormal, magnitude < 4u));
}

// Rounds the f32 of these bits to nearest, ties to even. Finite overflow and infinity become the largest number, or infinity.
fn encode_e5m2_bits(bits: u32, saturate_overflow: bool) -> u32 {
  let sign = (bits >> 24u) & 0x80u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return sign | 0x7fu;
  }
  if (magnitude < 0x38800000u) {
    // Below 2^-14: subnormal, units of 2^-16.
    let shift = 134u - (magnitude >> 23u);
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
  let rounded = ((magnitude + 0xfffffu + ((magnitude >> 21u) & 1u)) >> 21u) - 448u;
  return sign | select(rounded, select(0x7cu, 0x7bu, saturate_overflow), rounded > 0x7bu);
}

// Overflow becomes infinity; who wants it to saturate clamps before.
fn encode_e5m2(x: f32) -> u32 {
  return encode_e5m2_bits(bitcast<u32>(x), false);
}
