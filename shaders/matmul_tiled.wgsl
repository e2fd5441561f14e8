// Matrix multiplication by tiles that are staged in workgroup memory.
// workgroup -> a tile of one batch item's product, 4 ROW_LANES ROWS x 4 COLUMN_LANES COLUMNS, over one slice of k;
// invocation -> ROWS x COLUMNS blocks of 4 x 4 in it.
// @stand-in begin
alias Tile = f32;
alias Total = vec4<f32>;
const ROWS = 1u;
const COLUMNS = 1u;
const SINGLES = 1u;
const PAIRS = 0u;
const ROW_LANES = 8u;
const COLUMN_LANES = 8u;
const TILE_K = 16u;
const FETCHES = 1u;
const a_BY_DEPTH = true;
const b_BY_DEPTH = false;
const SEGMENTED = false;
struct Params { k: u32, batch: u32, tiles_m: u32, tiles_n: u32, tile_columns: u32, half_step: u32, segment: u32, slice_depth: u32, groups: u32, a_rows: u32, a_pitch: u32, b_rows: u32, b_pitch: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn at_a(item: u32, row: u32, depth: u32) -> u32 { return row; }
fn at_b(item: u32, row: u32, depth: u32) -> u32 { return row; }
fn whole_block_a(at: u32, pitch: u32, item: u32, row: u32, depth: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn whole_block_b(at: u32, pitch: u32, item: u32, row: u32, depth: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn block_a(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn block_b(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
struct Scales { left: f32, right: vec4<f32> }
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales { return Scales(1.0, vec4<f32>(1.0)); }
fn drain(total: Total, part: vec4<f32>, scales: Scales) -> Total { return total + part * scales.left * scales.right; }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
fn tile_at(index: u32) -> vec2<u32> { return vec2<u32>(index); }
var<private> slice: u32;
// @stand-in end
const LANES = ROW_LANES * COLUMN_LANES;
// Blocks of four across a tile.
const A_BLOCKS = ROW_LANES * ROWS;
const B_BLOCKS = COLUMN_LANES * COLUMNS;

// Depth-major, four rows (of A) or columns (of B) to a vector, each written by one invocation.
var<workgroup> a_tile: array<vec4<Tile>, TILE_K * A_BLOCKS>;
var<workgroup> b_tile: array<vec4<Tile>, TILE_K * B_BLOCKS>;

// What this invocation brings for the next tiles: blocks of four rows or columns at four depths.
// @repeat F FETCHES
var<private> next_F: mat4x4<f32>;
// @end

// Which four, and at which depths; neighbouring invocations take neighbours in memory.
fn place(block: u32, blocks: u32, by_depth: bool) -> vec2<u32> {
  let across = select(block % blocks, block / (TILE_K / 4u), by_depth);
  return vec2<u32>(across, 4u * select(block / blocks, block % (TILE_K / 4u), by_depth));
}

fn column_of(column0: u32, across: u32) -> u32 {
  return column0 + across % COLUMN_LANES * 4u + across / COLUMN_LANES * p.half_step;
}

fn fetch(item: u32, row0: u32, column0: u32, depth0: u32, end: u32, local: u32) {
  // The same for the whole workgroup: its blocks need no conditions.
  let last_column = column_of(column0, B_BLOCKS - 1u) + 3u;
  let whole = row0 + 4u * A_BLOCKS <= p.a_rows && last_column < p.b_rows && depth0 + TILE_K <= end;
  // @repeat F FETCHES
  let block_F = local + F * LANES;
  if (block_F < TILE_K / 4u * A_BLOCKS) {
    let place = place(block_F, A_BLOCKS, a_BY_DEPTH);
    let row = row0 + place.x * 4u;
    let depth = depth0 + place.y;
    if (whole) { next_F = whole_block_a(at_a(item, row, depth), p.a_pitch, item, row, depth); }
    else { next_F = block_a(item, row, depth, end); }
  } else {
    let place = place(block_F - TILE_K / 4u * A_BLOCKS, B_BLOCKS, b_BY_DEPTH);
    let column = column_of(column0, place.x);
    let depth = depth0 + place.y;
    if (whole) { next_F = whole_block_b(at_b(item, column, depth), p.b_pitch, item, column, depth); }
    else { next_F = block_b(item, column, depth, end); }
  }
  // @end
}

// Puts what was fetched into the tiles.
fn put(local: u32) {
  // @repeat F FETCHES
  let block_F = local + F * LANES;
  if (block_F < TILE_K / 4u * A_BLOCKS) {
    let place = place(block_F, A_BLOCKS, a_BY_DEPTH);
    // @repeat I 4
    a_tile[(place.y + I) * A_BLOCKS + place.x] = vec4<Tile>(next_F[I]);
    // @end
  } else {
    let place = place(block_F - TILE_K / 4u * A_BLOCKS, B_BLOCKS, b_BY_DEPTH);
    // @repeat I 4
    b_tile[(place.y + I) * B_BLOCKS + place.x] = vec4<Tile>(next_F[I]);
    // @end
  }
  // @end
}

@compute @workgroup_size(LANES)
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
  let at = tile_at(tile % tiles);
  let row0 = at.x * (4u * A_BLOCKS);
  let column0 = at.y * p.tile_columns;
  let begin = slice_of_k * p.slice_depth;
  let end = begin + min(p.slice_depth, p.k - begin);
  let row_lane = local / COLUMN_LANES;
  let column_lane = local % COLUMN_LANES;
  // @repeat R ROWS
  let row_R = row0 + (row_lane + R * ROW_LANES) * 4u;
  // @end
  // @repeat C COLUMNS
  let column_C = column0 + column_lane * 4u + C * p.half_step;
  // @end
  // @repeat R ROWS
  // @repeat I 4
  // @repeat C COLUMNS
  var total_R_I_C = Total();
  // @end
  // @end
  // @end
  for (var segment = begin; segment < end; segment += p.segment) {
    // @repeat R ROWS
    // @repeat I 4
    // @repeat C COLUMNS
    var part_R_I_C = vec4<f32>(0.0);
    // @end
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
      for (var d = 0u; d < TILE_K; d += 1u) {
        // @repeat C COLUMNS
        let right_C = vec4<f32>(b_tile[d * B_BLOCKS + column_lane + C * COLUMN_LANES]);
        // @end
        // @repeat R ROWS
        let left_R = vec4<f32>(a_tile[d * A_BLOCKS + row_lane + R * ROW_LANES]);
        // @repeat I 4
        // @repeat C COLUMNS
        part_R_I_C += left_R[I] * right_C;
        // @end
        // @end
        // @end
      }
    }
    // @repeat R ROWS
    // @repeat I 4
    // @repeat C COLUMNS
    total_R_I_C = drain(total_R_I_C, part_R_I_C, group_scales(item, row_R + I, column_C, segment));
    // @end
    // @end
    // @end
    if (!SEGMENTED) {
      break;
    }
  }
  // @repeat R ROWS
  // @repeat I 4
  // @repeat P SINGLES
  // @repeat C COLUMNS
  finish(item, row_R + I, column_C, total_R_I_C);
  // @end
  // @end
  // @repeat P PAIRS
  finish_pair(item, row_R + I, column_0, total_R_I_0, total_R_I_1);
  // @end
  // @end
  // @end
}
