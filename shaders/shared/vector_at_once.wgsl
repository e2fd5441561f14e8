// Sixteen bytes of a tensor in one load. TENSOR stands for its name.
// @stand-in begin
const TENSOR_PER_WORD = 4u;
@group(0) @binding(1) var<storage, read> TENSOR: array<vec4<u32>>;
// @stand-in end
// From element i on, which starts 16 bytes.
fn vector_TENSOR(i: u32) -> vec4<u32> {
  return TENSOR[i / (4u * TENSOR_PER_WORD)];
}
