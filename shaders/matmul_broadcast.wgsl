// Matrix multiplication for adapters that are CPUs: no barriers, no workgroup memory.
// workgroup -> ROWS rows x 32 HALVES columns of one batch item's product, over one slice of k; invocation -> ROWS rows x 4
// columns (twice in a pair). Addresses into A depend on the workgroup and the loop alone: one load serves all lanes.
// @stand-in begin
alias Total = vec4<f32>;
const ROWS = 1u;
const HALVES = 1u;
const SINGLES = 1u;
const PAIRS = 0u;
const SEGMENTED = false;
struct Params { m: u32, n: u32, k: u32, batch: u32, tiles_m: u32, tiles_n: u32, half_step: u32, segment: u32, slice_depth: u32, groups: u32, b_pitch: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn whole_depths_a(item: u32, row: u32, depth: u32) -> vec4<f32> { return vec4<f32>(); }
fn depths_a(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> { return vec4<f32>(); }
fn at_b(item: u32, row: u32, depth: u32) -> u32 { return row; }
fn step_b(depths: u32, pitch: u32) -> u32 { return depths; }
fn whole_block_b(at: u32, pitch: u32, item: u32, row: u32, depth: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn block_b(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
struct Scales { left: f32, right: vec4<f32> }
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales { return Scales(1.0, vec4<f32>(1.0)); }
fn drain(total: Total, part: vec4<f32>, scales: Scales) -> Total { return total + part * scales.left * scales.right; }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
var<private> slice: u32;
// @stand-in end
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let tiles = p.tiles_m * p.tiles_n;
  let slice_of_k = tile / (tiles * p.batch);
  slice = slice_of_k;
  let item = tile / tiles % p.batch;
  let row0 = tile / p.tiles_n % p.tiles_m * ROWS;
  // Rows and columns past the last ones repeat them; their sums are never stored.
  // @repeat R ROWS
  let row_R = min(row0 + R, p.m - 1u);
  // @end
  let column_0 = (tile % p.tiles_n * 8u + local) * 4u;
  let loaded_0 = min(column_0, (p.n - 1u) / 4u * 4u);
  // @repeat P PAIRS
  let loaded_1 = loaded_0 + p.half_step;
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
  for (var segment = begin; segment < end; segment += p.segment) {
    // @repeat R ROWS
    // @repeat H HALVES
    var part_R_H = vec4<f32>(0.0);
    // @end
    // @end
    let segment_end = segment + min(p.segment, end - segment);
    // Four depths at a time, so that A is read four elements at once.
    let whole_end = segment + (segment_end - segment) / 4u * 4u;
    for (var depth = segment; depth < whole_end; depth += 4u) {
      // @repeat H HALVES
      let right_H = whole_block_b(start_H + step_b(depth, b_pitch), b_pitch, item, loaded_H, depth);
      // @end
      // @repeat R ROWS
      let left_R = whole_depths_a(item, row_R, depth);
      // @repeat H HALVES
      part_R_H = fma(vec4<f32>(left_R.x), right_H[0], part_R_H);
      part_R_H = fma(vec4<f32>(left_R.y), right_H[1], part_R_H);
      part_R_H = fma(vec4<f32>(left_R.z), right_H[2], part_R_H);
      part_R_H = fma(vec4<f32>(left_R.w), right_H[3], part_R_H);
      // @end
      // @end
    }
    if (whole_end < segment_end) {
      // @repeat H HALVES
      let rest_H = block_b(item, loaded_H, whole_end, segment_end);
      // @end
      // @repeat R ROWS
      let left_R = depths_a(item, row_R, whole_end, segment_end);
      // @repeat H HALVES
      part_R_H = fma(vec4<f32>(left_R.x), rest_H[0], part_R_H);
      part_R_H = fma(vec4<f32>(left_R.y), rest_H[1], part_R_H);
      part_R_H = fma(vec4<f32>(left_R.z), rest_H[2], part_R_H);
      part_R_H = fma(vec4<f32>(left_R.w), rest_H[3], part_R_H);
      // @end
      // @end
    }
    // @repeat R ROWS
    // @repeat H HALVES
    total_R_H = drain(total_R_H, part_R_H, group_scales(item, row_R, loaded_H, segment));
    // @end
    // @end
    if (!SEGMENTED) {
      break;
    }
  }
  // @repeat R ROWS
  // @repeat P SINGLES
  finish(item, row0 + R, column_0, total_R_0);
  // @end
  // @repeat P PAIRS
  finish_pair(item, row0 + R, column_0, total_R_0, total_R_1);
  // @end
  // @end
}
