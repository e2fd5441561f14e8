// Attention by cooperative matrices of f16 with f32 sums: online softmax over tiles of 32 keys.
// workgroup -> ROWS rows of one kv head, all columns of their values; SIDES subgroups -> SUBGROUP_ROWS of the rows: each holds
// their queries, takes its share of a block's keys, and holds the sums of its share of the columns, in matrices.
// The elements of a matrix can be reached through memory alone: scores pass through a strip of workgroup memory to the
// invocations, eight to a row with four keys each, and weights come back. The sums of the values pass through it only
// where a row's reference has to rise. It is the largest logit so far, or was when it was set: a weight may be up to 16.
// @stand-in begin
enable f16;
enable wgpu_cooperative_matrix;
const SIZE = 8u;
alias Left = coop_mat8x8<f16, A>;
alias Right = coop_mat8x8<f16, B>;
alias Sum = coop_mat8x8<f32, C>;
const CELLS = 2u;
alias Cell = vec4<f16>;
fn cell(eight: mat2x4<f16>, index: u32) -> Cell { return eight[index]; }
const STRIP_CELL = 4u;
var<workgroup> strip: array<vec4<f32>, 80>;
var<workgroup> weights: array<vec4<f16>, 160>;
fn strip4(i: u32) -> vec4<f32> { return strip[i / 4u]; }
fn put_strip4(i: u32, x: vec4<f32>) { strip[i / 4u] = x; }
fn put_weights4(i: u32, x: vec4<f16>) { weights[i / 4u] = x; }
fn half_weight(i: u32) -> f32 { return f32(weights[i / 4u][i % 4u]); }
const SUBGROUP = 8u;
const SUBGROUPS = 2u;
const SIDES = 1u;
const ROWS = 16u;
const LINE = 40u;
const ROW_TILES = 1u;
const KEY_TILES = 1u;
const OWN_ROWS = 8u;
const DEPTHS = 2u;
const PASSES = 1u;
const WIDE_TILES = 4u;
const COLUMNS = 4u;
const K_FETCHES = 4u;
const V_FETCHES = 8u;
const TAMES = true;
const IN_LOG2 = true;
struct Params { head_dim: u32, v_dim: u32, k_seq: u32, v_seq: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Place { row0: u32, rows: u32, key_begin: u32, key_end: u32 }
struct Row { exists: bool }
struct Logits { value: vec4<f32>, visible: vec4<bool> }
const LOWEST = -3.4028234663852886e38;
fn place_of(index: u32) -> Place { return Place(); }
fn row_of(place: Place, row: u32) -> Row { return Row(); }
fn q_row(place: Place, row: Row) -> u32 { return 0u; }
fn k_start(place: Place) -> u32 { return 0u; }
fn v_start(place: Place) -> u32 { return 0u; }
fn v4(row_start: u32, column: u32) -> vec4<f32> { return vec4<f32>(0.0); }
alias Fetched_q = vec4<u32>;
alias Fetched_k = vec4<u32>;
alias Fetched_v = vec4<u32>;
fn fetch_q(row_start: u32, dim: u32) -> Fetched_q { return Fetched_q(row_start); }
fn fetch_k(row_start: u32, dim: u32) -> Fetched_k { return Fetched_k(row_start); }
fn fetch_v(row_start: u32, dim: u32) -> Fetched_v { return Fetched_v(row_start); }
fn eight_q(fetched: Fetched_q, dim: u32, end: u32) -> mat2x4<f16> { return mat2x4<f16>(); }
fn eight_k(fetched: Fetched_k, dim: u32, end: u32) -> mat2x4<f16> { return mat2x4<f16>(); }
fn eight_v(fetched: Fetched_v, dim: u32, end: u32) -> mat2x4<f16> { return mat2x4<f16>(); }
fn logit_factor(place: Place, row: Row) -> f32 { return 1.0; }
fn key_scales(place: Place, keys: vec4<u32>) -> vec4<f32> { return vec4<f32>(1.0); }
fn logits(products: vec4<f32>, factor: f32, key_scales: vec4<f32>, place: Place, row: Row, keys: vec4<u32>) -> Logits { return Logits(); }
fn largest_of(x: vec4<f32>) -> f32 { return x.x; }
fn total(x: vec4<f32>) -> f32 { return x.x; }
fn weights_of(scores: Logits, largest: f32) -> vec4<f32> { return scores.value; }
fn rescale(before: f32, after: f32) -> f32 { return before; }
fn is_finite(x: vec4<f32>) -> bool { return true; }
fn out_factor(place: Place, row: Row, largest: f32, sum: f32) -> f32 { return 1.0 / sum; }
fn finish(place: Place, row: Row, column: u32, sums: vec4<f32>, factor: f32) { }
fn finish_row(place: Place, row: Row, largest: f32, sum: f32) { }
// @stand-in end
const LANES = SUBGROUP * SUBGROUPS;
const SUBGROUP_ROWS = ROW_TILES * SIZE;
const SIDE_COLUMNS = COLUMNS * SIZE;
// Matrices of keys of a block that are a subgroup's.
const SIDE_TILES = 32u / SIZE / SIDES;
const PER_CELL = 8u / CELLS;
// Dims and columns with those that fill the last matrix, in eights; lines are 16 bytes longer than what they hold, so that
// those below each other lie in other banks.
const K_EIGHTS = DEPTHS * SIZE / 8u;
const V_EIGHTS = SIDES * SIDE_COLUMNS / 8u;
const K_LINE = K_EIGHTS * 8u + 8u;
const V_LINE = V_EIGHTS * 8u + 8u;
// Strides of matrices in memory, in its elements.
const K_PITCH = K_LINE / PER_CELL;
const V_PITCH = V_LINE / PER_CELL;
const STRIP_PITCH = LINE / STRIP_CELL;
const WEIGHTS_PITCH = LINE / PER_CELL;
// Columns of each side that pass through the strip at a time.
const WIDE = WIDE_TILES * SIZE;
const V_TILE = 32u * K_PITCH;
const K_EVEN = 32u * K_EIGHTS % LANES == 0u;
const V_EVEN = 32u * V_EIGHTS % LANES == 0u;
// So far a logit may rise above the reference: 2^4 and exp(2.5) are less than 16.
const SLACK = select(2.5, 4.0, IN_LOG2);
// Weights are multiplied by this, so that f16 holds them up to 16, and of the small ones what counts.
const UNIT = 2048.0;

// 32 rows of k, then as many of v; at first the rows of q.
var<workgroup> staged: array<Cell, max(V_TILE + 32u * V_PITCH, ROWS * K_PITCH)>;
// Where the keys begin and end, and whether there are rows: the same for all, but a validator must be shown.
var<workgroup> bounds: vec3<u32>;
// What the sums of the values are multiplied by at last.
var<workgroup> row_scales: array<f32, ROWS>;
// Why the sums pass through the strip before a block's values are added: bit 0 says that a reference rises, bit 1 that
// some of the values are not finite.
var<workgroup> reasons: atomic<u32>;

struct Lane {
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
}

// Keys and values are read as they are stored, and decoded where they are put: whoever decodes waits for the memory.
fn next_k(head: u32, key0: u32, end: u32, index: u32) -> Fetched_k {
  // Past the end the last key is repeated: there it is hidden.
  let key = min(key0 + index / K_EIGHTS, end - 1u);
  return fetch_k(head + key * p.k_seq, index % K_EIGHTS * 8u);
}

fn next_v(head: u32, key0: u32, end: u32, index: u32) -> Fetched_v {
  // Past the end the last value is repeated. If it is not finite, rows that see it are not either.
  let key = min(key0 + index / V_EIGHTS, end - 1u);
  return fetch_v(head + key * p.v_seq, index % V_EIGHTS * 8u);
}

fn put_k(fetched: Fetched_k, index: u32) {
  put(index / K_EIGHTS * K_PITCH + index % K_EIGHTS * CELLS, eight_k(fetched, index % K_EIGHTS * 8u, p.head_dim));
}

fn put_v(fetched: Fetched_v, index: u32) {
  let eight = eight_v(fetched, index % V_EIGHTS * 8u, p.v_dim);
  put(V_TILE + index / V_EIGHTS * V_PITCH + index % V_EIGHTS * CELLS, tamed(eight));
}

fn put(at: u32, eight: mat2x4<f16>) {
  // @repeat C CELLS
  staged[at + C] = cell(eight, C);
  // @end
}

fn infinite(x: vec4<f32>) -> vec4<bool> {
  return (bitcast<vec4<u32>>(x) & vec4<u32>(0x7f800000u)) == vec4<u32>(0x7f800000u);
}

// Numbers for those that are not finite would reach rows that do not see them, for 0 * NaN is NaN: they are added later.
fn tamed(eight: mat2x4<f16>) -> mat2x4<f16> {
  if (!TAMES) { return eight; }
  let first = vec4<f32>(eight[0]);
  let second = vec4<f32>(eight[1]);
  if (is_finite(first) && is_finite(second)) { return eight; }
  atomicOr(&reasons, 2u);
  return mat2x4<f16>(select(eight[0], vec4<f16>(0.0), infinite(first)),
                     select(eight[1], vec4<f16>(0.0), infinite(second)));
}

// A row of the tile; `lane` counts those that share rows.
fn own_row(first_row: u32, i: u32, lane: u32) -> u32 {
  return first_row + i * (SUBGROUP * SIDES / 8u) + lane / 8u;
}

// The first of the four columns that an invocation finds in the strip.
fn own_column(round: u32, key_lane: u32) -> u32 {
  let at = key_lane * 4u;
  return at / WIDE * SIDE_COLUMNS + round * WIDE + at % WIDE;
}

// Adds to sums in the strip the values that are not finite, of the keys from `key0` on that their row sees.
fn add_wild(place: Place, key0: u32, column: u32, row: u32, key_lane: u32) {
  if (key_lane * 4u >= SIDES * WIDE || column >= p.v_dim) { return; }
  let head = v_start(place);
  let count = min(32u, place.key_end - key0);
  var sums = strip4(row * LINE + key_lane * 4u);
  for (var key = 0u; key < count; key += 1u) {
    let value = v4(head + (key0 + key) * p.v_seq, column);
    let weight = half_weight(row * LINE + key) + half_weight((ROWS + row) * LINE + key);
    let adds = infinite(value) & vec4<bool>(weight != 0.0);
    sums = select(sums, sums + weight * value, adds);
  }
  put_strip4(row * LINE + key_lane * 4u, sums);
}

// To the eleven bits that f16 has: what is left fills another f16, and the two hold as much as f32 needs. By its bits, for
// compilers take a conversion to f16 and back for nothing.
fn rounded(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>((bitcast<vec4<u32>>(x) + vec4<u32>(0x1000u)) & vec4<u32>(0xffffe000u));
}

fn largest_of_row(own: f32) -> f32 {
  let pair = max(own, subgroupShuffleXor(own, 1u));
  let four = max(pair, subgroupShuffleXor(pair, 2u));
  return max(four, subgroupShuffleXor(four, 4u));
}

fn sum_of_row(own: f32) -> f32 {
  let pair = own + subgroupShuffleXor(own, 1u);
  let four = pair + subgroupShuffleXor(pair, 2u);
  return four + subgroupShuffleXor(four, 4u);
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, lane: Lane) {
  // As `unfold`, whose result a validator would not know to be uniform.
  let index = group.x + group.y * groups.x;
  if (index >= p.groups) {
    return;
  }
  let place = place_of(index);
  let subgroup = lane.subgroup;
  let local = subgroup * SUBGROUP + lane.in_subgroup;
  if (local == 0u) {
    bounds = vec3<u32>(place.key_begin, place.key_end, select(0u, 1u, place.row0 < place.rows));
    // Workgroup memory starts with anything in it.
    atomicStore(&reasons, 0u);
  }
  let known = workgroupUniformLoad(&bounds);
  if (known.z == 0u) {
    return;
  }
  let begin = known.x;
  let end = known.y;
  let k_head = k_start(place);
  let v_head = v_start(place);
  let key_lane = lane.in_subgroup % 8u;
  let side = subgroup % SIDES;
  let first_row = subgroup / SIDES * SUBGROUP_ROWS;
  let rows_lane = side * SUBGROUP + lane.in_subgroup;
  // @repeat I OWN_ROWS
  let at_I = own_row(first_row, I, rows_lane);
  let row_I = row_of(place, place.row0 + at_I);
  let factor_I = logit_factor(place, row_I);
  // What this invocation reads of the strip and writes of the weights.
  let quad_I = at_I * LINE + key_lane * 4u;
  var largest_I = LOWEST;
  // This invocation's share of the sum of the weights.
  var sum_I = 0.0;
  // @end

  for (var i = local; i < ROWS * K_EIGHTS; i += LANES) {
    let row = i / K_EIGHTS;
    let eight = i % K_EIGHTS * 8u;
    let fetched = fetch_q(q_row(place, row_of(place, place.row0 + row)), eight);
    put(row * K_PITCH + eight / PER_CELL, eight_q(fetched, eight, p.head_dim));
  }
  // Publishes q.
  workgroupBarrier();
  // @repeat M ROW_TILES
  // @repeat D DEPTHS
  let q_at_M_D = (first_row + M * SIZE) * K_PITCH + D * SIZE / PER_CELL;
  let q_M_D = coopLoadT<Left>(&staged[q_at_M_D], K_PITCH);
  // @end
  // @repeat C COLUMNS
  var mix_M_C = Sum();
  // @end
  // @end
  // Publishes nothing: waits until q has been read.
  workgroupBarrier();
  if (begin < end) {
    // @repeat F K_FETCHES
    let k_place_F = local + F * LANES;
    if (K_EVEN || k_place_F < 32u * K_EIGHTS) {
      put_k(next_k(k_head, begin, end, k_place_F), k_place_F);
    }
    // @end
  }
  // Publishes the first keys.
  workgroupBarrier();

  for (var key0 = begin; key0 < end; key0 += 32u) {
    // The values are on their way while scores are computed.
    // @repeat F V_FETCHES
    let v_place_F = local + F * LANES;
    let v_next_F = next_v(v_head, key0, end, v_place_F);
    // @end
    for (var tile0 = side * SIDE_TILES; tile0 < side * SIDE_TILES + SIDE_TILES; tile0 += KEY_TILES) {
      // @repeat T KEY_TILES
      // @repeat M ROW_TILES
      var score_M_T = Sum();
      // @end
      // @end
      // Sums side by side: a matrix unit does not wait for the one before.
      // @repeat D DEPTHS
      // @repeat T KEY_TILES
      let k_D_T = coopLoad<Right>(&staged[(tile0 + T) * SIZE * K_PITCH + D * SIZE / PER_CELL], K_PITCH);
      // @repeat M ROW_TILES
      score_M_T = coopMultiplyAdd(q_M_D, k_D_T, score_M_T);
      // @end
      // @end
      // @end
      // @repeat T KEY_TILES
      // @repeat M ROW_TILES
      let score_at_M_T = (first_row + M * SIZE) * STRIP_PITCH + (tile0 + T) * SIZE / STRIP_CELL;
      coopStoreT(score_M_T, &strip[score_at_M_T], STRIP_PITCH);
      // @end
      // @end
    }
    // Publishes the scores, and waits until these keys and the previous values have been read.
    workgroupBarrier();
    // @repeat F V_FETCHES
    if (V_EVEN || v_place_F < 32u * V_EIGHTS) {
      put_v(v_next_F, v_place_F);
    }
    // @end
    // The next keys are on their way while weights are computed; after the last ones, one that nobody reads.
    // @repeat F K_FETCHES
    let k_place_F = local + F * LANES;
    let k_next_F = next_k(k_head, key0 + 32u, end, k_place_F);
    // @end
    let keys = vec4<u32>(key0 + key_lane * 4u) + vec4<u32>(0u, 1u, 2u, 3u);
    let scales = key_scales(place, keys);
    var rises = false;
    // @repeat I OWN_ROWS
    let logits_I = logits(strip4(quad_I), factor_I, scales, place, row_I, keys);
    let own_I = largest_of_row(largest_of(logits_I.value));
    // By this row's numbers alone: others must not change its bits.
    let next_I = select(largest_I, own_I, own_I - largest_I > SLACK);
    let rescale_I = rescale(largest_I, next_I);
    rises = rises || next_I != largest_I;
    largest_I = next_I;
    let weights_I = weights_of(logits_I, largest_I);
    sum_I = sum_I * rescale_I + total(weights_I);
    let scaled_I = weights_I * UNIT;
    let high_I = rounded(scaled_I);
    put_weights4(quad_I, vec4<f16>(high_I));
    put_weights4(ROWS * LINE + quad_I, vec4<f16>(scaled_I - high_I));
    // @end
    // Before the first block there are no sums.
    if (rises && key0 != begin) { atomicOr(&reasons, 1u); }
    // @repeat F K_FETCHES
    if (K_EVEN || k_place_F < 32u * K_EIGHTS) {
      put_k(k_next_F, k_place_F);
    }
    // @end
    // Publishes the weights, the values and the next keys, too.
    let why = workgroupUniformLoad(&reasons);
    if (local == 0u) { atomicStore(&reasons, 0u); }
    if (why != 0u) {
      // @repeat P PASSES
      // @repeat M ROW_TILES
      // @repeat N WIDE_TILES
      // @let C = P * WIDE_TILES + N
      let out_at_M_C = (first_row + M * SIZE) * STRIP_PITCH + (side * WIDE + N * SIZE) / STRIP_CELL;
      coopStoreT(mix_M_C, &strip[out_at_M_C], STRIP_PITCH);
      // @end
      // @end
      // Publishes sums of the values.
      workgroupBarrier();
      // @repeat I OWN_ROWS
      put_strip4(quad_I, strip4(quad_I) * rescale_I);
      // @end
      if (TAMES && why > 1u) {
        let column = own_column(P, key_lane);
        for (var i = 0u; i < OWN_ROWS; i += 1u) {
          add_wild(place, key0, column, own_row(first_row, i, rows_lane), key_lane);
        }
      }
      // Publishes them again.
      workgroupBarrier();
      // @repeat M ROW_TILES
      // @repeat N WIDE_TILES
      // @let C = P * WIDE_TILES + N
      mix_M_C = coopLoadT<Sum>(&strip[out_at_M_C], STRIP_PITCH);
      // @end
      // @end
      // Publishes nothing: waits until they have been read.
      workgroupBarrier();
      // @end
    }
    for (var tile0 = 0u; tile0 < 32u / SIZE; tile0 += KEY_TILES) {
      // @repeat T KEY_TILES
      // @repeat M ROW_TILES
      let weights_at_M_T = (first_row + M * SIZE) * WEIGHTS_PITCH + (tile0 + T) * SIZE / PER_CELL;
      let upper_M_T = coopLoadT<Left>(&weights[weights_at_M_T], WEIGHTS_PITCH);
      let lower_M_T = coopLoadT<Left>(&weights[ROWS * WEIGHTS_PITCH + weights_at_M_T], WEIGHTS_PITCH);
      // @end
      // @repeat C COLUMNS
      let v_C_T = coopLoadT<Right>(&staged[V_TILE + (tile0 + T) * SIZE * V_PITCH + (side * SIDE_COLUMNS + C * SIZE) / PER_CELL], V_PITCH);
      // @repeat M ROW_TILES
      mix_M_C = coopMultiplyAdd(upper_M_T, v_C_T, mix_M_C);
      // @end
      // @end
      // @repeat C COLUMNS
      // @repeat M ROW_TILES
      mix_M_C = coopMultiplyAdd(lower_M_T, v_C_T, mix_M_C);
      // @end
      // @end
      // @end
    }
  }

  // @repeat I OWN_ROWS
  let all_I = sum_of_row(sum_I);
  let scale_I = out_factor(place, row_I, largest_I, all_I);
  if (key_lane == 0u) {
    row_scales[at_I] = scale_I;
    finish_row(place, row_I, largest_I, all_I);
  }
  // @end
  // @repeat P PASSES
  // Publishes nothing: waits until the previous strip has been read.
  workgroupBarrier();
  // @repeat M ROW_TILES
  // @repeat N WIDE_TILES
  // @let C = P * WIDE_TILES + N
  let end_at_M_C = (first_row + M * SIZE) * STRIP_PITCH + (side * WIDE + N * SIZE) / STRIP_CELL;
  coopStoreT(mix_M_C, &strip[end_at_M_C], STRIP_PITCH);
  // @end
  // @end
  // Publishes sums of the values, and the rows' scales.
  workgroupBarrier();
  if (key_lane * 4u < SIDES * WIDE) {
    for (var i = 0u; i < OWN_ROWS; i += 1u) {
      let at = own_row(first_row, i, rows_lane);
      let sums = strip4(at * LINE + key_lane * 4u) * (1.0 / UNIT);
      finish(place, row_of(place, place.row0 + at), own_column(P, key_lane), sums, row_scales[at]);
    }
  }
  // @end
}
