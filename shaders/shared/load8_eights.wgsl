// Reads a tensor with four elements to a word, 8 bytes at a time: its rows and offsets are multiples of eight elements.
// TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<vec2<u32>>;
fn decode4_FORMAT(word: u32) -> vec4<f32> { return vec4<f32>(f32(word)); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode4_FORMAT(TENSOR[i >> 3u][(i >> 2u) & 1u])[i & 3u];
}

// Elements i to i + 3; i is a multiple of 4.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  return decode4_FORMAT(TENSOR[i >> 3u][(i >> 2u) & 1u]);
}

// Elements i to i + 7; i is a multiple of 8.
fn load_eight_TENSOR(i: u32) -> mat2x4<f32> {
  let words = TENSOR[i >> 3u];
  return mat2x4<f32>(decode4_FORMAT(words.x), decode4_FORMAT(words.y));
}
