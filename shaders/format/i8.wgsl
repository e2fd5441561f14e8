// I8: two's complement in a byte.
fn decode_i8(code: u32) -> f32 {
  return f32(bitcast<i32>(code << 24u) >> 24u);
}

// Rounds to nearest, ties to even; the range is symmetric. NaN is caught by its bits, since clamp may let it through.
fn encode_i8(x: f32) -> u32 {
  let nan = (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
  let rounded = i32(clamp(round(x), -127.0, 127.0));
  return select(bitcast<u32>(rounded), 0u, nan) & 0xffu;
}
