// Matrix multiplication with few rows: bound by reading B once, so nothing is staged.
// workgroup -> ROWS rows x 4 COLUMN_LANES columns (and their partners in a pair), over one slice of k;
// invocation -> every DEPTH_LANES-th block of four depths, of four columns. The invocations of a column add up by a tree.
// @stand-in begin
alias Total = vec4<f32>;
const ROWS = 1u;
const HALVES = 1u;
const SINGLES = 1u;
const PAIRS = 0u;
const COLUMN_LANES = 1u;
const DEPTH_LANES = 64u;
struct Params { k: u32, batch: u32, tiles_m: u32, tiles_n: u32, half_step: u32, slice_depth: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn depths_a(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> { return vec4<f32>(); }
fn block_b(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn group_scale(item: u32, row: u32, column: u32, depth: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn drain(total: Total, part: vec4<f32>, scale: vec4<f32>) -> Total { return total + part * scale; }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
fn merge(index: u32, total: Total, lane: Lane) -> Total { return total; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
var<private> slice: u32;
struct Lane { @builtin(local_invocation_index) local: u32 }
// @stand-in end
@compute @workgroup_size(COLUMN_LANES * DEPTH_LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, lane: Lane) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let tiles = p.tiles_m * p.tiles_n;
  let slice_of_k = tile / (tiles * p.batch);
  slice = slice_of_k;
  let item = tile / tiles % p.batch;
  let row = tile / p.tiles_n % p.tiles_m * ROWS;
  let column_0 = (tile % p.tiles_n * COLUMN_LANES + lane.local % COLUMN_LANES) * 4u;
  let column_1 = column_0 + p.half_step;
  let begin = slice_of_k * p.slice_depth;
  let end = min(begin + p.slice_depth, p.k);
  // @repeat R ROWS
  // @repeat H HALVES
  var total_R_H = Total();
  // @end
  // @end
  for (var depth = begin + lane.local / COLUMN_LANES * 4u; depth < end; depth += DEPTH_LANES * 4u) {
    // @repeat H HALVES
    let right_H = block_b(item, column_H, depth, end);
    // @end
    // @repeat R ROWS
    let left_R = depths_a(item, row + R, depth, end);
    // @repeat H HALVES
    let part_R_H = left_R.x * right_H[0] + left_R.y * right_H[1] + left_R.z * right_H[2] + left_R.w * right_H[3];
    total_R_H = drain(total_R_H, part_R_H, group_scale(item, row + R, column_H, depth));
    // @end
    // @end
  }
  // @repeat R ROWS
  // @repeat H HALVES
  total_R_H = merge(R * HALVES + H, total_R_H, lane);
  // @end
  // @end
  if (lane.local >= COLUMN_LANES) {
    return;
  }
  // @repeat R ROWS
  // @repeat P SINGLES
  finish(item, row + R, column_0, total_R_0);
  // @end
  // @repeat P PAIRS
  finish_pair(item, row + R, column_0, total_R_0, total_R_1);
  // @end
  // @end
}
