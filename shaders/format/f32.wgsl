// F32: a word is the number.
fn decode_f32(code: u32) -> f32 {
  return bitcast<f32>(code);
}

fn encode_f32_bits(bits: u32, saturate_overflow: bool) -> u32 {
  return bits;
}

fn encode_f32(x: f32) -> u32 {
  return bitcast<u32>(x);
}
