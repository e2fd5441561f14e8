// Reads a tensor with four elements to a word, decoded together. TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<u32>;
fn decode4_FORMAT(word: u32) -> vec4<f32> { return vec4<f32>(f32(word)); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode4_FORMAT(TENSOR[i >> 2u])[i & 3u];
}

// Elements i to i + 3; i is a multiple of 4.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  return decode4_FORMAT(TENSOR[i >> 2u]);
}

// The elements of a word.
fn word_TENSOR(word: u32) -> vec4<f32> {
  return decode4_FORMAT(word);
}

// Elements i to i + 7; i is where load4 may start.
fn load_eight_TENSOR(i: u32) -> mat2x4<f32> {
  return mat2x4<f32>(load4_TENSOR(i), load4_TENSOR(i + 4u));
}
