// I8: two's complement in a byte.
fn decode_i8(code: u32) -> f32 {
  return f32(bitcast<i32>(code << 24u) >> 24u);
}

// Rounds the f32 of these bits to nearest, ties to even, and saturates at -127 and 127: there is nothing to overflow to. NaN
// becomes 0.
fn encode_i8_bits(bits: u32, saturate_overflow: bool) -> u32 {
  let magnitude = bits & 0x7fffffffu;
  let bounded = select(min(magnitude, 0x42fe0000u), 0u, magnitude > 0x7f800000u);
  return bitcast<u32>(i32(round(bitcast<f32>(bounded | (bits & 0x80000000u))))) & 0xffu;
}

fn encode_i8(x: f32) -> u32 {
  return encode_i8_bits(bitcast<u32>(x), true);
}
