// E4M3FN (OCP 8-bit floating point): bias 7, no infinity, NaN is 0x7f, the largest number 448 is 0x7e.
fn decode_e4m3(code: u32) -> f32 {
  let magnitude = code & 0x7fu;
  let normal = select((magnitude << 20u) + 0x3c000000u, 0x7fc00000u, magnitude == 0x7fu);
  // Subnormal: units of 2^-9.
  let subnormal = bitcast<u32>(f32(magnitude) * 0.001953125);
  return bitcast<f32>(((code & 0x80u) << 24u) | select(normal, subnormal, magnitude < 8u));
}

// Rounds the f32 of these bits to nearest, ties to even. Finite overflow and infinity become the largest number, or NaN.
fn encode_e4m3_bits(bits: u32, saturate_overflow: bool) -> u32 {
  let sign = (bits >> 24u) & 0x80u;
  let magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) {
    return sign | 0x7fu;
  }
  if (magnitude < 0x3c800000u) {
    // Below 2^-6: subnormal, units of 2^-9.
    let shift = 141u - (magnitude >> 23u);
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
  let rounded = ((magnitude + 0x7ffffu + ((magnitude >> 20u) & 1u)) >> 20u) - 960u;
  return sign | select(rounded, select(0x7fu, 0x7eu, saturate_overflow), rounded > 0x7eu);
}

// Overflow becomes NaN; who wants it to saturate clamps before.
fn encode_e4m3(x: f32) -> u32 {
  return encode_e4m3_bits(bitcast<u32>(x), false);
}
