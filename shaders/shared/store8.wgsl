// Writes a tensor with four elements to a word, the low byte first. TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read_write> TENSOR: array<u32>;
fn encode_FORMAT(x: f32) -> u32 { return u32(x); }
// @stand-in end
// Writes the first `count` (1 to 4) of `v` at elements i (a multiple of 4) and on; the rest of the word becomes zero.
fn store4_TENSOR(i: u32, v: vec4<f32>, count: u32) {
  let codes = vec4<u32>(encode_FORMAT(v.x), encode_FORMAT(v.y), encode_FORMAT(v.z), encode_FORMAT(v.w));
  let kept = select(vec4<u32>(0u), codes, vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(count));
  TENSOR[i >> 2u] = kept.x | (kept.y << 8u) | (kept.z << 16u) | (kept.w << 24u);
}
