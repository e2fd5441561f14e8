// E5M2 (OCP 8-bit floating point): bias 15, infinity is 0x7c, NaN is written 0x7f, the largest number 57344 is 0x7b.
fn decode_e5m2(code: u32) -> f32 {
  let magnitude = code & 0x7fu;
  // The exponent's bias goes from 15 to 127; infinity and NaN keep the largest exponent.
  let normal = (magnitude << 21u) + select(0x38000000u, 0x70000000u, magnitude >= 0x7cu);
  // Subnormal: units of 2^-16.
  let subnormal = bitcast<u32>(f32(magnitude) * 0.0000152587890625);
  return bitcast<f32>(((code & 0x80u) << 24u) | select(normal, subnormal, magnitude < 4u));
}

// The code of a magnitude up to 65536, which becomes 0x7c; by its bits, to nearest, ties to even. A power of two is added
// under which one unit of the sum is one unit of the code: of 2^e for a normal number, of 2^-16 for the others.
fn encode_e5m2_magnitude(magnitude: u32) -> u32 {
  let power = (max(magnitude, 0x38800000u) & 0x7f800000u) + 0x0a800000u;
  let sum = bitcast<u32>(bitcast<f32>(magnitude) + bitcast<f32>(power));
  return (sum - power) + (power >> 21u) - 536u;
}

// Rounds the f32 of these bits to nearest, ties to even. Finite overflow and infinity become the largest number, or infinity.
fn encode_e5m2_bits(bits: u32, saturate_overflow: bool) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  let code = encode_e5m2_magnitude(min(magnitude, select(0x47800000u, 0x47600000u, saturate_overflow)));
  return ((bits >> 24u) & 0x80u) | select(code, 0x7fu, magnitude > 0x7f800000u);
}

// Overflow becomes infinity; who wants it to saturate clamps before.
fn encode_e5m2(x: f32) -> u32 {
  return encode_e5m2_bits(bitcast<u32>(x), false);
}
