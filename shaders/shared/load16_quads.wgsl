// Reads a tensor with two elements to a word, 8 bytes at a time: its rows and offsets are multiples of four elements.
// TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<vec2<u32>>;
fn decode2_FORMAT(word: u32) -> vec2<f32> { return vec2<f32>(f32(word)); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode2_FORMAT(TENSOR[i >> 2u][(i >> 1u) & 1u])[i & 1u];
}

// Elements i to i + 3; i is a multiple of 4.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  let words = TENSOR[i >> 2u];
  return vec4<f32>(decode2_FORMAT(words.x), decode2_FORMAT(words.y));
}
