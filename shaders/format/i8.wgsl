// I8: two's complement in a byte.
fn decode_i8(code: u32) -> f32 {
  return f32(bitcast<i32>(code << 24u) >> 24u);
}

// Rounds to nearest, ties to even, and saturates at -127 and 127.
fn encode_i8(x: f32) -> u32 {
  return bitcast<u32>(i32(clamp(round(x), -127.0, 127.0))) & 0xffu;
}

// The four of a word.
fn decode4_i8(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(bitcast<i32>(word << 24u), bitcast<i32>(word << 16u), bitcast<i32>(word << 8u), bitcast<i32>(word))
                   >> vec4<u32>(24u));
}
