// Reads a tensor with two elements to a word by 64-bit words: its rows and offsets are multiples of four elements.
// TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<u64>;
fn decode_FORMAT(code: u32) -> f32 { return f32(code); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode_FORMAT(u32(TENSOR[i >> 2u] >> ((i & 3u) << 4u)) & 0xffffu);
}

// Elements i to i + 3; i is a multiple of 4.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  let words = TENSOR[i >> 2u];
  let low = u32(words);
  let high = u32(words >> 32u);
  return vec4<f32>(decode_FORMAT(low & 0xffffu), decode_FORMAT(low >> 16u),
                   decode_FORMAT(high & 0xffffu), decode_FORMAT(high >> 16u));
}
