// I32: a word is a signed integer (a zero point), exact as f32 up to 2^24.
fn decode_i32(code: u32) -> f32 {
  return f32(bitcast<i32>(code));
}
