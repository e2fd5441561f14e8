// Booleans in a byte each: zero is false.
fn decode_bool(code: u32) -> f32 {
  return select(1.0, 0.0, code == 0u);
}
