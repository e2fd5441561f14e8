// Normalisation of rows, portable: the lanes of a workgroup share a row and add up their sums in a fixed tree.
// workgroup -> one row; invocation -> every LANES-th group of four columns of it.
// @stand-in begin
const LANES = 128u;
const CENTRED = true;
struct Params { width: u32, eps: f32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_x4(row: u32, column: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn inside(column: u32, v: vec4<f32>) -> vec4<f32> { return v; }
fn deliver(row: u32, start: u32, step: u32, mean: f32, correction: f32, inverse: f32) { }
fn sum_of_lanes(local: u32, mine: vec2<f32>) -> vec2<f32> { return mine; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let row = unfold(group, groups);
  if (row >= p.groups) {
    return;
  }
  let count = f32(p.width);
  var mean = 0.0;
  if (CENTRED) {
    var sums = vec4<f32>(0.0);
    for (var column = local * 4u; column < p.width; column += LANES * 4u) {
      sums += inside(column, load_x4(row, column));
    }
    mean = sum_of_lanes(local, vec2<f32>(dot(sums, vec4<f32>(1.0)), 0.0)).x / count;
  }
  var sums = vec4<f32>(0.0);
  var squares = vec4<f32>(0.0);
  for (var column = local * 4u; column < p.width; column += LANES * 4u) {
    let centred = inside(column, load_x4(row, column) - mean);
    sums += centred;
    squares += centred * centred;
  }
  let mine = vec2<f32>(dot(sums, vec4<f32>(1.0)), dot(squares, vec4<f32>(1.0)));
  let moments = sum_of_lanes(local, mine) / count;
  // What the first mean left over: its own rounding.
  let correction = select(0.0, moments.x, CENTRED);
  let inverse = inverseSqrt(max(moments.y - correction * correction, 0.0) + p.eps);
  deliver(row, local * 4u, LANES * 4u, mean, correction, inverse);
}
