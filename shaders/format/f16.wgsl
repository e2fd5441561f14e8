// F16 (IEEE binary16) by integer operations: no driver's rounding or flushing enters.
fn decode_f16(code: u32) -> f32 {
  let magnitude = code & 0x7fffu;
  // The exponent's bias goes from 15 to 127; infinity and NaN keep the largest exponent.
  let normal = (magnitude << 13u) + select(0x38000000u, 0x70000000u, magnitude >= 0x7c00u);
  // Subnormal: units of 2^-24, a normal f32.
  let subnormal = bitcast<u32>(f32(magnitude) * 0.000000059604644775390625);
  return bitcast<f32>(((code & 0x8000u) << 16u) | select(normal, subnormal, magnitude < 0x400u));
}

// Rounds the f32 of these bits to nearest, ties to even. Overflow and infinity become the largest number, or infinity. A power
// of two is added under which one unit of the sum is one unit of the code: of 2^e for a normal number, of 2^-24 for the others.
// 65536 becomes 0x7c00, infinity. NaN becomes quiet, and keeps the upper bits of its payload.
fn encode_f16_bits(bits: u32, saturate_overflow: bool) -> u32 {
  let given = bits & 0x7fffffffu;
  let magnitude = min(given, select(0x47800000u, 0x477fe000u, saturate_overflow));
  let power = (max(magnitude, 0x38800000u) & 0x7f800000u) + 0x06800000u;
  let sum = bitcast<u32>(bitcast<f32>(magnitude) + bitcast<f32>(power));
  let code = (sum - power) + (power >> 13u) - 0x1f800u;
  let nan = 0x7e00u | ((bits >> 13u) & 0x3ffu);
  return ((bits >> 16u) & 0x8000u) | select(code, nan, given > 0x7f800000u);
}

fn encode_f16(x: f32) -> u32 {
  return encode_f16_bits(bitcast<u32>(x), false);
}
