// What every attention variant does with the sums of a query: sink, division, scale, store.
// @stand-in begin
const HAS_SINKS = true;
const HAS_SCALES = true;
struct Params { heads: u32, seq_q: u32, v_dim: u32, out_offset: u32, out_batch: u32, out_head: u32, out_seq: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_sinks(i: u32) -> f32 { return 0.0; }
fn load_scales(i: u32) -> f32 { return 1.0; }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn store_bits_lse(i: u32, bits: u32) { }
fn weight(x: f32, largest: f32) -> f32 { return exp(x - largest); }
// @stand-in end
// What the weighted sum of the values is multiplied by. `sum` is the sum of the weights relative to the largest logit:
// at least 1 up to rounding, unless the query sees no key, when it is 0.
fn out_factor(largest: f32, sum: f32, head: u32) -> f32 {
  let any = sum > 0.0;
  var numerator = 1.0;
  var denominator = select(1.0, sum, any);
  if (HAS_SINKS) {
    let sink = load_sinks(head);
    let overall = select(sink, max(largest, sink), any);
    numerator = weight(largest, overall);
    denominator = denominator * numerator + weight(sink, overall);
  }
  if (HAS_SCALES) { numerator *= load_scales(2u); }
  return select(0.0, numerator / denominator, any);
}

// Writes the four columns of a query's row from `column` on, of those that exist.
fn finish(item: u32, head: u32, row: u32, column: u32, sums: vec4<f32>, factor: f32) {
  if (row >= p.seq_q || column >= p.v_dim) {
    return;
  }
  let start = p.out_offset + item * p.out_batch + head * p.out_head + row * p.out_seq;
  store4_out(start + column, sums * factor, min(4u, p.v_dim - column));
}

// Writes the logarithm of the sum of the exponentials; minus infinity, by its bits, for a query that sees no key.
fn finish_lse(item: u32, head: u32, row: u32, largest: f32, sum: f32) {
  if (row < p.seq_q) {
    let any = sum > 0.0;
    let bits = bitcast<u32>(largest + log(select(1.0, sum, any)));
    store_bits_lse((item * p.heads + head) * p.seq_q + row, select(0xff800000u, bits, any));
  }
}
