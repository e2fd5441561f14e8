// Writes a tensor with one element to a word by 64-bit words: its rows and offsets are multiples of four elements.
// TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read_write> TENSOR: array<vec2<u64>>;
fn encode_FORMAT(x: f32) -> u32 { return bitcast<u32>(x); }
// @stand-in end
// Writes elements i to i + 3; i is a multiple of 4, and so `count` is 4.
fn store4_TENSOR(i: u32, v: vec4<f32>, count: u32) {
  TENSOR[i >> 2u] = vec2<u64>(u64(encode_FORMAT(v.x)) | (u64(encode_FORMAT(v.y)) << 32u),
                              u64(encode_FORMAT(v.z)) | (u64(encode_FORMAT(v.w)) << 32u));
}
