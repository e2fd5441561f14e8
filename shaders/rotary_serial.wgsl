// Rotary embedding for adapters that are CPUs: no barriers, no workgroup memory.
// workgroup -> 8 rows; invocation -> one row, of which it knows all numbers before it writes the first: also in place.
// @stand-in begin
const HAS_NORM = true;
const HAS_WEIGHT = true;
struct Params { head_dim: u32, rows: u32, eps: f32, heads_per_weight: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Place { item: u32, head: u32, token: u32 }
fn place_of(row: u32) -> Place { return Place(0u, 0u, row); }
fn load_row4(place: Place, column: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn load4_weight(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn angles_of(place: Place) -> vec4<u32> { return vec4<u32>(); }
fn finish(place: Place, angles: vec4<u32>, base: u32, column: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
// The longest row.
var<private> numbers: array<f32, 256>;

fn keep(column: u32, x: vec4<f32>) {
  numbers[column] = x.x;
  numbers[column + 1u] = x.y;
  numbers[column + 2u] = x.z;
  numbers[column + 3u] = x.w;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let row = unfold(group, groups) * 8u + local;
  if (row >= p.rows) {
    return;
  }
  let place = place_of(row);
  var squares = vec4<f32>(0.0);
  for (var column = 0u; column < p.head_dim; column += 4u) {
    let x = load_row4(place, column);
    squares += x * x;
    keep(column, x);
  }
  if (HAS_NORM) {
    let inverse = inverseSqrt(dot(squares, vec4<f32>(1.0)) / f32(p.head_dim) + p.eps);
    for (var column = 0u; column < p.head_dim; column += 4u) {
      var x = vec4<f32>(numbers[column], numbers[column + 1u], numbers[column + 2u], numbers[column + 3u]) * inverse;
      if (HAS_WEIGHT) { x *= load4_weight(place.head / p.heads_per_weight * p.head_dim + column); }
      keep(column, x);
    }
  }
  let angles = angles_of(place);
  for (var column = 0u; column < p.head_dim; column += 4u) {
    finish(place, angles, 0u, column);
  }
}
