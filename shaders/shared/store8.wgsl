// Writes a tensor with four elements to a word, the low byte first. TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read_write> TENSOR: array<u32>;
fn encode_FORMAT(x: f32) -> u32 { return u32(x); }
// @stand-in end
// Writes the first `count` (1 to 4) of `v` at elements i (a multiple of 4) and on; the rest of the word becomes zero.
fn store4_TENSOR(i: u32, v: vec4<f32>, count: u32) {
  let second = select(0u, encode_FORMAT(v.y), count > 1u);
  let third = select(0u, encode_FORMAT(v.z), count > 2u);
  let fourth = select(0u, encode_FORMAT(v.w), count > 3u);
  TENSOR[i >> 2u] = encode_FORMAT(v.x) | (second << 8u) | (third << 16u) | (fourth << 24u);
}
