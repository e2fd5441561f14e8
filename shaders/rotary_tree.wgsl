// Rotary embedding, portable: neighbouring lanes share a row, whose numbers they exchange through workgroup memory.
// workgroup -> GROUP_ROWS rows; invocation -> four neighbouring elements of one.
// @stand-in begin
const LANES = 32u;
const GROUP_ROWS = 8u;
const HAS_NORM = true;
struct Params { head_dim: u32, rows: u32, eps: f32, groups: u32, heads_per_weight: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Place { item: u32, head: u32, token: u32 }
fn place_of(row: u32) -> Place { return Place(0u, 0u, row); }
fn load_row4(place: Place, column: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn load4_weight(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
const HAS_WEIGHT = true;
fn angles_of(place: Place) -> vec4<u32> { return vec4<u32>(); }
fn finish(place: Place, angles: vec4<u32>, base: u32, column: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
// At most 5 KiB together: four numbers and one sum for each of 256 invocations.
var<workgroup> numbers: array<f32, 4u * LANES * GROUP_ROWS>;
var<workgroup> sums: array<f32, LANES * GROUP_ROWS>;

@compute @workgroup_size(LANES * GROUP_ROWS)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let lane = local % LANES;
  let column = lane * 4u;
  let row = tile * GROUP_ROWS + local / LANES;
  let exists = row < p.rows && column < p.head_dim;
  let place = place_of(row);
  var x = vec4<f32>(0.0);
  if (exists) { x = load_row4(place, column); }
  if (HAS_NORM) {
    sums[local] = dot(x, x);
    for (var lanes = LANES / 2u; lanes > 0u; lanes /= 2u) {
      // Publishes the sums of the level below.
      workgroupBarrier();
      if (lane < lanes) { sums[local] += sums[local + lanes]; }
    }
    // Publishes the sum of each row.
    workgroupBarrier();
    x *= inverseSqrt(sums[local - lane] / f32(p.head_dim) + p.eps);
    if (HAS_WEIGHT) { x *= load4_weight(place.head / p.heads_per_weight * p.head_dim + column); }
  }
  numbers[local * 4u] = x.x;
  numbers[local * 4u + 1u] = x.y;
  numbers[local * 4u + 2u] = x.z;
  numbers[local * 4u + 3u] = x.w;
  // Publishes the rows, all of which has been read by now: in place, what is written below is read no more.
  workgroupBarrier();
  if (exists) {
    finish(place, angles_of(place), (local - lane) * 4u, column);
  }
}
