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
const a_BY_DEPTH = true;
const b_BY_DEPTH = false;
const SEGMENTED = false;
struct Params { k: u32, batch: u32, tiles_m: u32, tiles_n: u32, tile_columns: u32, half_step: u32, segment: u32, slice_depth: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn block_a(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
fn block_b(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> { return mat4x4<f32>(); }
struct Scales { left: f32, right: vec4<f32> }
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales { return Scales(1.0, vec4<f32>(1.0)); }
fn drain(total: Total, part: vec4<f32>, scales: Scales) -> Total { return total + part * scales.left * scales.right; }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
var<private> slice: u32;
// @stand-in end
const TILE_K = 16u;
const LANES = ROW_LANES * COLUMN_LANES;
// Blocks of four across a tile.
const A_BLOCKS = ROW_LANES * ROWS;
const B_BLOCKS = COLUMN_LANES * COLUMNS;

// Depth-major, four rows (of A) or columns (of B) to a vector, each written by one invocation.
var<workgroup> a_tile: array<vec4<Tile>, TILE_K * A_BLOCKS>;
var<workgroup> b_tile: array<vec4<Tile>, TILE_K * B_BLOCKS>;

// Neighbouring invocations take neighbours in memory.
fn stage(item: u32, row0: u32, column0: u32, depth0: u32, end: u32, local: u32) {
  for (var block = local; block < TILE_K / 4u * (A_BLOCKS + B_BLOCKS); block += LANES) {
    if (block < TILE_K / 4u * A_BLOCKS) {
      let across = select(block % A_BLOCKS, block / (TILE_K / 4u), a_BY_DEPTH);
      let depth = 4u * select(block / A_BLOCKS, block % (TILE_K / 4u), a_BY_DEPTH);
      let loaded = block_a(item, row0 + across * 4u, depth0 + depth, end);
      // @repeat I 4
      a_tile[(depth + I) * A_BLOCKS + across] = vec4<Tile>(loaded[I]);
      // @end
    } else {
      let rest = block - TILE_K / 4u * A_BLOCKS;
      let across = select(rest % B_BLOCKS, rest / (TILE_K / 4u), b_BY_DEPTH);
      let depth = 4u * select(rest / B_BLOCKS, rest % (TILE_K / 4u), b_BY_DEPTH);
      let column = column0 + across % COLUMN_LANES * 4u + across / COLUMN_LANES * p.half_step;
      let loaded = block_b(item, column, depth0 + depth, end);
      // @repeat I 4
      b_tile[(depth + I) * B_BLOCKS + across] = vec4<Tile>(loaded[I]);
      // @end
    }
  }
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
  let row0 = tile / p.tiles_n % p.tiles_m * (4u * A_BLOCKS);
  let column0 = tile % p.tiles_n * p.tile_columns;
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
    for (var depth0 = segment; depth0 < segment_end; depth0 += TILE_K) {
      // Publishes nothing: waits until the previous tiles have been read.
      workgroupBarrier();
      stage(item, row0, column0, depth0, segment_end, local);
      // Publishes both tiles.
      workgroupBarrier();
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
