// F32: a word is the number.
fn decode_f32(code: u32) -> f32 {
  return bitcast<f32>(code);
}

fn encode_f32(x: f32) -> u32 {
  return bitcast<u32>(x);
}
