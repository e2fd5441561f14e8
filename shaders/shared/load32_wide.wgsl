// Reads a tensor with one element to a word, 16 bytes at a time: its rows and offsets are multiples of four elements.
// TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<vec4<u32>>;
fn decode_FORMAT(code: u32) -> f32 { return bitcast<f32>(code); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode_FORMAT(TENSOR[i >> 2u][i & 3u]);
}

// Elements i to i + 3; i is a multiple of 4.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  let words = TENSOR[i >> 2u];
  return vec4<f32>(decode_FORMAT(words.x), decode_FORMAT(words.y), decode_FORMAT(words.z), decode_FORMAT(words.w));
}
