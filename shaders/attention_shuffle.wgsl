// Attention for adapters that are CPUs with subgroups of 8: online softmax over blocks of 32 keys, no barriers, no workgroup
// memory.
// workgroup -> ROWS rows of one kv head, 32 VALUE_LOADS columns of their values; more columns recompute the scores.
// The invocations' lanes are, in turn: rows, while q is loaded and the softmax rescaled; four keys each, while scores are
// formed; four columns each, while values are mixed. A shuffle by a value that only the run knows spreads a lane's number to
// all in one instruction, where a load from a common address costs a dozen.
// @stand-in begin
const HIDES = true;
const HAS_Q_SCALE = true;
const V_SCALE_BY_KEY = true;
const FOLDS = true;
const ROWS = 8u;
const GROUPS = 1u;
const VALUE_LOADS = 2u;
struct Params { seq_q: u32, seq_kv: u32, head_dim: u32, v_dim: u32, k_seq: u32, v_seq: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Place { slice: u32, row0: u32, rows: u32, query0: u32, key_begin: u32, key_end: u32, kv_head: u32 }
struct Row { index: u32, exists: bool, query: u32, head: u32 }
struct Logits { value: vec4<f32>, visible: vec4<bool> }
const LOWEST = -3.4028234663852886e38;
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
fn rescale(before: f32, after: f32) -> f32 { return 1.0; }
fn is_finite(x: vec4<f32>) -> bool { return true; }
fn out_factor(place: Place, row: Row, largest: f32, sum: f32) -> f32 { return 1.0 / sum; }
fn finish(place: Place, row: Row, column: u32, sums: vec4<f32>, factor: f32) { }
fn finish_row(place: Place, row: Row, largest: f32, sum: f32) { }
// @stand-in end
// The lanes one, two and four away, and whether a lane is the second of its pair, pair of pairs and half.
struct Lanes {
  across_1: u32,
  across_2: u32,
  across_4: u32,
  second_1: bool,
  second_2: bool,
  second_4: bool,
}

// The largest, or the sum, over the lanes of each of eight numbers: that of the first in the first lane, and so on.
fn max_pairs(a: f32, b: f32, l: Lanes) -> f32 {
  return max(select(a, b, l.second_1), subgroupShuffle(select(b, a, l.second_1), l.across_1));
}

fn max_fours(a: f32, b: f32, l: Lanes) -> f32 {
  return max(select(a, b, l.second_2), subgroupShuffle(select(b, a, l.second_2), l.across_2));
}

fn max_eights(a: f32, b: f32, l: Lanes) -> f32 {
  return max(select(a, b, l.second_4), subgroupShuffle(select(b, a, l.second_4), l.across_4));
}

fn add_pairs(a: f32, b: f32, l: Lanes) -> f32 {
  return select(a, b, l.second_1) + subgroupShuffle(select(b, a, l.second_1), l.across_1);
}

fn add_fours(a: f32, b: f32, l: Lanes) -> f32 {
  return select(a, b, l.second_2) + subgroupShuffle(select(b, a, l.second_2), l.across_2);
}

fn add_eights(a: f32, b: f32, l: Lanes) -> f32 {
  return select(a, b, l.second_4) + subgroupShuffle(select(b, a, l.second_4), l.across_4);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let index = unfold(group, groups);
  if (index >= p.groups) {
    return;
  }
  let place = place_of(index);
  if (place.row0 >= place.rows) {
    return;
  }
  // Zero, which the compiler cannot know: a shuffle by a constant would be two instructions.
  let unknown_zero = local & (p.seq_q >> 31u);
  // @repeat L 8
  let lane_L = unknown_zero + L;
  // @end
  let lanes = Lanes(local ^ 1u, local ^ 2u, local ^ 4u, (local & 1u) != 0u, (local & 2u) != 0u, (local & 4u) != 0u);
  // With rows as lanes.
  // @repeat G GROUPS
  let own_G = row_of(place, place.row0 + G * 8u + local);
  let q_row_G = q_row(place, own_G);
  let own_factor_G = logit_factor(place, own_G);
  var largest_G = LOWEST;
  // @repeat S 8
  // @let R = G * 8 + S
  var row_R = Row(place.row0 + R, place.row0 + R < place.rows, place.query0 + place.row0 + R, place.kv_head);
  if (FOLDS) {
    row_R.query = subgroupShuffle(own_G.query, lane_S);
    row_R.head = subgroupShuffle(own_G.head, lane_S);
  }
  var factor_R = own_factor_G;
  if (HAS_Q_SCALE) { factor_R = subgroupShuffle(own_factor_G, lane_S); }
  var sum_R = 0.0;
  // @repeat V VALUE_LOADS
  var mix_R_V = vec4<f32>(0.0);
  // @end
  // @end
  // @end
  let k_head = k_start(place);
  let v_head = v_start(place);
  let column = place.slice * 128u + local * 4u;
  let last = max(place.key_end, 1u) - 1u;

  for (var key0 = place.key_begin; key0 < place.key_end; key0 += 32u) {
    // Keys past the end repeat the last one; they are hidden.
    let first = key0 + local * 4u;
    let keys = vec4<u32>(first, first + 1u, first + 2u, first + 3u);
    // @repeat C 4
    let k_row_C = k_head + min(keys[C], last) * p.k_seq;
    // @end
    // @repeat R ROWS
    var x_R = vec4<f32>(0.0);
    // @end
    for (var dim = 0u; dim < p.head_dim; dim += 4u) {
      // @repeat C 4
      let k_C = k4(k_row_C, dim);
      // @end
      // @repeat G GROUPS
      let q_G = q4(q_row_G, dim);
      // @end
      // @repeat E 4
      let k_of_E = vec4<f32>(k_0[E], k_1[E], k_2[E], k_3[E]);
      // @end
      // @repeat G GROUPS
      // @repeat S 8
      // @let R = G * 8 + S
      // @repeat E 4
      x_R += subgroupShuffle(q_G[E], lane_S) * k_of_E;
      // @end
      // @end
      // @end
    }
    let scales = key_scales(place, keys);
    let scales_of_values = value_scales(place, keys);
    // @repeat G GROUPS
    // @repeat S 8
    // @let R = G * 8 + S
    let logits_R = logits(x_R, factor_R, scales, place, row_R, keys);
    let top_G_S = largest_of(logits_R.value);
    // @end
    let after_G = max(largest_G, max_eights(
        max_fours(max_pairs(top_G_0, top_G_1, lanes), max_pairs(top_G_2, top_G_3, lanes), lanes),
        max_fours(max_pairs(top_G_4, top_G_5, lanes), max_pairs(top_G_6, top_G_7, lanes), lanes), lanes));
    let rescale_G = rescale(largest_G, after_G);
    largest_G = after_G;
    // @repeat S 8
    // @let R = G * 8 + S
    let factor_of_R = subgroupShuffle(rescale_G, lane_S);
    var weights_R = weights_of(logits_R, subgroupShuffle(after_G, lane_S));
    sum_R = sum_R * factor_of_R + total(weights_R);
    if (V_SCALE_BY_KEY) { weights_R *= scales_of_values; }
    // @repeat V VALUE_LOADS
    mix_R_V *= factor_of_R;
    // @end
    // @end
    // @end

    // The keys of one lane at a time.
    let parts = min(8u, (place.key_end - key0 + 3u) / 4u);
    for (var part = 0u; part < parts; part += 1u) {
      // @repeat C 4
      let v_row_C = v_head + min(key0 + part * 4u + C, last) * p.v_seq + column;
      // @repeat V VALUE_LOADS
      let v_C_V = v4(v_row_C, V * 32u);
      // @end
      // @end
      var finite = true;
      if (HIDES) {
        // @repeat C 4
        // @repeat V VALUE_LOADS
        finite = finite && is_finite(v_C_V);
        // @end
        // @end
      }
      if (!HIDES || subgroupAll(finite)) {
        // @repeat R ROWS
        // @repeat C 4
        let w_R_C = subgroupShuffle(weights_R[C], part);
        // @repeat V VALUE_LOADS
        mix_R_V += w_R_C * v_C_V;
        // @end
        // @end
        // @end
      } else {
        // The value of a hidden key may be anything, and 0 * NaN is NaN.
        for (var c = 0u; c < 4u; c += 1u) {
          let v_row = v_head + min(key0 + part * 4u + c, last) * p.v_seq + column;
          // @repeat V VALUE_LOADS
          let v_V = v4(v_row, V * 32u);
          // @end
          // @repeat R ROWS
          let w_R = subgroupShuffle(weights_R[c], part);
          // @repeat V VALUE_LOADS
          mix_R_V += w_R * select(vec4<f32>(0.0), v_V, vec4<bool>(w_R != 0.0));
          // @end
          // @end
        }
      }
    }
  }

  // @repeat G GROUPS
  // @repeat S 8
  // @let R = G * 8 + S
  let sum_of_G_S = sum_R;
  // @end
  let all_G = add_eights(
      add_fours(add_pairs(sum_of_G_0, sum_of_G_1, lanes), add_pairs(sum_of_G_2, sum_of_G_3, lanes), lanes),
      add_fours(add_pairs(sum_of_G_4, sum_of_G_5, lanes), add_pairs(sum_of_G_6, sum_of_G_7, lanes), lanes), lanes);
  let own_scale_G = out_factor(place, own_G, largest_G, all_G);
  if (place.slice == 0u) {
    finish_row(place, own_G, largest_G, all_G);
  }
  // @end
  // The rows one by one, out of memory: as many stores written out would take longer to compile than all the rest.
  var mixes: array<vec4<f32>, ROWS * VALUE_LOADS>;
  var scales: array<f32, GROUPS>;
  // @repeat G GROUPS
  scales[G] = own_scale_G;
  // @end
  // @repeat R ROWS
  // @repeat V VALUE_LOADS
  // @let I = R * VALUE_LOADS + V
  mixes[I] = mix_R_V;
  // @end
  // @end
  for (var r = 0u; r < ROWS; r += 1u) {
    let row = row_of(place, place.row0 + r);
    let scale = subgroupShuffle(scales[r / 8u], r % 8u);
    for (var v = 0u; v < VALUE_LOADS; v += 1u) {
      finish(place, row, column + v * 32u, mixes[r * VALUE_LOADS + v], scale);
    }
  }
}
