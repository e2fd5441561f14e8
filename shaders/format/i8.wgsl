// I8: two's complement in a byte.
fn decode_i8(code: u32) -> f32 {
  return f32(bitcast<i32>(code << 24u) >> 24u);
}
