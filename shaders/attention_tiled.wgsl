// Attention, portable: online softmax over tiles of 32 keys, the scores of one tile in workgroup memory.
// workgroup -> 32 queries of one head, 64 columns of their values; more columns recompute the scores.
// invocation -> for the queries `low` and `high` = low + 16 of the tile: two scores each while a tile is scored (keys
// `lane` and lane + 16), and four columns each while the values are mixed.
// @stand-in begin
const HIDES = true;
const HAS_LSE = true;
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
fn q4(row_start: u32, dim: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn k4(row_start: u32, dim: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn v4(row_start: u32, column: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn visible_end(row_end: u32) -> u32 { return p.seq_kv; }
fn logit_factor() -> f32 { return 1.0; }
fn logit(product: f32, factor: f32, item: u32, head: u32, row: u32, key: u32) -> Logit { return Logit(product, true); }
fn weight(x: f32, largest: f32) -> f32 { return exp(x - largest); }
fn out_factor(largest: f32, sum: f32, head: u32) -> f32 { return 1.0 / sum; }
fn finish(item: u32, head: u32, row: u32, column: u32, sums: vec4<f32>, factor: f32) { }
fn finish_lse(item: u32, head: u32, row: u32, largest: f32, sum: f32) { }
// @stand-in end
// 9 KiB of WebGPU's 16: first 32 rows of q and 32 of k, 32 dims at a time, then 32 rows of v, 64 columns.
// A row of q or k takes 9 vectors for its 8, so that the lanes' rows fall into different banks.
const PITCH = 9u;
const K_TILE = 288u;
var<workgroup> staged: array<vec4<f32>, 576>;
// The weights of a tile, a row of 33 per query (4.1 KiB).
const WEIGHTS_PITCH = 33u;
var<workgroup> weights: array<f32, 1056>;
// One number per query and lane, to be reduced over the lanes (2 KiB).
var<workgroup> lane_values: array<f32, 512>;

fn largest_of_row(row: u32, start: f32) -> f32 {
  var largest = start;
  for (var i = 0u; i < 16u; i += 1u) {
    largest = max(largest, lane_values[row * 16u + i]);
  }
  return largest;
}

fn sum_of_row(row: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < 16u; i += 1u) {
    sum += lane_values[row * 16u + i];
  }
  return sum;
}

fn total(v: vec4<f32>) -> f32 {
  return (v.x + v.y) + (v.z + v.w);
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let slice = tile % p.slices;
  let row0 = tile / p.slices % p.tiles_q * 32u;
  let item = tile / (p.slices * p.tiles_q) / p.heads;
  let head = tile / (p.slices * p.tiles_q) % p.heads;
  let kv_head = head / p.heads_per_kv;

  // Staging q and k: an invocation brings four dims of one row of each.
  let staged_row = local / 8u;
  let staged_part = local % 8u;
  let staged_to = staged_row * PITCH + staged_part;
  let q_row_start = q_start(item, head) + (row0 + staged_row) * p.q_seq;
  let k_head_start = k_start(item, kv_head);
  let v_head_start = v_start(item, kv_head);

  let low = local / 16u;
  let high = low + 16u;
  let lane = local % 16u;
  let column = slice * 64u + lane * 4u;
  let factor = logit_factor();
  var largest_low = LOWEST;
  var largest_high = LOWEST;
  // This lane's share of the sums of the weights.
  var sum_low = 0.0;
  var sum_high = 0.0;
  var mixed_low = vec4<f32>(0.0);
  var mixed_high = vec4<f32>(0.0);

  // Keys that no query of the tile may see are left out.
  let key_end = visible_end(row0 + 32u);
  for (var key0 = 0u; key0 < key_end; key0 += 32u) {
    var low_first = vec4<f32>(0.0);
    var low_second = vec4<f32>(0.0);
    var high_first = vec4<f32>(0.0);
    var high_second = vec4<f32>(0.0);
    for (var dim0 = 0u; dim0 < p.head_dim; dim0 += 32u) {
      // Rows past the end count as zero.
      let dim = dim0 + staged_part * 4u;
      var q = vec4<f32>(0.0);
      if (row0 + staged_row < p.seq_q && dim < p.head_dim) { q = q4(q_row_start, dim); }
      var k = vec4<f32>(0.0);
      let staged_key = key0 + staged_row;
      if (staged_key < key_end && dim < p.head_dim) { k = k4(k_head_start + staged_key * p.k_seq, dim); }
      // Publishes nothing: waits until what was staged before has been read.
      workgroupBarrier();
      staged[staged_to] = q;
      staged[K_TILE + staged_to] = k;
      // Publishes 32 dims of q and of k.
      workgroupBarrier();
      let parts = min(8u, (p.head_dim - dim0 + 3u) / 4u);
      for (var part = 0u; part < parts; part += 1u) {
        let q_low = staged[low * PITCH + part];
        let q_high = staged[high * PITCH + part];
        let k_first = staged[K_TILE + lane * PITCH + part];
        let k_second = staged[K_TILE + (lane + 16u) * PITCH + part];
        low_first += q_low * k_first;
        low_second += q_low * k_second;
        high_first += q_high * k_first;
        high_second += q_high * k_second;
      }
    }
    let first = key0 + lane;
    let second = first + 16u;
    let logit_low_first = logit(total(low_first), factor, item, head, row0 + low, first);
    let logit_low_second = logit(total(low_second), factor, item, head, row0 + low, second);
    let logit_high_first = logit(total(high_first), factor, item, head, row0 + high, first);
    let logit_high_second = logit(total(high_second), factor, item, head, row0 + high, second);
    lane_values[low * 16u + lane] = max(logit_low_first.value, logit_low_second.value);
    lane_values[high * 16u + lane] = max(logit_high_first.value, logit_high_second.value);
    // Publishes the lanes' largest logits, and waits until q and k have been read.
    workgroupBarrier();

    let before_low = largest_low;
    let before_high = largest_high;
    largest_low = largest_of_row(low, before_low);
    largest_high = largest_of_row(high, before_high);
    // Hidden keys weigh nothing, by choice and not by arithmetic.
    let weight_low_first = select(0.0, weight(logit_low_first.value, largest_low), logit_low_first.visible);
    let weight_low_second = select(0.0, weight(logit_low_second.value, largest_low), logit_low_second.visible);
    let weight_high_first = select(0.0, weight(logit_high_first.value, largest_high), logit_high_first.visible);
    let weight_high_second = select(0.0, weight(logit_high_second.value, largest_high), logit_high_second.visible);
    weights[low * WEIGHTS_PITCH + lane] = weight_low_first;
    weights[low * WEIGHTS_PITCH + lane + 16u] = weight_low_second;
    weights[high * WEIGHTS_PITCH + lane] = weight_high_first;
    weights[high * WEIGHTS_PITCH + lane + 16u] = weight_high_second;
    let rescale_low = weight(before_low, largest_low);
    let rescale_high = weight(before_high, largest_high);
    sum_low = sum_low * rescale_low + (weight_low_first + weight_low_second);
    sum_high = sum_high * rescale_high + (weight_high_first + weight_high_second);
    mixed_low *= rescale_low;
    mixed_high *= rescale_high;
    // Staging v: an invocation brings four columns of the rows `low` and `high`.
    var value = vec4<f32>(0.0);
    if (key0 + low < key_end && column < p.v_dim) { value = v4(v_head_start + (key0 + low) * p.v_seq, column); }
    staged[low * 16u + lane] = value;
    value = vec4<f32>(0.0);
    if (key0 + high < key_end && column < p.v_dim) { value = v4(v_head_start + (key0 + high) * p.v_seq, column); }
    staged[high * 16u + lane] = value;
    // Publishes the weights and the values.
    workgroupBarrier();
    let keys = min(32u, key_end - key0);
    for (var key = 0u; key < keys; key += 1u) {
      let v = staged[key * 16u + lane];
      let of_low = weights[low * WEIGHTS_PITCH + key];
      let of_high = weights[high * WEIGHTS_PITCH + key];
      // The value of a hidden key may be NaN, and 0 * NaN is NaN.
      if (!HIDES || of_low > 0.0) { mixed_low += of_low * v; }
      if (!HIDES || of_high > 0.0) { mixed_high += of_high * v; }
    }
  }

  lane_values[low * 16u + lane] = sum_low;
  lane_values[high * 16u + lane] = sum_high;
  // Publishes the lanes' sums.
  workgroupBarrier();
  let total_low = sum_of_row(low);
  let total_high = sum_of_row(high);
  finish(item, head, row0 + low, column, mixed_low, out_factor(largest_low, total_low, head));
  finish(item, head, row0 + high, column, mixed_high, out_factor(largest_high, total_high, head));
  if (HAS_LSE && slice == 0u && lane == 0u) {
    finish_lse(item, head, row0 + low, largest_low, total_low);
    finish_lse(item, head, row0 + high, largest_high, total_high);
  }
}
