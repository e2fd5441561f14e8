// Reads a tensor with two elements to a word, 16 bytes at a time: its rows and offsets are multiples of eight elements.
// TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<vec4<u32>>;
fn decode2_FORMAT(word: u32) -> vec2<f32> { return vec2<f32>(f32(word)); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode2_FORMAT(TENSOR[i >> 3u][(i >> 1u) & 3u])[i & 1u];
}

// Elements i to i + 3; i is even.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  return vec4<f32>(load_TENSOR(i), load_TENSOR(i + 1u), load_TENSOR(i + 2u), load_TENSOR(i + 3u));
}
