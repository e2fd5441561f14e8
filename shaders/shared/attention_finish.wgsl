// What attention does with the sums of a query when it has seen all keys: sink, division, scale, store.
// @stand-in begin
const IN_LOG2 = false;
const LN_2 = 0.693147180559945;
const HAS_SINKS = true;
const HAS_LSE = true;
const COLUMNS_HAVE_TAIL = true;
const HAS_V_SCALE = true;
const V_SCALE_BY_KEY = false;
struct Params {
  heads: u32, seq_q: u32, v_dim: u32,
  out_offset: u32, out_batch: u32, out_head: u32, out_seq: u32,
  v_scale_batch: u32, v_scale_head: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
struct Place { item: u32, kv_head: u32 }
struct Row { exists: bool, query: u32, head: u32 }
fn load_sinks(i: u32) -> f32 { return 0.0; }
fn load_v_scale(i: u32) -> f32 { return 1.0; }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn store_bits_lse(i: u32, bits: u32) { }
// @stand-in end
// exp(x - largest) of an x that is not above `largest`; below exp(-100) the weight is no f32.
fn weight(x: f32, largest: f32) -> f32 {
  return exp(max(x - largest, -100.0));
}

// What the weighted sum of the values is multiplied by. `sum` is the sum of the weights relative to the largest logit:
// at least 1 up to rounding, unless the query sees no key, when it is 0.
fn out_factor(place: Place, row: Row, largest: f32, sum: f32) -> f32 {
  let any = sum > 0.0;
  var numerator = 1.0;
  var denominator = select(1.0, sum, any);
  if (HAS_SINKS) {
    let natural = select(largest, largest * LN_2, IN_LOG2);
    let sink = load_sinks(row.head);
    let overall = select(sink, max(natural, sink), any);
    numerator = weight(natural, overall);
    denominator = denominator * numerator + weight(sink, overall);
  }
  if (HAS_V_SCALE && !V_SCALE_BY_KEY) {
    numerator *= load_v_scale(place.item * p.v_scale_batch + place.kv_head * p.v_scale_head);
  }
  return select(0.0, numerator / denominator, any);
}

// Writes the four columns of a query's row from `column` on, of those that exist.
fn finish(place: Place, row: Row, column: u32, sums: vec4<f32>, factor: f32) {
  if (!row.exists || column >= p.v_dim) {
    return;
  }
  let start = p.out_offset + place.item * p.out_batch + row.head * p.out_head + row.query * p.out_seq;
  var count = 4u;
  if (COLUMNS_HAVE_TAIL) { count = min(4u, p.v_dim - column); }
  store4_out(start + column, sums * factor, count);
}

// Writes the logarithm of the sum of the exponentials; minus infinity, by its bits, for a query that sees no key.
fn finish_row(place: Place, row: Row, largest: f32, sum: f32) {
  if (HAS_LSE && row.exists) {
    let any = sum > 0.0;
    let natural = select(largest, largest * LN_2, IN_LOG2);
    let bits = bitcast<u32>(natural + log(select(1.0, sum, any)));
    store_bits_lse((place.item * p.heads + row.head) * p.seq_q + row.query, select(0xff800000u, bits, any));
  }
}
