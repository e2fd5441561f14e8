// Writes a tensor with two elements to a word, the low half first. TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read_write> TENSOR: array<u32>;
fn encode_FORMAT(x: f32) -> u32 { return u32(x); }
// @stand-in end
// Writes the first `count` (1 to 4) of `v` at elements i (even) and on; the rest of the row's last word becomes zero.
fn store4_TENSOR(i: u32, v: vec4<f32>, count: u32) {
  let second = select(0u, encode_FORMAT(v.y), count > 1u);
  TENSOR[i >> 1u] = encode_FORMAT(v.x) | (second << 16u);
  if (count > 2u) {
    let fourth = select(0u, encode_FORMAT(v.w), count > 3u);
    TENSOR[(i >> 1u) + 1u] = encode_FORMAT(v.z) | (fourth << 16u);
  }
}
