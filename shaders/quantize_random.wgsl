// Four random numbers for each word of codes.
// @stand-in begin
@group(0) @binding(1) var<storage, read> seed: array<u32>;
fn philox(counter: vec4<u32>, seed: vec2<u32>) -> vec4<u32> { return counter; }
// @stand-in end
fn random_of(word: u32) -> vec4<u32> {
  return philox(vec4<u32>(word, 0u, 0u, 0u), vec2<u32>(seed[0], seed[1]));
}
