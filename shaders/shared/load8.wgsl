// Reads a tensor with four elements to a word, the low byte first. TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<u32>;
fn decode_FORMAT(code: u32) -> f32 { return f32(code); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode_FORMAT((TENSOR[i >> 2u] >> ((i & 3u) << 3u)) & 0xffu);
}

// Elements i to i + 3; i is a multiple of 4.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  let word = TENSOR[i >> 2u];
  return vec4<f32>(decode_FORMAT(word & 0xffu), decode_FORMAT((word >> 8u) & 0xffu),
                   decode_FORMAT((word >> 16u) & 0xffu), decode_FORMAT(word >> 24u));
}
