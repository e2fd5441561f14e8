// Matrix multiplication by cooperative matrices of f16 with f32 sums, staged in workgroup memory.
// workgroup -> SUBGROUPS_M x SUBGROUPS_N blocks of one batch item's product, over one slice of k; subgroup -> a block of
// TILES_M x TILES_N cooperative matrices. Their elements can be reached through memory alone, so every block passes through
// a strip of workgroup memory on its way to `finish`.
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
const HALF_TILES = 1u;
const STRIP_TILES = 1u;
const PASSES = 1u;
const SHARE = 2u;
const TILE_K = 32u;
const CELLS = 2u;
alias Cell = vec4<f16>;
fn cell(eight: mat2x4<f16>, index: u32) -> Cell { return eight[index]; }
const A_FETCHES = 4u;
const B_FETCHES = 4u;
const SINGLES = 1u;
const PAIRS = 0u;
const a_BY_DEPTH = true;
const b_BY_DEPTH = false;
const SEGMENTED = false;
struct Params { k: u32, batch: u32, tiles_m: u32, tiles_n: u32, tile_columns: u32, half_step: u32, segment: u32, slice_depth: u32, groups: u32, a_rows: u32, b_rows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
alias Raw_a = vec2<u32>;
alias Raw_b = vec2<u32>;
fn raw_eight_a(item: u32, row: u32, depth: u32) -> Raw_a { return Raw_a(row); }
fn raw_eight_b(item: u32, row: u32, depth: u32) -> Raw_b { return Raw_b(row); }
fn eight_a(raw: Raw_a, item: u32, row: u32, depth: u32) -> mat2x4<f16> { return mat2x4<f16>(); }
fn eight_b(raw: Raw_b, item: u32, row: u32, depth: u32) -> mat2x4<f16> { return mat2x4<f16>(); }
fn some_of_eight_a(eight: mat2x4<f16>, row: u32, depth: u32, end: u32) -> mat2x4<f16> { return eight; }
fn some_of_eight_b(eight: mat2x4<f16>, row: u32, depth: u32, end: u32) -> mat2x4<f16> { return eight; }
struct Scales { left: f32, right: vec4<f32> }
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales { return Scales(1.0, vec4<f32>(1.0)); }
fn drain(total: Total, part: vec4<f32>, scales: Scales) -> Total { return total + part * scales.left * scales.right; }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
fn tile_at(index: u32) -> vec2<u32> { return vec2<u32>(index); }
var<private> slice: u32;
// @stand-in end
const LANES = SUBGROUP * SUBGROUPS_M * SUBGROUPS_N;
// Rows and columns of a subgroup's block, and of the workgroup's.
const BLOCK_ROWS = TILES_M * SIZE;
const BLOCK_COLUMNS = TILES_N * SIZE;
const A_ROWS = BLOCK_ROWS * SUBGROUPS_M;
const B_COLUMNS = BLOCK_COLUMNS * SUBGROUPS_N;
const HALF = BLOCK_COLUMNS / 2u;
// Columns of a strip.
const STRIP = STRIP_TILES * SIZE;
// In the order of storage: [rows][depths], or [depths][rows]. Lines are 16 bytes longer than what they hold, so that those
// below each other lie in other banks.
const A_LINE = select(A_ROWS, TILE_K, a_BY_DEPTH);
const B_LINE = select(B_COLUMNS, TILE_K, b_BY_DEPTH);
const A_PITCH = A_LINE + 8u;
const B_PITCH = B_LINE + 8u;

// Elements to a cell of workgroup memory.
const PER_CELL = 8u / CELLS;
const A_CELLS = A_ROWS * TILE_K / A_LINE * A_PITCH / PER_CELL;
const B_CELLS = B_COLUMNS * TILE_K / B_LINE * B_PITCH / PER_CELL;

var<workgroup> a_tile: array<Cell, A_CELLS>;
var<workgroup> b_tile: array<Cell, B_CELLS>;
// SIZE rows of every subgroup's block, STRIP columns at a time.
var<workgroup> strip: array<f32, SIZE * STRIP * SUBGROUPS_M * SUBGROUPS_N>;

// The row or column, and the depth, of the first of eight.
fn place(eight: u32, line: u32, by_depth: bool) -> vec2<u32> {
  let first = eight * 8u;
  let place = vec2<u32>(first / line, first % line);
  return select(place.yx, place, by_depth);
}

// A column of the workgroup's part of B; the second half of a subgroup's columns is the other half of a pair.
fn column_of(column0: u32, local_column: u32) -> u32 {
  let within = local_column % BLOCK_COLUMNS;
  return column0 + local_column / BLOCK_COLUMNS * p.tile_columns / SUBGROUPS_N + within % HALF + within / HALF * p.half_step;
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
  let at = tile_at(tile % tiles);
  let row0 = at.x * A_ROWS;
  let column0 = at.y * p.tile_columns;
  let begin = slice_of_k * p.slice_depth;
  let end = begin + min(p.slice_depth, p.k - begin);
  // The eights that this invocation stages: where they come from, and the cell that they go to.
  // @repeat F A_FETCHES
  let a_place_F = place(local + F * LANES, A_LINE, a_BY_DEPTH);
  let a_row_F = row0 + a_place_F.x;
  let a_first_F = (local + F * LANES) * 8u;
  let a_cell_F = (a_first_F / A_LINE * A_PITCH + a_first_F % A_LINE) / PER_CELL;
  // @end
  // @repeat F B_FETCHES
  let b_place_F = place(local + F * LANES, B_LINE, b_BY_DEPTH);
  let b_row_F = column_of(column0, b_place_F.x);
  let b_first_F = (local + F * LANES) * 8u;
  let b_cell_F = (b_first_F / B_LINE * B_PITCH + b_first_F % B_LINE) / PER_CELL;
  // @end
  // Whether the workgroup's rows and columns are all there.
  let inside = row0 + A_ROWS <= p.a_rows && column_of(column0, B_COLUMNS - 1u) < p.b_rows;
  let subgroup = local / SUBGROUP;
  let lane = local % SUBGROUP;
  let block_m = subgroup / SUBGROUPS_N;
  let block_n = subgroup % SUBGROUPS_N;
  let strip0 = subgroup * SIZE * STRIP;
  let strip_pitch = STRIP;
  // The vectors of a strip that this invocation finishes.
  // @repeat E SHARE
  let position_E = (lane + E * SUBGROUP) * 4u;
  // @repeat P PASSES
  let column_P_E_0 = column0 + block_n * p.tile_columns / SUBGROUPS_N + P * STRIP + position_E % STRIP;
  let column_P_E_1 = column_P_E_0 + p.half_step;
  // @end
  // @end
  // @repeat M TILES_M
  // @repeat E SHARE
  let row_M_E = row0 + block_m * BLOCK_ROWS + M * SIZE + position_E / STRIP;
  // @repeat P PASSES
  var total_M_P_E_0 = Total();
  var total_M_P_E_1 = Total();
  // @end
  // @end
  // @end
  for (var segment = begin; segment < end; segment += p.segment) {
    // @repeat M TILES_M
    // @repeat N TILES_N
    var sum_M_N = Sum();
    // @end
    // @end
    let segment_end = segment + min(p.segment, end - segment);
    // @repeat F A_FETCHES
    var a_next_F = raw_eight_a(item, a_row_F, segment + a_place_F.y);
    // @end
    // @repeat F B_FETCHES
    var b_next_F = raw_eight_b(item, b_row_F, segment + b_place_F.y);
    // @end
    for (var depth0 = segment; depth0 < segment_end; depth0 += TILE_K) {
      // Publishes nothing: waits until the previous tiles have been read.
      workgroupBarrier();
      let whole = inside && depth0 + TILE_K <= segment_end;
      // @repeat F A_FETCHES
      var a_eight_F = eight_a(a_next_F, item, a_row_F, depth0 + a_place_F.y);
      if (!whole) { a_eight_F = some_of_eight_a(a_eight_F, a_row_F, depth0 + a_place_F.y, segment_end); }
      // @repeat C CELLS
      a_tile[a_cell_F + C] = cell(a_eight_F, C);
      // @end
      // @end
      // @repeat F B_FETCHES
      var b_eight_F = eight_b(b_next_F, item, b_row_F, depth0 + b_place_F.y);
      if (!whole) { b_eight_F = some_of_eight_b(b_eight_F, b_row_F, depth0 + b_place_F.y, segment_end); }
      // @repeat C CELLS
      b_tile[b_cell_F + C] = cell(b_eight_F, C);
      // @end
      // @end
      // Publishes both tiles.
      workgroupBarrier();
      // The next tiles, if any, are on their way while these are multiplied: nothing waits for them before.
      // @repeat F A_FETCHES
      a_next_F = raw_eight_a(item, a_row_F, depth0 + TILE_K + a_place_F.y);
      // @end
      // @repeat F B_FETCHES
      b_next_F = raw_eight_b(item, b_row_F, depth0 + TILE_K + b_place_F.y);
      // @end
      for (var depth = 0u; depth < TILE_K; depth += SIZE) {
        // @repeat N TILES_N
        let b_column_N = block_n * BLOCK_COLUMNS + N * SIZE;
        let b_at_N = select(depth * B_PITCH + b_column_N, b_column_N * B_PITCH + depth, b_BY_DEPTH) / PER_CELL;
        var right_N: Right;
        if (b_BY_DEPTH) { right_N = coopLoad<Right>(&b_tile[b_at_N], B_PITCH / PER_CELL); }
        else { right_N = coopLoadT<Right>(&b_tile[b_at_N], B_PITCH / PER_CELL); }
        // @end
        // @repeat M TILES_M
        let a_row_M = block_m * BLOCK_ROWS + M * SIZE;
        let a_at_M = select(depth * A_PITCH + a_row_M, a_row_M * A_PITCH + depth, a_BY_DEPTH) / PER_CELL;
        var left_M: Left;
        if (a_BY_DEPTH) { left_M = coopLoadT<Left>(&a_tile[a_at_M], A_PITCH / PER_CELL); }
        else { left_M = coopLoad<Left>(&a_tile[a_at_M], A_PITCH / PER_CELL); }
        // @repeat N TILES_N
        sum_M_N = coopMultiplyAdd(left_M, right_N, sum_M_N);
        // @end
        // @end
      }
    }
    // @repeat M TILES_M
    // @repeat P PASSES
    // @repeat H 2
    // Publishes nothing: waits until the previous strip has been read.
    workgroupBarrier();
    // @repeat N STRIP_TILES
    // @let T = H * HALF_TILES + P * STRIP_TILES + N
    let strip_at_M_T = strip0 + N * SIZE;
    coopStoreT(sum_M_T, &strip[strip_at_M_T], strip_pitch);
    // @end
    // Publishes the strip.
    workgroupBarrier();
    // @repeat E SHARE
    {
      let first = strip0 + position_E;
      let part = vec4<f32>(strip[first], strip[first + 1u], strip[first + 2u], strip[first + 3u]);
      total_M_P_E_H = drain(total_M_P_E_H, part, group_scales(item, row_M_E, column_P_E_H, segment));
    }
    // @end
    // @end
    // @end
    // @end
    if (!SEGMENTED) {
      break;
    }
  }
  // @repeat M TILES_M
  // @repeat P PASSES
  // @repeat E SHARE
  // @repeat S SINGLES
  finish(item, row_M_E, column_P_E_0, total_M_P_E_0);
  finish(item, row_M_E, column_P_E_1, total_M_P_E_1);
  // @end
  // @repeat S PAIRS
  finish_pair(item, row_M_E, column_P_E_0, total_M_P_E_0, total_M_P_E_1);
  // @end
  // @end
  // @end
  // @end
}
