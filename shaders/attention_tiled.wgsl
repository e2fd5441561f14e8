// Attention, portable: online softmax over tiles of 32 keys, the weights of one tile in workgroup memory.
// workgroup -> 4 ROW_LANES rows of one kv head, 64 HALVES columns of their values; more columns recompute the scores.
// invocation -> row lane and key lane: the rows `row lane` + ROW_LANES I of the tile, for I from 0 to 3, and with them the
// keys `key lane` + 8 J while a tile is scored, and every eighth vector of columns while the values are mixed.
// @stand-in begin
alias Tile4 = vec4<f32>;
const HIDES = true;
const V_SCALE_BY_KEY = true;
const ROW_LANES = 4u;
const QUADS = 4u;
const HALVES = 2u;
struct Params { head_dim: u32, v_dim: u32, k_seq: u32, v_seq: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Place { slice: u32, row0: u32, rows: u32, key_begin: u32, key_end: u32 }
struct Row { exists: bool }
struct Logits { value: vec4<f32>, visible: vec4<bool> }
struct Lane { @builtin(local_invocation_index) local: u32 }
const LOWEST = -3.4028234663852886e38;
var<workgroup> weights: array<vec4<f32>, 128>;
fn lane_of(lane: Lane) -> u32 { return lane.local; }
fn largest_of_rows(own: vec4<f32>, row_lane: u32, key_lane: u32) -> vec4<f32> { return own; }
fn sums_of_rows(own: vec4<f32>, row_lane: u32, key_lane: u32) -> vec4<f32> { return own; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
fn place_of(index: u32) -> Place { return Place(); }
fn row_of(place: Place, row: u32) -> Row { return Row(); }
fn q_row(place: Place, row: Row) -> u32 { return 0u; }
fn k_start(place: Place) -> u32 { return 0u; }
fn v_start(place: Place) -> u32 { return 0u; }
fn q4(row_start: u32, dim: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn k4(row_start: u32, dim: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn v4(row_start: u32, column: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn logit_factor(place: Place, row: Row) -> f32 { return 1.0; }
fn key_scales(place: Place, keys: vec4<u32>) -> vec4<f32> { return vec4<f32>(1.0); }
fn value_scales(place: Place, keys: vec4<u32>) -> vec4<f32> { return vec4<f32>(1.0); }
fn logits(products: vec4<f32>, factor: f32, key_scales: vec4<f32>, place: Place, row: Row, keys: vec4<u32>) -> Logits { return Logits(); }
fn largest_of(x: vec4<f32>) -> f32 { return x.x; }
fn total(x: vec4<f32>) -> f32 { return x.x; }
fn weights_of(scores: Logits, largest: f32) -> vec4<f32> { return scores.value; }
fn rescales(before: vec4<f32>, after: vec4<f32>) -> vec4<f32> { return before; }
fn out_factor(place: Place, row: Row, largest: f32, sum: f32) -> f32 { return 1.0 / sum; }
fn finish(place: Place, row: Row, column: u32, sums: vec4<f32>, factor: f32) { }
fn finish_row(place: Place, row: Row, largest: f32, sum: f32) { }
// @stand-in end
const LANES = ROW_LANES * 8u;
const ROWS = ROW_LANES * 4u;
// A staged row of q or k takes a vector more than its QUADS, so that the lanes' rows fall into different banks.
const PITCH = QUADS + 1u;
const K_TILE = ROWS * PITCH;
// First QUADS vectors of every row of q and of 32 of k, then 32 rows of v, 64 columns: 8 KiB of WebGPU's 16 in f32, of which
// `weights`, a vector of four rows for each key and row lane, takes the other half.
var<workgroup> staged: array<Tile4, max(K_TILE + 32u * PITCH, 512u)>;

// Neighbouring keys in different banks.
fn weights_at(key: u32, row_lane: u32) -> u32 {
  return key * ROW_LANES + (row_lane ^ (key % ROW_LANES));
}

fn along(q: vec4<f32>, k: vec4<f32>, sum: f32) -> f32 {
  return fma(q.w, k.w, fma(q.z, k.z, fma(q.y, k.y, fma(q.x, k.x, sum))));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, lane: Lane) {
  let index = unfold(group, groups);
  if (index >= p.groups) {
    return;
  }
  let place = place_of(index);
  if (place.row0 >= place.rows) {
    return;
  }
  let local = lane_of(lane);
  let row_lane = local / 8u;
  let key_lane = local % 8u;
  let column = place.slice * 64u * HALVES + key_lane * 4u;
  // @repeat I 4
  let row_I = row_of(place, place.row0 + row_lane + I * ROW_LANES);
  let factor_I = logit_factor(place, row_I);
  // @repeat H HALVES
  // @repeat C 2
  var mix_I_H_C = vec4<f32>(0.0);
  // @end
  // @end
  // @end
  let k_head = k_start(place);
  let v_head = v_start(place);
  var largest = vec4<f32>(LOWEST);
  // This lane's share of the sums of the weights.
  var sums = vec4<f32>(0.0);

  for (var key0 = place.key_begin; key0 < place.key_end; key0 += 32u) {
    // @repeat I 4
    // @repeat J 4
    var x_I_J = 0.0;
    // @end
    // @end
    for (var dim0 = 0u; dim0 < p.head_dim; dim0 += 4u * QUADS) {
      // Publishes nothing: waits until what was staged before has been read.
      workgroupBarrier();
      for (var i = local; i < ROWS * QUADS; i += LANES) {
        let dim = dim0 + i % QUADS * 4u;
        var q = vec4<f32>(0.0);
        if (dim < p.head_dim) { q = q4(q_row(place, row_of(place, place.row0 + i / QUADS)), dim); }
        staged[i / QUADS * PITCH + i % QUADS] = Tile4(q);
      }
      for (var i = local; i < 32u * QUADS; i += LANES) {
        let dim = dim0 + i % QUADS * 4u;
        let key = key0 + i / QUADS;
        // Keys past the end count as zero.
        var k = vec4<f32>(0.0);
        if (key < place.key_end && dim < p.head_dim) { k = k4(k_head + key * p.k_seq, dim); }
        staged[K_TILE + i / QUADS * PITCH + i % QUADS] = Tile4(k);
      }
      // Publishes the dims of q and of k.
      workgroupBarrier();
      let quads = min(QUADS, (p.head_dim - dim0 + 3u) / 4u);
      for (var quad = 0u; quad < quads; quad += 1u) {
        // @repeat I 4
        let q_I = vec4<f32>(staged[(row_lane + I * ROW_LANES) * PITCH + quad]);
        // @end
        // @repeat J 4
        let k_J = vec4<f32>(staged[K_TILE + (key_lane + J * 8u) * PITCH + quad]);
        // @repeat I 4
        x_I_J = along(q_I, k_J, x_I_J);
        // @end
        // @end
      }
    }
    let keys = vec4<u32>(key0 + key_lane) + vec4<u32>(0u, 8u, 16u, 24u);
    let scales = key_scales(place, keys);
    // @repeat I 4
    let logits_I = logits(vec4<f32>(x_I_0, x_I_1, x_I_2, x_I_3), factor_I, scales, place, row_I, keys);
    // @end
    let own = vec4<f32>(largest_of(logits_0.value), largest_of(logits_1.value), largest_of(logits_2.value),
                        largest_of(logits_3.value));
    let before = largest;
    largest = max(before, largest_of_rows(own, row_lane, key_lane));
    let rescale = rescales(before, largest);
    // @repeat I 4
    var weights_I = weights_of(logits_I, largest[I]);
    // @end
    sums = sums * rescale + vec4<f32>(total(weights_0), total(weights_1), total(weights_2), total(weights_3));
    if (V_SCALE_BY_KEY) {
      let scales_of_values = value_scales(place, keys);
      // @repeat I 4
      weights_I *= scales_of_values;
      // @end
    }
    // @repeat J 4
    weights[weights_at(key_lane + J * 8u, row_lane)] = vec4<f32>(weights_0[J], weights_1[J], weights_2[J], weights_3[J]);
    // @end
    // @repeat I 4
    // @repeat H HALVES
    // @repeat C 2
    mix_I_H_C *= rescale[I];
    // @end
    // @end
    // @end
    // @repeat H HALVES
    // Publishes nothing: waits until what was staged before has been read.
    workgroupBarrier();
    for (var i = local; i < 512u; i += LANES) {
      let key = key0 + i / 16u;
      let staged_column = (place.slice * HALVES + H) * 64u + i % 16u * 4u;
      var v = vec4<f32>(0.0);
      if (key < place.key_end && staged_column < p.v_dim) { v = v4(v_head + key * p.v_seq, staged_column); }
      staged[i] = Tile4(v);
    }
    // Publishes the weights and 64 columns of the values.
    workgroupBarrier();
    let end_H = min(32u, place.key_end - key0);
    for (var key = 0u; key < end_H; key += 1u) {
      let w = weights[weights_at(key, row_lane)];
      // @repeat C 2
      let v_C = vec4<f32>(staged[key * 16u + key_lane + C * 8u]);
      // @end
      if (!HIDES || all(w != vec4<f32>(0.0))) {
        // @repeat I 4
        // @repeat C 2
        mix_I_H_C += w[I] * v_C;
        // @end
        // @end
      } else {
        // The value of a hidden key may be anything, and 0 * NaN is NaN.
        // @repeat I 4
        // @repeat C 2
        mix_I_H_C += w[I] * select(vec4<f32>(0.0), v_C, vec4<bool>(w[I] != 0.0));
        // @end
        // @end
      }
    }
    // @end
  }

  let all_sums = sums_of_rows(sums, row_lane, key_lane);
  // @repeat I 4
  let scale_I = out_factor(place, row_I, largest[I], all_sums[I]);
  // @repeat H HALVES
  // @repeat C 2
  finish(place, row_I, column + H * 64u + C * 32u, mix_I_H_C, scale_I);
  // @end
  // @end
  if (place.slice == 0u && key_lane == 0u) {
    finish_row(place, row_I, largest[I], all_sums[I]);
  }
  // @end
}
