// Reads a tensor with one element to a word by 64-bit words: its rows and offsets are multiples of four elements.
// TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<vec2<u64>>;
fn decode_FORMAT(code: u32) -> f32 { return bitcast<f32>(code); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode_FORMAT(u32(TENSOR[i >> 2u][(i >> 1u) & 1u] >> ((i & 1u) << 5u)));
}

// Elements i to i + 3; i is a multiple of 4.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  let words = TENSOR[i >> 2u];
  return vec4<f32>(decode_FORMAT(u32(words.x)), decode_FORMAT(u32(words.x >> 32u)),
                   decode_FORMAT(u32(words.y)), decode_FORMAT(u32(words.y >> 32u)));
}
