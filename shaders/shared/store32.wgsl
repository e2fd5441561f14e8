// Writes a tensor with one element to a word. TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read_write> TENSOR: array<u32>;
fn encode_FORMAT(x: f32) -> u32 { return bitcast<u32>(x); }
// @stand-in end
// Writes the first `count` (1 to 4) of `v` at elements i and on; the rest of the row's last word becomes zero.
fn store4_TENSOR(i: u32, v: vec4<f32>, count: u32) {
  TENSOR[i] = encode_FORMAT(v.x);
  if (count > 1u) { TENSOR[i + 1u] = encode_FORMAT(v.y); }
  if (count > 2u) { TENSOR[i + 2u] = encode_FORMAT(v.z); }
  if (count > 3u) { TENSOR[i + 3u] = encode_FORMAT(v.w); }
}
