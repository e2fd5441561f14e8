// What the sums of a matrix product are multiplied by.
// @stand-in begin
fn scale_a(item: u32, row: u32, depth: u32) -> f32 { return 1.0; }
fn scale4_b(item: u32, row: u32, depth: u32) -> vec4<f32> { return vec4<f32>(1.0); }
const a_PER = 3u;
const b_PER = 3u;
// @stand-in end
// What a sum over a group of depths is multiplied by, one after the other: their product may leave the range of f32.
struct Scales { left: f32, right: vec4<f32> }

fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales {
  var scales = Scales(1.0, vec4<f32>(1.0));
  if (a_PER == 3u) { scales.left = scale_a(item, row, depth); }
  if (b_PER == 3u) { scales.right = scale4_b(item, column, depth); }
  return scales;
}
