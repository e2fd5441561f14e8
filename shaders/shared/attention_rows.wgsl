// Reads four elements of a row of q, k or v, wherever its view stands.
// @stand-in begin
const Q_ON_WORDS = true;
const K_ON_WORDS = true;
const V_ON_WORDS = true;
struct Params {
  head_dim: u32,
  q_offset: u32, q_batch: u32, q_head: u32, q_seq: u32,
  k_offset: u32, k_batch: u32, k_head: u32, k_seq: u32,
  v_offset: u32, v_batch: u32, v_head: u32, v_seq: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
fn load_q(i: u32) -> f32 { return 0.0; }
fn load_k(i: u32) -> f32 { return 0.0; }
fn load_v(i: u32) -> f32 { return 0.0; }
fn load4_q(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load4_k(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load4_v(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
// @stand-in end
// Where a head starts; a row is `seq` elements further.
fn q_start(item: u32, head: u32) -> u32 { return p.q_offset + item * p.q_batch + head * p.q_head; }
fn k_start(item: u32, head: u32) -> u32 { return p.k_offset + item * p.k_batch + head * p.k_head; }
fn v_start(item: u32, head: u32) -> u32 { return p.v_offset + item * p.v_batch + head * p.v_head; }

// Elements from head_dim on count as zero whatever lies there.
fn within_head(dim: u32, loaded: vec4<f32>) -> vec4<f32> {
  return select(vec4<f32>(0.0), loaded, vec4<u32>(dim) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.head_dim));
}

fn q4(row_start: u32, dim: u32) -> vec4<f32> {
  let i = row_start + dim;
  if (Q_ON_WORDS) { return within_head(dim, load4_q(i)); }
  return within_head(dim, vec4<f32>(load_q(i), load_q(i + 1u), load_q(i + 2u), load_q(i + 3u)));
}

fn k4(row_start: u32, dim: u32) -> vec4<f32> {
  let i = row_start + dim;
  if (K_ON_WORDS) { return within_head(dim, load4_k(i)); }
  return within_head(dim, vec4<f32>(load_k(i), load_k(i + 1u), load_k(i + 2u), load_k(i + 3u)));
}

// Columns from v_dim on hold whatever lies there; their sums are never stored.
fn v4(row_start: u32, column: u32) -> vec4<f32> {
  let i = row_start + column;
  if (V_ON_WORDS) { return load4_v(i); }
  return vec4<f32>(load_v(i), load_v(i + 1u), load_v(i + 2u), load_v(i + 3u));
}
