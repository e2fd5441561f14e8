// Attention for adapters that are CPUs: online softmax over blocks of 8 keys, no barriers, no workgroup memory.
// workgroup -> 8 queries of one head, 64 columns of their values; more columns recompute the scores.
// invocation -> one query.
// Addresses into k and v depend on the workgroup and the loops alone: one scalar load serves all lanes.
// @stand-in begin
const HIDES = true;
const HAS_MASK = false;
const HAS_BIAS = false;
const HAS_LSE = true;
const COLUMN_GROUPS = 4u;
const HEAD_HAS_TAIL = true;
struct Params {
  heads: u32, heads_per_kv: u32, seq_q: u32, seq_kv: u32, head_dim: u32, v_dim: u32,
  q_seq: u32, k_seq: u32, v_seq: u32, tiles_q: u32, slices: u32, groups: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
struct Logit { value: f32, visible: bool }
const LOWEST = -3.4028234663852886e38;
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
fn q_start(item: u32, head: u32) -> u32 { return 0u; }
fn k_start(item: u32, head: u32) -> u32 { return 0u; }
fn v_start(item: u32, head: u32) -> u32 { return 0u; }
fn within_head(dim: u32, loaded: vec4<f32>) -> vec4<f32> { return loaded; }
fn q4(row_start: u32, dim: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn k4(row_start: u32, dim: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn v4(row_start: u32, column: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn visible_end(row_end: u32) -> u32 { return p.seq_kv; }
fn sees_all(row: u32, end: u32) -> bool { return true; }
fn logit_factor() -> f32 { return 1.0; }
fn logit(product: f32, factor: f32, item: u32, head: u32, row: u32, key: u32) -> Logit { return Logit(product, true); }
fn weight(x: f32, largest: f32) -> f32 { return exp(x - largest); }
fn out_factor(largest: f32, sum: f32, head: u32) -> f32 { return 1.0 / sum; }
fn finish(item: u32, head: u32, row: u32, column: u32, sums: vec4<f32>, factor: f32) { }
fn finish_lse(item: u32, head: u32, row: u32, largest: f32, sum: f32) { }
// @stand-in end
// 16 columns of a query's mix.
struct Mix { a: vec4<f32>, b: vec4<f32>, c: vec4<f32>, d: vec4<f32> }

fn along(q: vec4<f32>, k: vec4<f32>, sum: f32) -> f32 {
  return fma(q.w, k.w, fma(q.z, k.z, fma(q.y, k.y, fma(q.x, k.x, sum))));
}

fn mix_key(m: Mix, row_start: u32, column: u32, w: f32) -> Mix {
  let weights = vec4<f32>(w);
  return Mix(fma(weights, v4(row_start, column), m.a), fma(weights, v4(row_start, column + 4u), m.b),
             fma(weights, v4(row_start, column + 8u), m.c), fma(weights, v4(row_start, column + 12u), m.d));
}

// The same where the key may be hidden from the query: its value may be NaN, and 0 * NaN is NaN.
fn mix_hidden_key(m: Mix, row_start: u32, column: u32, w: f32) -> Mix {
  let mixed = mix_key(m, row_start, column, w);
  let sees = vec4<bool>(w > 0.0);
  return Mix(select(m.a, mixed.a, sees), select(m.b, mixed.b, sees),
             select(m.c, mixed.c, sees), select(m.d, mixed.d, sees));
}

fn mix_four(mix: Mix, r0: u32, r1: u32, r2: u32, r3: u32, column: u32, w: vec4<f32>) -> Mix {
  return mix_key(mix_key(mix_key(mix_key(mix, r0, column, w.x), r1, column, w.y), r2, column, w.z), r3, column, w.w);
}

fn scaled(m: Mix, factor: f32) -> Mix {
  return Mix(m.a * factor, m.b * factor, m.c * factor, m.d * factor);
}

fn finish_mix(item: u32, head: u32, row: u32, column: u32, m: Mix, factor: f32) {
  finish(item, head, row, column, m.a, factor);
  finish(item, head, row, column + 4u, m.b, factor);
  finish(item, head, row, column + 8u, m.c, factor);
  finish(item, head, row, column + 12u, m.d, factor);
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let slice = tile % p.slices;
  let row0 = tile / p.slices % p.tiles_q * 8u;
  let item = tile / (p.slices * p.tiles_q) / p.heads;
  let head = tile / (p.slices * p.tiles_q) % p.heads;
  let row = row0 + local;
  let column = slice * 64u;
  // Queries from seq_q on repeat the last one; they see no key and are never stored.
  let q_row = q_start(item, head) + min(row, p.seq_q - 1u) * p.q_seq;
  let k_head = k_start(item, head / p.heads_per_kv);
  let v_head = v_start(item, head / p.heads_per_kv);
  let factor = logit_factor();
  var largest = LOWEST;
  var sum = 0.0;
  let nothing = vec4<f32>(0.0);
  var mix0 = Mix(nothing, nothing, nothing, nothing);
  var mix1 = mix0;
  var mix2 = mix0;
  var mix3 = mix0;

  let last = p.seq_kv - 1u;
  let whole = p.head_dim / 4u * 4u;
  // Keys that no query of the tile may see are left out.
  let key_end = visible_end(row0 + 8u);
  for (var key = 0u; key < key_end; key += 8u) {
    // Keys past the end repeat the last one; they are hidden.
    let k_row0 = k_head + key * p.k_seq;
    let k_row1 = k_head + min(key + 1u, last) * p.k_seq;
    let k_row2 = k_head + min(key + 2u, last) * p.k_seq;
    let k_row3 = k_head + min(key + 3u, last) * p.k_seq;
    let k_row4 = k_head + min(key + 4u, last) * p.k_seq;
    let k_row5 = k_head + min(key + 5u, last) * p.k_seq;
    let k_row6 = k_head + min(key + 6u, last) * p.k_seq;
    let k_row7 = k_head + min(key + 7u, last) * p.k_seq;
    var x0 = 0.0;
    var x1 = 0.0;
    var x2 = 0.0;
    var x3 = 0.0;
    var x4 = 0.0;
    var x5 = 0.0;
    var x6 = 0.0;
    var x7 = 0.0;
    for (var dim = 0u; dim < whole; dim += 4u) {
      let q = q4(q_row, dim);
      x0 = along(q, k4(k_row0, dim), x0);
      x1 = along(q, k4(k_row1, dim), x1);
      x2 = along(q, k4(k_row2, dim), x2);
      x3 = along(q, k4(k_row3, dim), x3);
      x4 = along(q, k4(k_row4, dim), x4);
      x5 = along(q, k4(k_row5, dim), x5);
      x6 = along(q, k4(k_row6, dim), x6);
      x7 = along(q, k4(k_row7, dim), x7);
    }
    if (HEAD_HAS_TAIL) {
      let q = within_head(whole, q4(q_row, whole));
      x0 = along(q, within_head(whole, k4(k_row0, whole)), x0);
      x1 = along(q, within_head(whole, k4(k_row1, whole)), x1);
      x2 = along(q, within_head(whole, k4(k_row2, whole)), x2);
      x3 = along(q, within_head(whole, k4(k_row3, whole)), x3);
      x4 = along(q, within_head(whole, k4(k_row4, whole)), x4);
      x5 = along(q, within_head(whole, k4(k_row5, whole)), x5);
      x6 = along(q, within_head(whole, k4(k_row6, whole)), x6);
      x7 = along(q, within_head(whole, k4(k_row7, whole)), x7);
    }
    let logit0 = logit(x0, factor, item, head, row, key);
    let logit1 = logit(x1, factor, item, head, row, key + 1u);
    let logit2 = logit(x2, factor, item, head, row, key + 2u);
    let logit3 = logit(x3, factor, item, head, row, key + 3u);
    let logit4 = logit(x4, factor, item, head, row, key + 4u);
    let logit5 = logit(x5, factor, item, head, row, key + 5u);
    let logit6 = logit(x6, factor, item, head, row, key + 6u);
    let logit7 = logit(x7, factor, item, head, row, key + 7u);
    let before = largest;
    largest = max(max(max(max(logit0.value, logit1.value), max(logit2.value, logit3.value)),
                      max(max(logit4.value, logit5.value), max(logit6.value, logit7.value))), before);
    // Hidden keys weigh nothing, by choice and not by arithmetic.
    let low = vec4<f32>(select(0.0, weight(logit0.value, largest), logit0.visible),
                        select(0.0, weight(logit1.value, largest), logit1.visible),
                        select(0.0, weight(logit2.value, largest), logit2.visible),
                        select(0.0, weight(logit3.value, largest), logit3.visible));
    let high = vec4<f32>(select(0.0, weight(logit4.value, largest), logit4.visible),
                         select(0.0, weight(logit5.value, largest), logit5.visible),
                         select(0.0, weight(logit6.value, largest), logit6.visible),
                         select(0.0, weight(logit7.value, largest), logit7.visible));
    let rescale = weight(before, largest);
    let both = low + high;
    sum = sum * rescale + ((both.x + both.y) + (both.z + both.w));
    mix0 = scaled(mix0, rescale);
    if (COLUMN_GROUPS > 1u) { mix1 = scaled(mix1, rescale); }
    if (COLUMN_GROUPS > 2u) { mix2 = scaled(mix2, rescale); }
    if (COLUMN_GROUPS > 3u) { mix3 = scaled(mix3, rescale); }
    // Where nothing is ever hidden, a key past the end is a visible one again, of no weight.
    if (!HIDES || (!HAS_MASK && !HAS_BIAS && sees_all(row0, key + 8u))) {
      // Four keys at a time: twice the code would take the driver twice as long to compile.
      for (var half = 0u; half < 8u; half += 4u) {
        let w = select(high, low, half == 0u);
        let first = key + half;
        let v_row0 = v_head + min(first, last) * p.v_seq;
        let v_row1 = v_head + min(first + 1u, last) * p.v_seq;
        let v_row2 = v_head + min(first + 2u, last) * p.v_seq;
        let v_row3 = v_head + min(first + 3u, last) * p.v_seq;
        mix0 = mix_four(mix0, v_row0, v_row1, v_row2, v_row3, column, w);
        if (COLUMN_GROUPS > 1u) { mix1 = mix_four(mix1, v_row0, v_row1, v_row2, v_row3, column + 16u, w); }
        if (COLUMN_GROUPS > 2u) { mix2 = mix_four(mix2, v_row0, v_row1, v_row2, v_row3, column + 32u, w); }
        if (COLUMN_GROUPS > 3u) { mix3 = mix_four(mix3, v_row0, v_row1, v_row2, v_row3, column + 48u, w); }
      }
    } else {
      let keys = min(8u, key_end - key);
      for (var i = 0u; i < keys; i += 1u) {
        let w = select(high, low, i < 4u)[i % 4u];
        let v_row = v_head + (key + i) * p.v_seq;
        mix0 = mix_hidden_key(mix0, v_row, column, w);
        if (COLUMN_GROUPS > 1u) { mix1 = mix_hidden_key(mix1, v_row, column + 16u, w); }
        if (COLUMN_GROUPS > 2u) { mix2 = mix_hidden_key(mix2, v_row, column + 32u, w); }
        if (COLUMN_GROUPS > 3u) { mix3 = mix_hidden_key(mix3, v_row, column + 48u, w); }
      }
    }
  }

  let out_scale = out_factor(largest, sum, head);
  finish_mix(item, head, row, column, mix0, out_scale);
  if (COLUMN_GROUPS > 1u) { finish_mix(item, head, row, column + 16u, mix1, out_scale); }
  if (COLUMN_GROUPS > 2u) { finish_mix(item, head, row, column + 32u, mix2, out_scale); }
  if (COLUMN_GROUPS > 3u) { finish_mix(item, head, row, column + 48u, mix3, out_scale); }
  if (HAS_LSE && slice == 0u) {
    finish_lse(item, head, row, largest, sum);
  }
}
