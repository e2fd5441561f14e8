// Sixteen bytes of a tensor of 16 bits are eight elements. TENSOR and FORMAT stand for its names.
// @stand-in begin
fn decode2_FORMAT(word: u32) -> vec2<f32> { return vec2<f32>(f32(word)); }
// @stand-in end
// Elements 4 quad to 4 quad + 3 of them.
fn quad_of_TENSOR(vector: vec4<u32>, quad: u32) -> vec4<f32> {
  return vec4<f32>(decode2_FORMAT(vector[2u * quad]), decode2_FORMAT(vector[2u * quad + 1u]));
}
