// Matrix multiplication with few rows: bound by reading B once, so nothing is staged.
// workgroup -> ROWS rows x HALVES times 4 COLUMN_LANES columns (a pair has one half in either), over one slice of k;
// invocation -> every DEPTH_LANES-th block of four depths, of four columns of every half. The invocations of a column then
// add up.
// @stand-in begin
alias Total = vec4<f32>;
const ROWS = 1u;
const HALVES = 1u;
const COLUMN_HALVES = 1u;
const SINGLES = 1u;
const PAIRS = 0u;
const COLUMN_LANES = 1u;
const DEPTH_LANES = 64u;
const QUADS = 2u;
const ANY_VECTORS = 0u;
struct Params { m: u32, n: u32, k: u32, batch: u32, tiles_m: u32, tiles_n: u32, half_step: u32, slice_depth: u32, groups: u32, b_pitch: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn whole_depths_a(item: u32, row: u32, depth: u32) -> vec4<f32> { return vec4<f32>(); }
fn at_b(item: u32, row: u32, depth: u32) -> u32 { return row; }
fn step_b(depths: u32, pitch: u32) -> u32 { return depths; }
fn whole_block_b(at: u32, pitch: u32, item: u32, row: u32, depth: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn vector_b(i: u32) -> vec4<u32> { return vec4<u32>(i); }
fn quad_of_b(vector: vec4<u32>, quad: u32) -> vec4<f32> { return vec4<f32>(vector); }
fn zero_of_b(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
fn depths_a(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> { return vec4<f32>(); }
fn block_b(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
struct Scales { left: f32, right: vec4<f32> }
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales { return Scales(1.0, vec4<f32>(1.0)); }
fn drain(total: Total, part: vec4<f32>, scales: Scales) -> Total { return total + part * scales.left * scales.right; }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
fn merge(index: u32, total: Total, lane: Lane) -> Total { return total; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
var<private> slice: u32;
struct Lane { @builtin(local_invocation_index) local: u32 }
// @stand-in end
// Depths of a column that are read at a time.
const DEEP = 4u * QUADS;

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
  // Rows and columns past the last ones repeat them; their sums are never stored.
  // @repeat R ROWS
  let row_R = min(row + R, p.m - 1u);
  // @end
  let column_0 = (tile % p.tiles_n * COLUMN_HALVES * COLUMN_LANES + lane.local % COLUMN_LANES) * 4u;
  let last_column = (p.n - 1u) / 4u * 4u;
  // @repeat H HALVES
  let loaded_H = min(column_0 + H * 4u * COLUMN_LANES * SINGLES, last_column) + H * p.half_step * PAIRS;
  // @end
  // @repeat H HALVES
  let start_H = at_b(item, loaded_H, 0u);
  // @end
  let b_pitch = p.b_pitch;
  let begin = slice_of_k * p.slice_depth;
  let end = begin + min(p.slice_depth, p.k - begin);
  // @repeat R ROWS
  // @repeat H HALVES
  var total_R_H = Total();
  // @end
  // @end
  var begin_of_blocks = begin;
  // Where 16 bytes of a column are read at a time, QUADS blocks of four depths.
  // @repeat Z ANY_VECTORS
  begin_of_blocks = begin + (max(end, begin) - begin) / DEEP * DEEP;
  for (var depth = begin + lane.local / COLUMN_LANES * DEEP; depth < begin_of_blocks; depth += DEPTH_LANES * DEEP) {
    // All is on its way before the first is decoded.
    // @repeat H HALVES
    // @repeat C 4
    let vector_H_C = vector_b(at_b(item, loaded_H + C, depth));
    // @end
    // @end
    // @repeat R ROWS
    // @repeat Q QUADS
    let left_R_Q = whole_depths_a(item, row_R, depth + Q * 4u);
    // @end
    // @end
    // @repeat H HALVES
    // @repeat C 4
    let zero_H_C = zero_of_b(item, loaded_H + C, depth);
    // @repeat Q QUADS
    let right_H_C_Q = quad_of_b(vector_H_C, Q) - zero_H_C;
    // @end
    // @end
    // @end
    // @repeat R ROWS
    // @repeat H HALVES
    var part_R_H = vec4<f32>(0.0);
    // @repeat C 4
    // @repeat Q QUADS
    part_R_H[C] += dot(left_R_Q, right_H_C_Q);
    // @end
    // @end
    total_R_H = drain(total_R_H, part_R_H, group_scales(item, row_R, loaded_H, depth));
    // @end
    // @end
  }
  // @end
  let whole_end = begin + (max(end, begin) - begin) / 4u * 4u;
  let first = lane.local / COLUMN_LANES * 4u;
  for (var depth = begin_of_blocks + first; depth < whole_end; depth += DEPTH_LANES * 4u) {
    // @repeat H HALVES
    let right_H = whole_block_b(start_H + step_b(depth, b_pitch), b_pitch, item, loaded_H, depth);
    // @end
    // @repeat R ROWS
    let left_R = whole_depths_a(item, row_R, depth);
    // @repeat H HALVES
    let part_R_H = left_R.x * right_H[0] + left_R.y * right_H[1] + left_R.z * right_H[2] + left_R.w * right_H[3];
    total_R_H = drain(total_R_H, part_R_H, group_scales(item, row_R, loaded_H, depth));
    // @end
    // @end
  }
  // The first lanes take the depths that are no whole block.
  if (whole_end < end && first == 0u) {
    // @repeat H HALVES
    let right_H = block_b(item, loaded_H, whole_end, end);
    // @end
    // @repeat R ROWS
    let left_R = depths_a(item, row_R, whole_end, end);
    // @repeat H HALVES
    let part_R_H = left_R.x * right_H[0] + left_R.y * right_H[1] + left_R.z * right_H[2] + left_R.w * right_H[3];
    total_R_H = drain(total_R_H, part_R_H, group_scales(item, row_R, loaded_H, whole_end));
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
  // @repeat H HALVES
  finish(item, row + R, column_0 + H * 4u * COLUMN_LANES, total_R_H);
  // @end
  // @end
  // @repeat P PAIRS
  finish_pair(item, row + R, column_0, total_R_0, total_R_1);
  // @end
  // @end
}
