// Writes a tensor with two elements to a word, 8 bytes at a time: its rows and offsets are multiples of four elements.
// TENSOR and FORMAT stand for its names.
// @stand-in begin
@group(0) @binding(1) var<storage, read_write> TENSOR: array<vec2<u32>>;
fn encode_FORMAT(x: f32) -> u32 { return u32(x); }
// @stand-in end
// Writes elements i to i + 3; i is a multiple of 4, and so `count` is 4.
fn store4_TENSOR(i: u32, v: vec4<f32>, count: u32) {
  TENSOR[i >> 2u] = vec2<u32>(encode_FORMAT(v.x) | (encode_FORMAT(v.y) << 16u),
                              encode_FORMAT(v.z) | (encode_FORMAT(v.w) << 16u));
}
