// Matrix multiplication by cooperative matrices of f16 with f32 sums, staged in workgroup memory.
// workgroup -> SUBGROUPS_M x SUBGROUPS_N blocks of one batch item's product, over one slice of k; subgroup -> a block of
// TILES_M x TILES_N cooperative matrices. Their elements can be reached through memory alone, so every block passes
// through a strip of workgroup memory on its way to `finish`.
// @stand-in begin
enable f16;
enable wgpu_cooperative_matrix;
alias Total = vec4<f32>;
const SIZE = 8u;
alias Left = coop_mat8x8<f16, A>;
alias Right = coop_mat8x8<f16, B>;
alias Sum = coop_mat8x8<f32, C>;
const SUBGROUP = 8u;
const SUBGROUPS_M = 2u;
const SUBGROUPS_N = 2u;
const TILES_M = 2u;
const TILES_N = 2u;
const SHARE = 2u;
const SINGLES = 1u;
const PAIRS = 0u;
const a_BY_DEPTH = true;
const b_BY_DEPTH = false;
const SEGMENTED = false;
struct Params { k: u32, batch: u32, tiles_m: u32, tiles_n: u32, tile_columns: u32, half_step: u32, segment: u32, slice_depth: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn line_a(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> { return vec4<f32>(); }
fn line_b(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> { return vec4<f32>(); }
struct Scales { left: f32, right: vec4<f32> }
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales { return Scales(1.0, vec4<f32>(1.0)); }
fn drain(total: Total, part: vec4<f32>, scales: Scales) -> Total { return total + part * scales.left * scales.right; }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
var<private> slice: u32;
// @stand-in end
const TILE_K = 32u;
const LANES = SUBGROUP * SUBGROUPS_M * SUBGROUPS_N;
// Rows and columns of a subgroup's block, and of the workgroup's.
const ROWS = TILES_M * SIZE;
const COLUMNS = TILES_N * SIZE;
const A_ROWS = ROWS * SUBGROUPS_M;
const B_COLUMNS = COLUMNS * SUBGROUPS_N;
// Vectors of four in half a row of a block.
const HALF = COLUMNS / 8u;
// In the order of storage: [rows][depths], or [depths][rows].
const A_PITCH = select(A_ROWS, TILE_K, a_BY_DEPTH);
const B_PITCH = select(B_COLUMNS, TILE_K, b_BY_DEPTH);

var<workgroup> a_tile: array<f16, A_ROWS * TILE_K>;
var<workgroup> b_tile: array<f16, B_COLUMNS * TILE_K>;
// SIZE rows of every subgroup's block.
var<workgroup> strip: array<f32, SIZE * COLUMNS * SUBGROUPS_M * SUBGROUPS_N>;

// A column of the workgroup's part of B; the second half of a subgroup's columns is the other half of a pair.
fn column_of(column0: u32, local_column: u32) -> u32 {
  let block = local_column / COLUMNS;
  let within = local_column % COLUMNS;
  return column0 + block * p.tile_columns / SUBGROUPS_N + within % (COLUMNS / 2u) + within / (COLUMNS / 2u) * p.half_step;
}

fn stage(item: u32, row0: u32, column0: u32, depth0: u32, end: u32, local: u32) {
  for (var i = local; i < A_ROWS * TILE_K / 4u; i += LANES) {
    let first = i * 4u;
    let along = first % A_PITCH;
    let across = first / A_PITCH;
    let row = select(along, across, a_BY_DEPTH);
    let depth = select(across, along, a_BY_DEPTH);
    let loaded = line_a(item, row0 + row, depth0 + depth, end);
    // @repeat I 4
    a_tile[first + I] = f16(loaded[I]);
    // @end
  }
  for (var i = local; i < B_COLUMNS * TILE_K / 4u; i += LANES) {
    let first = i * 4u;
    let along = first % B_PITCH;
    let across = first / B_PITCH;
    let column = select(along, across, b_BY_DEPTH);
    let depth = select(across, along, b_BY_DEPTH);
    let loaded = line_b(item, column_of(column0, column), depth0 + depth, end);
    // @repeat I 4
    b_tile[first + I] = f16(loaded[I]);
    // @end
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  // As `unfold`, whose result a validator would not know to be uniform.
  let tile = group.x + group.y * groups.x;
  if (tile >= p.groups) {
    return;
  }
  let tiles = p.tiles_m * p.tiles_n;
  let slice_of_k = tile / (tiles * p.batch);
  slice = slice_of_k;
  let item = tile / tiles % p.batch;
  let row0 = tile / p.tiles_n % p.tiles_m * A_ROWS;
  let column0 = tile % p.tiles_n * p.tile_columns;
  let begin = slice_of_k * p.slice_depth;
  let end = begin + min(p.slice_depth, p.k - begin);
  let subgroup = local / SUBGROUP;
  let lane = local % SUBGROUP;
  let block_m = subgroup / SUBGROUPS_N;
  let block_n = subgroup % SUBGROUPS_N;
  let strip0 = subgroup * SIZE * COLUMNS;
  let strip_pitch = COLUMNS;
  // The vectors of a strip that this invocation finishes: SHARE positions in either half.
  // @repeat E SHARE
  let position_E = lane + E * SUBGROUP;
  let column_E_0 = column0 + block_n * p.tile_columns / SUBGROUPS_N + position_E % HALF * 4u;
  let column_E_1 = column_E_0 + p.half_step;
  // @end
  // @repeat M TILES_M
  // @repeat E SHARE
  let row_M_E = row0 + block_m * ROWS + M * SIZE + position_E / HALF;
  var total_M_E_0 = Total();
  var total_M_E_1 = Total();
  // @end
  // @end
  for (var segment = begin; segment < end; segment += p.segment) {
    // @repeat M TILES_M
    // @repeat N TILES_N
    var sum_M_N = Sum();
    // @end
    // @end
    let segment_end = segment + min(p.segment, end - segment);
    for (var depth0 = segment; depth0 < segment_end; depth0 += TILE_K) {
      // Publishes nothing: waits until the previous tiles have been read.
      workgroupBarrier();
      stage(item, row0, column0, depth0, segment_end, local);
      // Publishes both tiles.
      workgroupBarrier();
      for (var d = 0u; d < TILE_K; d += SIZE) {
        // @repeat N TILES_N
        let b_column_N = block_n * COLUMNS + N * SIZE;
        let b_at_N = select(d * B_PITCH + b_column_N, b_column_N * B_PITCH + d, b_BY_DEPTH);
        var right_N: Right;
        if (b_BY_DEPTH) { right_N = coopLoad<Right>(&b_tile[b_at_N], B_PITCH); }
        else { right_N = coopLoadT<Right>(&b_tile[b_at_N], B_PITCH); }
        // @end
        // @repeat M TILES_M
        let a_row_M = block_m * ROWS + M * SIZE;
        let a_at_M = select(d * A_PITCH + a_row_M, a_row_M * A_PITCH + d, a_BY_DEPTH);
        var left_M: Left;
        if (a_BY_DEPTH) { left_M = coopLoadT<Left>(&a_tile[a_at_M], A_PITCH); }
        else { left_M = coopLoad<Left>(&a_tile[a_at_M], A_PITCH); }
        // @repeat N TILES_N
        sum_M_N = coopMultiplyAdd(left_M, right_N, sum_M_N);
        // @end
        // @end
      }
    }
    // @repeat M TILES_M
    // Publishes nothing: waits until the previous strip has been read.
    workgroupBarrier();
    // @repeat N TILES_N
    let strip_at_M_N = strip0 + N * SIZE;
    coopStoreT(sum_M_N, &strip[strip_at_M_N], strip_pitch);
    // @end
    // Publishes the strip.
    workgroupBarrier();
    // @repeat E SHARE
    // @repeat H 2
    {
      let at = strip0 + position_E / HALF * COLUMNS + position_E % HALF * 4u + H * COLUMNS / 2u;
      let part = vec4<f32>(strip[at], strip[at + 1u], strip[at + 2u], strip[at + 3u]);
      total_M_E_H = drain(total_M_E_H, part, group_scales(item, row_M_E, column_E_H, segment));
    }
    // @end
    // @end
    // @end
    if (!SEGMENTED) {
      break;
    }
  }
  // @repeat M TILES_M
  // @repeat E SHARE
  // @repeat P SINGLES
  finish(item, row_M_E, column_E_0, total_M_E_0);
  finish(item, row_M_E, column_E_1, total_M_E_1);
  // @end
  // @repeat P PAIRS
  finish_pair(item, row_M_E, column_E_0, total_M_E_0, total_M_E_1);
  // @end
  // @end
  // @end
}
