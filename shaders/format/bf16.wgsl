// BF16: the upper half of an f32.
fn decode_bf16(code: u32) -> f32 {
  return bitcast<f32>(code << 16u);
}

// Rounds the f32 of these bits to nearest, ties to even. Overflow and infinity become the largest number, or infinity. NaN
// becomes quiet, and keeps the upper bits of its payload.
fn encode_bf16_bits(bits: u32, saturate_overflow: bool) -> u32 {
  let rounded = (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
  let code = select(rounded, rounded - 1u, saturate_overflow && (rounded & 0x7fffu) == 0x7f80u);
  return select(code, (bits >> 16u) | 0x40u, (bits & 0x7fffffffu) > 0x7f800000u);
}

fn encode_bf16(x: f32) -> u32 {
  return encode_bf16_bits(bitcast<u32>(x), false);
}

// The two of a word.
fn decode2_bf16(word: u32) -> vec2<f32> {
  return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
}
