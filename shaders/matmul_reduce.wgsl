// The second dispatch of a matrix product whose sums are cut into slices along k: adds the slices in order and finishes.
// invocation -> four columns of a row (and their partners in a pair).
// @stand-in begin
alias Total = vec4<f32>;
const PAIR = false;
struct Params { m: u32, n: u32, batch: u32, slices: u32, scratch_pitch: u32, quads: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scratch: array<vec4<u32>>;
fn total_of(bits: vec4<u32>) -> Total { return bitcast<vec4<f32>>(bits); }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
fn sum_of(position: u32) -> Total {
  let step = p.batch * p.m * p.scratch_pitch;
  var total = Total();
  for (var slice = 0u; slice < p.slices; slice += 1u) {
    total += total_of(scratch[slice * step + position]);
  }
  return total;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  let index = tile * 64u + local;
  let whole_row = index / p.quads;
  if (tile >= p.groups || whole_row >= p.batch * p.m) {
    return;
  }
  let quad = index % p.quads;
  let position = whole_row * p.scratch_pitch + quad;
  if (PAIR) {
    finish_pair(whole_row / p.m, whole_row % p.m, quad * 4u, sum_of(position), sum_of(position + p.n / 4u));
  } else {
    finish(whole_row / p.m, whole_row % p.m, quad * 4u, sum_of(position));
  }
}
