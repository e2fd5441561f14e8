// Sixteen bytes of a tensor word by word. TENSOR stands for its name.
// @stand-in begin
const TENSOR_PER_WORD = 4u;
@group(0) @binding(1) var<storage, read> TENSOR: array<u32>;
// @stand-in end
// From element i on, which starts a word.
fn vector_TENSOR(i: u32) -> vec4<u32> {
  let word = i / TENSOR_PER_WORD;
  return vec4<u32>(TENSOR[word], TENSOR[word + 1u], TENSOR[word + 2u], TENSOR[word + 3u]);
}
