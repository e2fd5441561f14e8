// Matrix multiplication by cooperative matrices of f16 with f32 sums, staged in workgroup memory.
// workgroup -> SUBGROUPS_M x SUBGROUPS_N blocks of one batch item's product, over one slice of k; subgroup -> a block of
// TILES x TILES cooperative matrices. Their elements can be reached through memory alone, so every block passes through a
// strip of workgroup memory on its way to `finish`.
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
const TILES = 2u;
const HALF_TILES = 1u;
const SHARE = 2u;
const A_FETCHES = 4u;
const B_FETCHES = 4u;
const SINGLES = 1u;
const PAIRS = 0u;
const a_BY_DEPTH = true;
const b_BY_DEPTH = false;
const SEGMENTED = false;
struct Params { k: u32, batch: u32, tiles_m: u32, tiles_n: u32, tile_columns: u32, half_step: u32, segment: u32, slice_depth: u32, groups: u32, a_rows: u32, b_rows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn eight_a(item: u32, row: u32, depth: u32) -> mat2x4<f32> { return mat2x4<f32>(); }
fn eight_b(item: u32, row: u32, depth: u32) -> mat2x4<f32> { return mat2x4<f32>(); }
fn some_of_eight_a(item: u32, row: u32, depth: u32, end: u32) -> mat2x4<f32> { return mat2x4<f32>(); }
fn some_of_eight_b(item: u32, row: u32, depth: u32, end: u32) -> mat2x4<f32> { return mat2x4<f32>(); }
struct Scales { left: f32, right: vec4<f32> }
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales { return Scales(1.0, vec4<f32>(1.0)); }
fn drain(total: Total, part: vec4<f32>, scales: Scales) -> Total { return total + part * scales.left * scales.right; }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
fn tile_at(index: u32) -> vec2<u32> { return vec2<u32>(index); }
var<private> slice: u32;
// @stand-in end
const TILE_K = 32u;
const LANES = SUBGROUP * SUBGROUPS_M * SUBGROUPS_N;
// Rows, or columns, of a subgroup's block, and of the workgroup's.
const BLOCK = TILES * SIZE;
const A_ROWS = BLOCK * SUBGROUPS_M;
const B_COLUMNS = BLOCK * SUBGROUPS_N;
const HALF = BLOCK / 2u;
// In the order of storage: [rows][depths], or [depths][rows]. Lines are 16 bytes longer than what they hold, so that those
// below each other lie in other banks.
const A_LINE = select(A_ROWS, TILE_K, a_BY_DEPTH);
const B_LINE = select(B_COLUMNS, TILE_K, b_BY_DEPTH);
const A_PITCH = A_LINE + 8u;
const B_PITCH = B_LINE + 8u;

var<workgroup> a_tile: array<f16, A_ROWS * TILE_K / A_LINE * A_PITCH>;
var<workgroup> b_tile: array<f16, B_COLUMNS * TILE_K / B_LINE * B_PITCH>;
// SIZE rows of half the columns of every subgroup's block.
var<workgroup> strip: array<f32, SIZE * HALF * SUBGROUPS_M * SUBGROUPS_N>;

// What this invocation brings for the next tiles: eight neighbours at a time.
// @repeat F A_FETCHES
var<private> a_next_F: mat2x4<f32>;
// @end
// @repeat F B_FETCHES
var<private> b_next_F: mat2x4<f32>;
// @end

// The row or column, and the depth, of the first of eight.
fn place(eight: u32, line: u32, by_depth: bool) -> vec2<u32> {
  let first = eight * 8u;
  let place = vec2<u32>(first / line, first % line);
  return select(place.yx, place, by_depth);
}

// A column of the workgroup's part of B; the second half of a subgroup's columns is the other half of a pair.
fn column_of(column0: u32, local_column: u32) -> u32 {
  let within = local_column % BLOCK;
  return column0 + local_column / BLOCK * p.tile_columns / SUBGROUPS_N + within % HALF + within / HALF * p.half_step;
}

fn fetch(item: u32, row0: u32, column0: u32, depth0: u32, end: u32, local: u32) {
  // The same for the whole workgroup: loads without conditions between them can all be under way at once.
  let last_column = column_of(column0, B_COLUMNS - 1u);
  if (row0 + A_ROWS <= p.a_rows && last_column < p.b_rows && depth0 + TILE_K <= end) {
    // @repeat F A_FETCHES
    let a_place_F = place(local + F * LANES, A_LINE, a_BY_DEPTH);
    a_next_F = eight_a(item, row0 + a_place_F.x, depth0 + a_place_F.y);
    // @end
    // @repeat F B_FETCHES
    let b_place_F = place(local + F * LANES, B_LINE, b_BY_DEPTH);
    b_next_F = eight_b(item, column_of(column0, b_place_F.x), depth0 + b_place_F.y);
    // @end
    return;
  }
  // @repeat F A_FETCHES
  let a_place_F = place(local + F * LANES, A_LINE, a_BY_DEPTH);
  a_next_F = some_of_eight_a(item, row0 + a_place_F.x, depth0 + a_place_F.y, end);
  // @end
  // @repeat F B_FETCHES
  let b_place_F = place(local + F * LANES, B_LINE, b_BY_DEPTH);
  b_next_F = some_of_eight_b(item, column_of(column0, b_place_F.x), depth0 + b_place_F.y, end);
  // @end
}

// Puts what was fetched into the tiles.
fn put(local: u32) {
  // @repeat F A_FETCHES
  let a_first_F = (local + F * LANES) * 8u;
  let a_at_F = a_first_F / A_LINE * A_PITCH + a_first_F % A_LINE;
  // @repeat I 4
  a_tile[a_at_F + I] = f16(a_next_F[0][I]);
  // @end
  // @repeat I 4
  a_tile[a_at_F + 4u + I] = f16(a_next_F[1][I]);
  // @end
  // @end
  // @repeat F B_FETCHES
  let b_first_F = (local + F * LANES) * 8u;
  let b_at_F = b_first_F / B_LINE * B_PITCH + b_first_F % B_LINE;
  // @repeat I 4
  b_tile[b_at_F + I] = f16(b_next_F[0][I]);
  // @end
  // @repeat I 4
  b_tile[b_at_F + 4u + I] = f16(b_next_F[1][I]);
  // @end
  // @end
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
  let subgroup = local / SUBGROUP;
  let lane = local % SUBGROUP;
  let block_m = subgroup / SUBGROUPS_N;
  let block_n = subgroup % SUBGROUPS_N;
  let strip0 = subgroup * SIZE * HALF;
  let strip_pitch = HALF;
  // The vectors of a strip that this invocation finishes.
  // @repeat E SHARE
  let position_E = (lane + E * SUBGROUP) * 4u;
  let column_E_0 = column0 + block_n * p.tile_columns / SUBGROUPS_N + position_E % HALF;
  let column_E_1 = column_E_0 + p.half_step;
  // @end
  // @repeat M TILES
  // @repeat E SHARE
  let row_M_E = row0 + block_m * BLOCK + M * SIZE + position_E / HALF;
  var total_M_E_0 = Total();
  var total_M_E_1 = Total();
  // @end
  // @end
  for (var segment = begin; segment < end; segment += p.segment) {
    // @repeat M TILES
    // @repeat N TILES
    var sum_M_N = Sum();
    // @end
    // @end
    let segment_end = segment + min(p.segment, end - segment);
    fetch(item, row0, column0, segment, segment_end, local);
    for (var depth0 = segment; depth0 < segment_end; depth0 += TILE_K) {
      // Publishes nothing: waits until the previous tiles have been read.
      workgroupBarrier();
      put(local);
      // Publishes both tiles.
      workgroupBarrier();
      // The next tiles are on their way while these are multiplied.
      if (depth0 + TILE_K < segment_end) {
        fetch(item, row0, column0, depth0 + TILE_K, segment_end, local);
      }
      for (var d = 0u; d < TILE_K; d += SIZE) {
        // @repeat N TILES
        let b_column_N = block_n * BLOCK + N * SIZE;
        let b_at_N = select(d * B_PITCH + b_column_N, b_column_N * B_PITCH + d, b_BY_DEPTH);
        var right_N: Right;
        if (b_BY_DEPTH) { right_N = coopLoad<Right>(&b_tile[b_at_N], B_PITCH); }
        else { right_N = coopLoadT<Right>(&b_tile[b_at_N], B_PITCH); }
        // @end
        // @repeat M TILES
        let a_row_M = block_m * BLOCK + M * SIZE;
        let a_at_M = select(d * A_PITCH + a_row_M, a_row_M * A_PITCH + d, a_BY_DEPTH);
        var left_M: Left;
        if (a_BY_DEPTH) { left_M = coopLoadT<Left>(&a_tile[a_at_M], A_PITCH); }
        else { left_M = coopLoad<Left>(&a_tile[a_at_M], A_PITCH); }
        // @repeat N TILES
        sum_M_N = coopMultiplyAdd(left_M, right_N, sum_M_N);
        // @end
        // @end
      }
    }
    // @repeat M TILES
    // @repeat H 2
    // Publishes nothing: waits until the previous strip has been read.
    workgroupBarrier();
    // @repeat N HALF_TILES
    // @let T = H * HALF_TILES + N
    let strip_at_M_T = strip0 + N * SIZE;
    coopStoreT(sum_M_T, &strip[strip_at_M_T], strip_pitch);
    // @end
    // Publishes the strip.
    workgroupBarrier();
    // @repeat E SHARE
    {
      let first = strip0 + position_E;
      let part = vec4<f32>(strip[first], strip[first + 1u], strip[first + 2u], strip[first + 3u]);
      total_M_E_H = drain(total_M_E_H, part, group_scales(item, row_M_E, column_E_H, segment));
    }
    // @end
    // @end
    // @end
    if (!SEGMENTED) {
      break;
    }
  }
  // @repeat M TILES
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
