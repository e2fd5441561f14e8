// Attention for adapters that are CPUs: online softmax over blocks of 8 keys, no barriers, no workgroup memory.
// workgroup -> 8 rows of one kv head, 64 columns of their values; more columns recompute the scores.
// invocation -> one row.
// Addresses into k and v depend on the workgroup and the loops alone: one scalar load serves all lanes.
// @stand-in begin
const HIDES = true;
const V_SCALE_BY_KEY = true;
const COLUMN_GROUPS = 4u;
struct Params { head_dim: u32, k_seq: u32, v_seq: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Place { slice: u32, row0: u32, rows: u32, key_begin: u32, key_end: u32 }
struct Row { exists: bool }
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
fn out_factor(place: Place, row: Row, largest: f32, sum: f32) -> f32 { return 1.0 / sum; }
fn finish(place: Place, row: Row, column: u32, sums: vec4<f32>, factor: f32) { }
fn finish_row(place: Place, row: Row, largest: f32, sum: f32) { }
// @stand-in end
// 16 columns of a row's mix.
struct Mix { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32> }

fn along(q: vec4<f32>, k: vec4<f32>, sum: f32) -> f32 {
  return fma(q.w, k.w, fma(q.z, k.z, fma(q.y, k.y, fma(q.x, k.x, sum))));
}

fn mix_key(m: Mix, row_start: u32, column: u32, w: f32) -> Mix {
  let weights = vec4<f32>(w);
  return Mix(fma(weights, v4(row_start, column), m.a), fma(weights, v4(row_start, column + 4u), m.b),
             fma(weights, v4(row_start, column + 8u), m.c), fma(weights, v4(row_start, column + 12u), m.d));
}

// The same where the key may be hidden from the query: its value may be anything, and 0 * NaN is NaN.
fn mix_hidden_key(m: Mix, row_start: u32, column: u32, w: f32) -> Mix {
  let mixed = mix_key(m, row_start, column, w);
  let sees = vec4<bool>(w != 0.0);
  return Mix(select(m.a, mixed.a, sees), select(m.b, mixed.b, sees),
             select(m.c, mixed.c, sees), select(m.d, mixed.d, sees));
}

fn scaled(m: Mix, factor: f32) -> Mix {
  return Mix(m.a * factor, m.b * factor, m.c * factor, m.d * factor);
}

fn finish_mix(place: Place, row: Row, column: u32, m: Mix, factor: f32) {
  finish(place, row, column, m.a, factor);
  finish(place, row, column + 4u, m.b, factor);
  finish(place, row, column + 8u, m.c, factor);
  finish(place, row, column + 12u, m.d, factor);
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
  let row = row_of(place, place.row0 + local);
  let column = place.slice * 64u;
  let q_start = q_row(place, row);
  let k_head = k_start(place);
  let v_head = v_start(place);
  let factor = logit_factor(place, row);
  var largest = LOWEST;
  var sum = 0.0;
  let nothing = vec4<f32>(0.0);
  // @repeat G COLUMN_GROUPS
  var mix_G = Mix(nothing, nothing, nothing, nothing);
  // @end
  let last = max(place.key_end, 1u) - 1u;
  for (var key = place.key_begin; key < place.key_end; key += 8u) {
    // Keys past the end repeat the last one; they are hidden.
    // @repeat J 8
    let k_row_J = k_head + min(key + J, last) * p.k_seq;
    var x_J = 0.0;
    // @end
    for (var dim = 0u; dim < p.head_dim; dim += 4u) {
      let q = q4(q_start, dim);
      // @repeat J 8
      x_J = along(q, k4(k_row_J, dim), x_J);
      // @end
    }
    let low = vec4<u32>(key) + vec4<u32>(0u, 1u, 2u, 3u);
    let high = low + vec4<u32>(4u);
    let logits_low = logits(vec4<f32>(x_0, x_1, x_2, x_3), factor, key_scales(place, low), place, row, low);
    let logits_high = logits(vec4<f32>(x_4, x_5, x_6, x_7), factor, key_scales(place, high), place, row, high);
    let before = largest;
    largest = max(before, max(largest_of(logits_low.value), largest_of(logits_high.value)));
    var weights_low = weights_of(logits_low, largest);
    var weights_high = weights_of(logits_high, largest);
    let change = rescale(before, largest);
    sum = sum * change + total(weights_low + weights_high);
    // @repeat G COLUMN_GROUPS
    mix_G = scaled(mix_G, change);
    // @end
    if (V_SCALE_BY_KEY) {
      weights_low *= value_scales(place, low);
      weights_high *= value_scales(place, high);
    }
    // Two keys at a time: more code would take the driver longer to compile.
    for (var pair = 0u; pair < 4u; pair += 1u) {
      let four = select(weights_high, weights_low, vec4<bool>(pair < 2u));
      let two = select(four.zw, four.xy, vec2<bool>(pair % 2u == 0u));
      let v_first = v_head + min(key + pair * 2u, last) * p.v_seq;
      let v_second = v_head + min(key + pair * 2u + 1u, last) * p.v_seq;
      // @repeat G COLUMN_GROUPS
      if (HIDES) {
        mix_G = mix_hidden_key(mix_hidden_key(mix_G, v_first, column + G * 16u, two.x), v_second, column + G * 16u, two.y);
      } else {
        mix_G = mix_key(mix_key(mix_G, v_first, column + G * 16u, two.x), v_second, column + G * 16u, two.y);
      }
      // @end
    }
  }

  let scale = out_factor(place, row, largest, sum);
  // @repeat G COLUMN_GROUPS
  finish_mix(place, row, column + G * 16u, mix_G, scale);
  // @end
  if (place.slice == 0u) {
    finish_row(place, row, largest, sum);
  }
}
