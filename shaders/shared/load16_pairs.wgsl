// Reads a tensor with two elements to a word, decoded together. TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<u32>;
fn decode2_FORMAT(word: u32) -> vec2<f32> { return vec2<f32>(f32(word)); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode2_FORMAT(TENSOR[i >> 1u])[i & 1u];
}

// Elements i to i + 3; i is even.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  let low = TENSOR[i >> 1u];
  let high = TENSOR[(i >> 1u) + 1u];
  return vec4<f32>(decode2_FORMAT(low), decode2_FORMAT(high));
}

// The elements of a word.
fn word_TENSOR(word: u32) -> vec4<f32> {
  return vec4<f32>(decode2_FORMAT(word), 0.0, 0.0);
}

// Elements i to i + 7; i is where load4 may start.
fn load_eight_TENSOR(i: u32) -> mat2x4<f32> {
  return mat2x4<f32>(load4_TENSOR(i), load4_TENSOR(i + 4u));
}
