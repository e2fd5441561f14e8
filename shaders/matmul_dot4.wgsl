// Matrix multiplication of I8 by packed dot products, with i32 sums.
// workgroup -> a tile of one batch item's product, 4 ROW_LANES ROWS x 4 COLUMN_LANES COLUMNS, over one slice of k;
// invocation -> ROWS x COLUMNS blocks of 4 x 4 in it.
// @stand-in begin
alias Total = vec4<i32>;
const ROWS = 1u;
const COLUMNS = 1u;
const SINGLES = 1u;
const PAIRS = 0u;
const ROW_LANES = 8u;
const COLUMN_LANES = 8u;
const FETCHES = 2u;
const a_BY_DEPTH = true;
const b_BY_DEPTH = false;
const a_HAS_ZERO = true;
const b_HAS_ZERO = true;
const SEGMENTED = false;
struct Params { k: u32, batch: u32, tiles_m: u32, tiles_n: u32, tile_columns: u32, half_step: u32, segment: u32, slice_depth: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn packed_a(item: u32, row: u32, depth: u32, end: u32) -> vec4<u32> { return vec4<u32>(); }
fn packed_b(item: u32, row: u32, depth: u32, end: u32) -> vec4<u32> { return vec4<u32>(); }
fn zero_a(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
fn zero_b(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
struct Scales { left: f32, right: vec4<f32> }
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales { return Scales(1.0, vec4<f32>(1.0)); }
fn drain_integer(total: Total, part: vec4<i32>, scales: Scales) -> Total { return total + part; }
fn finish(item: u32, row: u32, column: u32, total: Total) { }
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
fn tile_at(index: u32) -> vec2<u32> { return vec2<u32>(index); }
var<private> slice: u32;
// @stand-in end
// Words of four depths in a tile.
const TILE_WORDS = 8u;
const LANES = ROW_LANES * COLUMN_LANES;
const A_BLOCKS = ROW_LANES * ROWS;
const B_BLOCKS = COLUMN_LANES * COLUMNS;

// By depth, the words of four rows (of A) or columns (of B) to a vector.
var<workgroup> a_tile: array<vec4<u32>, TILE_WORDS * A_BLOCKS>;
var<workgroup> b_tile: array<vec4<u32>, TILE_WORDS * B_BLOCKS>;

// What this invocation brings for the next tiles: the words of four rows or columns.
// @repeat F FETCHES
var<private> next_F: vec4<u32>;
// @end

// Which four, and which word of theirs; neighbouring invocations take neighbours in memory.
fn place(block: u32, blocks: u32, by_depth: bool) -> vec2<u32> {
  return select(vec2<u32>(block % blocks, block / blocks), vec2<u32>(block / TILE_WORDS, block % TILE_WORDS), by_depth);
}

fn fetch(item: u32, row0: u32, column0: u32, depth0: u32, end: u32, local: u32) {
  // @repeat F FETCHES
  let block_F = local + F * LANES;
  if (block_F < TILE_WORDS * A_BLOCKS) {
    let place = place(block_F, A_BLOCKS, a_BY_DEPTH);
    next_F = packed_a(item, row0 + place.x * 4u, depth0 + place.y * 4u, end);
  } else {
    let place = place(block_F - TILE_WORDS * A_BLOCKS, B_BLOCKS, b_BY_DEPTH);
    let column = column0 + place.x % COLUMN_LANES * 4u + place.x / COLUMN_LANES * p.half_step;
    next_F = packed_b(item, column, depth0 + place.y * 4u, end);
  }
  // @end
}

// Puts what was fetched into the tiles.
fn put(local: u32) {
  // @repeat F FETCHES
  let block_F = local + F * LANES;
  if (block_F < TILE_WORDS * A_BLOCKS) {
    let place = place(block_F, A_BLOCKS, a_BY_DEPTH);
    a_tile[place.y * A_BLOCKS + place.x] = next_F;
  } else {
    let place = place(block_F - TILE_WORDS * A_BLOCKS, B_BLOCKS, b_BY_DEPTH);
    b_tile[place.y * B_BLOCKS + place.x] = next_F;
  }
  // @end
}

fn dot_rows(left: u32, right: vec4<u32>) -> vec4<i32> {
  return vec4<i32>(dot4I8Packed(left, right.x), dot4I8Packed(left, right.y),
                   dot4I8Packed(left, right.z), dot4I8Packed(left, right.w));
}

// sum (a - za) (b - zb) = sum a b - za sum b - zb sum a + depths za zb, modulo 2^32 and so exact where the result fits.
fn without_zeros(item: u32, row: u32, column: u32, depth: u32, depths: u32, dots: vec4<i32>, a_sum: i32, b_sum: vec4<i32>) -> vec4<i32> {
  var a_zero = 0;
  var b_zero = vec4<i32>(0);
  if (a_HAS_ZERO) { a_zero = i32(zero_a(item, row, depth)); }
  if (b_HAS_ZERO) {
    b_zero = vec4<i32>(i32(zero_b(item, column, depth)), i32(zero_b(item, column + 1u, depth)),
                       i32(zero_b(item, column + 2u, depth)), i32(zero_b(item, column + 3u, depth)));
  }
  return dots - a_zero * b_sum - b_zero * a_sum + i32(depths) * a_zero * b_zero;
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
    var a_sum_R_I = 0;
    // @repeat C COLUMNS
    var part_R_I_C = vec4<i32>(0);
    // @end
    // @end
    // @end
    // @repeat C COLUMNS
    var b_sum_C = vec4<i32>(0);
    // @end
    let segment_end = segment + min(p.segment, end - segment);
    fetch(item, row0, column0, segment, segment_end, local);
    for (var depth0 = segment; depth0 < segment_end; depth0 += TILE_WORDS * 4u) {
      // Publishes nothing: waits until the previous tiles have been read.
      workgroupBarrier();
      put(local);
      // Publishes both tiles.
      workgroupBarrier();
      // The next tiles are on their way while these are multiplied.
      if (depth0 + TILE_WORDS * 4u < segment_end) {
        fetch(item, row0, column0, depth0 + TILE_WORDS * 4u, segment_end, local);
      }
      for (var d = 0u; d < TILE_WORDS; d += 1u) {
        // @repeat C COLUMNS
        let right_C = b_tile[d * B_BLOCKS + column_lane + C * COLUMN_LANES];
        if (a_HAS_ZERO) { b_sum_C += dot_rows(0x01010101u, right_C); }
        // @end
        // @repeat R ROWS
        let left_R = a_tile[d * A_BLOCKS + row_lane + R * ROW_LANES];
        // @repeat I 4
        if (b_HAS_ZERO) { a_sum_R_I += dot4I8Packed(0x01010101u, left_R[I]); }
        // @repeat C COLUMNS
        part_R_I_C += dot_rows(left_R[I], right_C);
        // @end
        // @end
        // @end
      }
    }
    // @repeat R ROWS
    // @repeat I 4
    // @repeat C COLUMNS
    let exact_R_I_C = without_zeros(item, row_R + I, column_C, segment, segment_end - segment, part_R_I_C, a_sum_R_I, b_sum_C);
    total_R_I_C = drain_integer(total_R_I_C, exact_R_I_C, group_scales(item, row_R + I, column_C, segment));
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
