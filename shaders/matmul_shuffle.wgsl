// Matrix multiplication for adapters that are CPUs with subgroups of 8: no barriers, no workgroup memory.
// workgroup -> ROWS rows x 32 HALVES columns of one batch item's product, over one slice of k; invocation -> ROWS rows x 4
// columns of every half. The invocations' lanes are columns of B and of the sums, and depths of A: one gather brings a word
// of A to every lane, and a shuffle by a value spreads an element to all, which costs an instruction where a load from a
// common address costs a dozen. One accumulator for each sum, over the depths in order, whatever ROWS is.
// @stand-in begin
alias Total = vec4<f32>;
const ROWS = 2u;
const HALVES = 2u;
const SINGLES = 1u;
const PAIRS = 0u;
const COLUMN_HALVES = 2u;
const WORDS = 4u;
const PER_WORD = 1u;
const GATHERS = 1u;
const GATHERED_ROWS = 2u;
const ROWS_PER_GATHER = 2u;
const SEGMENTED = false;
const a_HAS_ZERO = false;
struct Params { m: u32, n: u32, k: u32, batch: u32, tiles_m: u32, tiles_n: u32, half_step: u32, segment: u32, slice_depth: u32, groups: u32, a_pitch: u32, a_stride: u32, a_start: u32, b_pitch: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> a: array<u32>;
fn word_a(word: u32) -> vec4<f32> { return vec4<f32>(bitcast<f32>(word)); }
fn zero_a(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
fn at_b(item: u32, row: u32, depth: u32) -> u32 { return row; }
fn step_b(depths: u32, pitch: u32) -> u32 { return depths; }
fn whole_block_b(at: u32, pitch: u32, item: u32, row: u32, depth: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn block_b(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn below(first: u32, end: u32) -> vec4<bool> { return vec4<bool>(first < end); }
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
  // Neighbouring workgroups share columns of B, which stay in the cache.
  let row0 = tile % p.tiles_m * ROWS;
  let column_0 = (tile / p.tiles_m % p.tiles_n * 8u * COLUMN_HALVES + local) * 4u;
  let last_column = (p.n - 1u) / 4u * 4u;
  // Rows and columns past the last ones repeat them; their sums are never stored.
  // @repeat H HALVES
  let loaded_H = min(column_0 + H * 32u * SINGLES, last_column) + H * p.half_step * PAIRS;
  // @end
  // A lane's word of A: WORDS lanes to a row.
  let lane_depth = local % WORDS * PER_WORD;
  // @repeat G GATHERS
  let lane_row_G = min(row0 + G * ROWS_PER_GATHER + local / WORDS, p.m - 1u);
  let word_at_G = (item * p.a_stride + lane_row_G * p.a_pitch + p.a_start + lane_depth) / PER_WORD;
  // @end
  // Zero, which the compiler cannot know: a shuffle by a constant would be two instructions.
  let unknown_zero = local & (p.k >> 31u);
  // @repeat L 8
  let lane_L = unknown_zero + L;
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
    // @repeat G GATHERS
    var a_zero_G = 0.0;
    if (a_HAS_ZERO) { a_zero_G = zero_a(item, lane_row_G, segment); }
    // @end
    let segment_end = segment + min(p.segment, end - segment);
    let whole_end = segment + (segment_end - segment) / 4u * 4u;
    for (var depth = segment; depth < whole_end; depth += 4u) {
      // Gathers side by side cost half of what they cost between arithmetic.
      // @repeat H HALVES
      let right_H = whole_block_b(start_H + step_b(depth, b_pitch), b_pitch, item, loaded_H, depth);
      // @end
      // @repeat G GATHERS
      let words_G = a[word_at_G + depth / PER_WORD];
      // @end
      // @repeat G GATHERS
      var left_G = word_a(words_G);
      if (a_HAS_ZERO) { left_G -= a_zero_G; }
      // @repeat S GATHERED_ROWS
      // @let R = G * ROWS_PER_GATHER + S
      // @repeat W WORDS
      // @let L = S * WORDS + W
      // @repeat E PER_WORD
      // @let D = W * PER_WORD + E
      let element_R_D = subgroupShuffle(left_G[E], lane_L);
      // @repeat H HALVES
      part_R_H += element_R_D * right_H[D];
      // @end
      // @end
      // @end
      // @end
      // @end
    }
    if (whole_end < segment_end) {
      // @repeat H HALVES
      let rest_H = block_b(item, loaded_H, whole_end, segment_end);
      // @end
      // @repeat G GATHERS
      var left_G = word_a(a[word_at_G + whole_end / PER_WORD]);
      if (a_HAS_ZERO) { left_G -= a_zero_G; }
      // Depths past the end count as zero whatever lies there.
      left_G = select(vec4<f32>(0.0), left_G, below(whole_end + lane_depth, segment_end));
      // @repeat S GATHERED_ROWS
      // @let R = G * ROWS_PER_GATHER + S
      // @repeat W WORDS
      // @let L = S * WORDS + W
      // @repeat E PER_WORD
      // @let D = W * PER_WORD + E
      let element_R_D = subgroupShuffle(left_G[E], lane_L);
      // @repeat H HALVES
      part_R_H += element_R_D * rest_H[D];
      // @end
      // @end
      // @end
      // @end
      // @end
    }
    // @repeat R ROWS
    // @repeat H HALVES
    total_R_H = drain(total_R_H, part_R_H, group_scales(item, min(row0 + R, p.m - 1u), loaded_H, segment));
    // @end
    // @end
    if (!SEGMENTED) {
      break;
    }
  }
  // @repeat R ROWS
  // @repeat P SINGLES
  // @repeat H HALVES
  finish(item, row0 + R, column_0 + H * 32u, total_R_H);
  // @end
  // @end
  // @repeat P PAIRS
  finish_pair(item, row0 + R, column_0, total_R_0, total_R_1);
  // @end
  // @end
}
