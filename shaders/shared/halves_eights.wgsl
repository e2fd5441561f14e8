// Eight neighbours of a tensor of 8 bits as f16. TENSOR and FORMAT stand for its names.
// @stand-in begin
enable f16;
@group(0) @binding(1) var<storage, read> TENSOR: array<vec2<u32>>;
fn halves4_FORMAT(word: u32) -> vec4<f16> { return vec4<f16>(f16(word)); }
// @stand-in end
// Elements i to i + 7; i is a multiple of 8.
fn halves_TENSOR(i: u32) -> mat2x4<f16> {
  let words = TENSOR[i >> 3u];
  return mat2x4<f16>(halves4_FORMAT(words.x), halves4_FORMAT(words.y));
}
