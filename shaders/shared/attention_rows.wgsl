// Reads four elements of a row of q, k or v, wherever its view stands, and the scales.
// @stand-in begin
const Q_ON_WORDS = true;
const K_ON_WORDS = true;
const V_ON_WORDS = true;
const HEAD_HAS_TAIL = true;
const HAS_Q_SCALE = true;
const HAS_K_SCALE = true;
const K_SCALE_BY_KEY = true;
const V_SCALE_BY_KEY = true;
struct Params {
  head_dim: u32, scale: f32,
  q_offset: u32, q_batch: u32, q_head: u32, q_seq: u32,
  k_offset: u32, k_batch: u32, k_head: u32, k_seq: u32,
  v_offset: u32, v_batch: u32, v_head: u32, v_seq: u32,
  q_scale_batch: u32, q_scale_head: u32, q_scale_seq: u32,
  k_scale_batch: u32, k_scale_head: u32, k_scale_seq: u32,
  v_scale_batch: u32, v_scale_head: u32, v_scale_seq: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
struct Place { item: u32, kv_head: u32, key_end: u32 }
struct Row { query: u32, head: u32 }
fn load_q(i: u32) -> f32 { return 0.0; }
fn load_k(i: u32) -> f32 { return 0.0; }
fn load_v(i: u32) -> f32 { return 0.0; }
fn load4_q(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load4_k(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load4_v(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load_q_scale(i: u32) -> f32 { return 1.0; }
fn load_k_scale(i: u32) -> f32 { return 1.0; }
fn load_v_scale(i: u32) -> f32 { return 1.0; }
// @stand-in end
// Where a row of q starts.
fn q_row(place: Place, row: Row) -> u32 {
  return p.q_offset + place.item * p.q_batch + row.head * p.q_head + row.query * p.q_seq;
}

// Where the keys and the values of a head start; a row is `seq` elements further.
fn k_start(place: Place) -> u32 { return p.k_offset + place.item * p.k_batch + place.kv_head * p.k_head; }
fn v_start(place: Place) -> u32 { return p.v_offset + place.item * p.v_batch + place.kv_head * p.v_head; }

// Elements from head_dim on count as zero whatever lies there.
fn within_head(dim: u32, loaded: vec4<f32>) -> vec4<f32> {
  if (!HEAD_HAS_TAIL) { return loaded; }
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

// What the dot products of a row are multiplied by, but for scales that keys have of their own.
fn logit_factor(place: Place, row: Row) -> f32 {
  var factor = p.scale;
  if (HAS_Q_SCALE) {
    factor *= load_q_scale(place.item * p.q_scale_batch + row.head * p.q_scale_head + row.query * p.q_scale_seq);
  }
  if (HAS_K_SCALE && !K_SCALE_BY_KEY) {
    factor *= load_k_scale(place.item * p.k_scale_batch + place.kv_head * p.k_scale_head);
  }
  return factor;
}

// The scales of four keys, of those before the end.
fn key_scales(place: Place, keys: vec4<u32>) -> vec4<f32> {
  if (!K_SCALE_BY_KEY) { return vec4<f32>(1.0); }
  let start = place.item * p.k_scale_batch + place.kv_head * p.k_scale_head;
  let at = start + min(keys, vec4<u32>(place.key_end - 1u)) * p.k_scale_seq;
  return vec4<f32>(load_k_scale(at.x), load_k_scale(at.y), load_k_scale(at.z), load_k_scale(at.w));
}

// The scales of the values of four keys.
fn value_scales(place: Place, keys: vec4<u32>) -> vec4<f32> {
  if (!V_SCALE_BY_KEY) { return vec4<f32>(1.0); }
  let start = place.item * p.v_scale_batch + place.kv_head * p.v_scale_head;
  let at = start + min(keys, vec4<u32>(place.key_end - 1u)) * p.v_scale_seq;
  return vec4<f32>(load_v_scale(at.x), load_v_scale(at.y), load_v_scale(at.z), load_v_scale(at.w));
}
