// E4M3FN (OCP 8-bit floating point): bias 7, no infinity, NaN is 0x7f, the largest number 448 is 0x7e.
fn decode_e4m3(code: u32) -> f32 {
  let magnitude = code & 0x7fu;
  let normal = select((magnitude << 20u) + 0x3c000000u, 0x7fc00000u, magnitude == 0x7fu);
  // Subnormal: units of 2^-9.
  let subnormal = bitcast<u32>(f32(magnitude) * 0.001953125);
  return bitcast<f32>(((code & 0x80u) << 24u) | select(normal, subnormal, magnitude < 8u));
}

// The code of a magnitude up to 480, which becomes 0x7f; by its bits, to nearest, ties to even. A power of two is added
// under which one unit of the sum is one unit of the code: of 2^e for a normal number, of 2^-9 for the others.
fn encode_e4m3_magnitude(magnitude: u32) -> u32 {
  let power = (max(magnitude, 0x3c800000u) & 0x7f800000u) + 0x0a000000u;
  let sum = bitcast<u32>(bitcast<f32>(magnitude) + bitcast<f32>(power));
  return (sum - power) + (power >> 20u) - 1128u;
}

// Rounds the f32 of these bits to nearest, ties to even. Finite overflow and infinity become the largest number, or NaN.
fn encode_e4m3_bits(bits: u32, saturate_overflow: bool) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  let code = encode_e4m3_magnitude(min(magnitude, select(0x43f00000u, 0x43e00000u, saturate_overflow)));
  return ((bits >> 24u) & 0x80u) | select(code, 0x7fu, magnitude > 0x7f800000u);
}

// Overflow becomes NaN; who wants it to saturate clamps before.
fn encode_e4m3(x: f32) -> u32 {
  return encode_e4m3_bits(bitcast<u32>(x), false);
}
