// BF16: the upper half of an f32.
fn decode_bf16(code: u32) -> f32 {
  return bitcast<f32>(code << 16u);
}

// Rounds to nearest, ties to even; overflow becomes infinity.
fn encode_bf16(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) {
    return (bits >> 16u) | 0x40u;
  }
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}

// The two of a word.
fn decode2_bf16(word: u32) -> vec2<f32> {
  return vec2<f32>(bitcast<f32>(word << 16u), bitcast<f32>(word & 0xffff0000u));
}
