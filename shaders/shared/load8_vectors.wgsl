// Reads a tensor with four elements to a word, 16 bytes at a time: its rows and offsets are multiples of sixteen elements.
// TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<vec4<u32>>;
fn decode4_FORMAT(word: u32) -> vec4<f32> { return vec4<f32>(f32(word)); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode4_FORMAT(TENSOR[i >> 4u][(i >> 2u) & 3u])[i & 3u];
}

// Elements i to i + 3; i is a multiple of 4.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  return decode4_FORMAT(TENSOR[i >> 4u][(i >> 2u) & 3u]);
}
