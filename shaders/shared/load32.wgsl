// Reads a tensor with one element to a word. TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<u32>;
fn decode_FORMAT(code: u32) -> f32 { return bitcast<f32>(code); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode_FORMAT(TENSOR[i]);
}

// The element of a word.
fn word_TENSOR(word: u32) -> vec4<f32> {
  return vec4<f32>(decode_FORMAT(word), 0.0, 0.0, 0.0);
}

// Elements i to i + 3.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  return vec4<f32>(decode_FORMAT(TENSOR[i]), decode_FORMAT(TENSOR[i + 1u]),
                   decode_FORMAT(TENSOR[i + 2u]), decode_FORMAT(TENSOR[i + 3u]));
}
