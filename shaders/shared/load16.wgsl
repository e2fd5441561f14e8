// Reads a tensor with two elements to a word, the low half first. TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read> TENSOR: array<u32>;
fn decode_FORMAT(code: u32) -> f32 { return f32(code); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return decode_FORMAT((TENSOR[i >> 1u] >> ((i & 1u) << 4u)) & 0xffffu);
}

// Elements i to i + 3; i is even.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  let low = TENSOR[i >> 1u];
  let high = TENSOR[(i >> 1u) + 1u];
  return vec4<f32>(decode_FORMAT(low & 0xffffu), decode_FORMAT(low >> 16u),
                   decode_FORMAT(high & 0xffffu), decode_FORMAT(high >> 16u));
}
