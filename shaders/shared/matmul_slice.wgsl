// What all shaders that form the sums of a product share.
// The slice of k that this workgroup sums over.
var<private> slice: u32;

// Which of four neighbours come before the end.
fn below(first: u32, end: u32) -> vec4<bool> {
  return vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
}
