// What all matmul variants share.
// @stand-in begin
fn scale_a(item: u32, row: u32, depth: u32) -> f32 { return 1.0; }
fn scale4_b(item: u32, row: u32, depth: u32) -> vec4<f32> { return vec4<f32>(1.0); }
const a_PER = 3u;
const b_PER = 3u;
// @stand-in end
// The slice of k that this workgroup sums over.
var<private> slice: u32;

// Which of four neighbours come before the end.
fn below(first: u32, end: u32) -> vec4<bool> {
  return vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end);
}

// What a sum over a group of depths is multiplied by.
fn group_scale(item: u32, row: u32, column: u32, depth: u32) -> vec4<f32> {
  var scale = vec4<f32>(1.0);
  if (a_PER == 3u) { scale *= scale_a(item, row, depth); }
  if (b_PER == 3u) { scale *= scale4_b(item, column, depth); }
  return scale;
}
