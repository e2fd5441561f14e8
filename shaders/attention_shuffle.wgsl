// Attention for adapters that are CPUs with subgroups of 8: online softmax over blocks of 8 keys, no barriers, no workgroup
// memory.
// workgroup -> 8 QUERIES queries of one head, 64 columns of their values; more columns recompute the scores.
// invocation -> QUERIES queries. Its lane loads a key of the block, or columns of a value, and shuffles by a value spread
// them to all: that costs an instruction where a load from a common address costs a dozen.
// @stand-in begin
const HIDES = true;
const HAS_MASK = false;
const HAS_BIAS = false;
const HAS_LSE = true;
const HEAD_HAS_TAIL = true;
const QUERIES = 2u;
const VALUE_LOADS = 2u;
const VALUE_LANES = 8u;
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
fn along(q: vec4<f32>, k: vec4<f32>, sum: f32) -> f32 {
  return fma(q.w, k.w, fma(q.z, k.z, fma(q.y, k.y, fma(q.x, k.x, sum))));
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let slice = tile % p.slices;
  let row0 = tile / p.slices % p.tiles_q * (8u * QUERIES);
  let item = tile / (p.slices * p.tiles_q) / p.heads;
  let head = tile / (p.slices * p.tiles_q) % p.heads;
  let column = slice * 64u;
  let k_head = k_start(item, head / p.heads_per_kv);
  let v_head = v_start(item, head / p.heads_per_kv);
  let factor = logit_factor();
  // Zero, which the compiler cannot know: a shuffle by a constant would be two instructions.
  let unknown_zero = local & (p.seq_q >> 31u);
  // @repeat L 8
  let lane_L = unknown_zero + L;
  // @end
  // Queries from seq_q on repeat the last one; they see no key and are never stored.
  // @repeat Q QUERIES
  let row_Q = row0 + Q * 8u + local;
  let q_row_Q = q_start(item, head) + min(row_Q, p.seq_q - 1u) * p.q_seq;
  var largest_Q = LOWEST;
  var sum_Q = 0.0;
  // @repeat G VALUE_LOADS
  // @repeat L VALUE_LANES
  var mix_Q_G_L = vec4<f32>(0.0);
  // @end
  // @end
  // @end

  let last = p.seq_kv - 1u;
  let whole = p.head_dim / 4u * 4u;
  // Keys that no query of the tile may see are left out.
  let key_end = visible_end(row0 + 8u * QUERIES);
  for (var key = 0u; key < key_end; key += 8u) {
    // Keys past the end repeat the last one; they are hidden.
    let k_row = k_head + min(key + local, last) * p.k_seq;
    // @repeat Q QUERIES
    // @repeat J 8
    var x_Q_J = 0.0;
    // @end
    // @end
    for (var dim = 0u; dim < whole; dim += 4u) {
      let k_own = k4(k_row, dim);
      // @repeat Q QUERIES
      let q_Q = q4(q_row_Q, dim);
      // @end
      // @repeat J 8
      let k_J = vec4<f32>(subgroupShuffle(k_own.x, lane_J), subgroupShuffle(k_own.y, lane_J),
                          subgroupShuffle(k_own.z, lane_J), subgroupShuffle(k_own.w, lane_J));
      // @repeat Q QUERIES
      x_Q_J = along(q_Q, k_J, x_Q_J);
      // @end
      // @end
    }
    if (HEAD_HAS_TAIL) {
      let k_own = within_head(whole, k4(k_row, whole));
      // @repeat Q QUERIES
      let q_Q = within_head(whole, q4(q_row_Q, whole));
      // @end
      // @repeat J 8
      let k_J = vec4<f32>(subgroupShuffle(k_own.x, lane_J), subgroupShuffle(k_own.y, lane_J),
                          subgroupShuffle(k_own.z, lane_J), subgroupShuffle(k_own.w, lane_J));
      // @repeat Q QUERIES
      x_Q_J = along(q_Q, k_J, x_Q_J);
      // @end
      // @end
    }
    // @repeat Q QUERIES
    let before_Q = largest_Q;
    // @repeat J 8
    let logit_Q_J = logit(x_Q_J, factor, item, head, row_Q, key + J);
    largest_Q = max(largest_Q, logit_Q_J.value);
    // @end
    let rescale_Q = weight(before_Q, largest_Q);
    sum_Q *= rescale_Q;
    // Hidden keys weigh nothing, by choice and not by arithmetic.
    // @repeat J 8
    let w_Q_J = select(0.0, weight(logit_Q_J.value, largest_Q), logit_Q_J.visible);
    sum_Q += w_Q_J;
    // @end
    // @repeat G VALUE_LOADS
    // @repeat L VALUE_LANES
    mix_Q_G_L *= rescale_Q;
    // @end
    // @end
    // @end
    // Where nothing is ever hidden, a key past the end is a visible one again, of no weight.
    if (!HIDES || (!HAS_MASK && !HAS_BIAS && sees_all(row0, key + 8u))) {
      // @repeat J 8
      // @repeat G VALUE_LOADS
      let v_J_G = v4(v_head + min(key + J, last) * p.v_seq, column + G * 32u + local * 4u);
      // @end
      // @repeat G VALUE_LOADS
      // @repeat L VALUE_LANES
      let v_J_G_L = vec4<f32>(subgroupShuffle(v_J_G.x, lane_L), subgroupShuffle(v_J_G.y, lane_L),
                              subgroupShuffle(v_J_G.z, lane_L), subgroupShuffle(v_J_G.w, lane_L));
      // @repeat Q QUERIES
      mix_Q_G_L += w_Q_J * v_J_G_L;
      // @end
      // @end
      // @end
      // @end
    } else {
      // A hidden value may be NaN, and 0 * NaN is NaN.
      // @repeat J 8
      // @repeat G VALUE_LOADS
      let h_J_G = v4(v_head + min(key + J, last) * p.v_seq, column + G * 32u + local * 4u);
      // @repeat L VALUE_LANES
      let h_J_G_L = vec4<f32>(subgroupShuffle(h_J_G.x, lane_L), subgroupShuffle(h_J_G.y, lane_L),
                              subgroupShuffle(h_J_G.z, lane_L), subgroupShuffle(h_J_G.w, lane_L));
      // @repeat Q QUERIES
      mix_Q_G_L += w_Q_J * select(vec4<f32>(0.0), h_J_G_L, vec4<bool>(w_Q_J > 0.0));
      // @end
      // @end
      // @end
      // @end
    }
  }

  // @repeat Q QUERIES
  let out_scale_Q = out_factor(largest_Q, sum_Q, head);
  // @repeat G VALUE_LOADS
  // @repeat L VALUE_LANES
  finish(item, head, row_Q, column + G * 32u + L * 4u, mix_Q_G_L, out_scale_Q);
  // @end
  // @end
  if (HAS_LSE && slice == 0u) {
    finish_lse(item, head, row_Q, largest_Q, sum_Q);
  }
  // @end
}
