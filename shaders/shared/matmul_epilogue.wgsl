// What becomes of four finished sums of a row: scales, bias, activation, gate, residual, store.
// @stand-in begin
alias Total = vec4<f32>;
const a_PER = 1u;
const b_PER = 2u;
const HAS_BIAS = true;
const GATE_FIRST = true;
const HAS_GATE = true;
const HAS_RESIDUAL = true;
const HAS_OUT_SCALE = true;
const SATURATE = true;
const MAX_FINITE = 448.0;
struct Params { m: u32, n: u32, bias_start: u32, out_pitch: u32, out_stride: u32, out_start: u32, gate_width: u32, gate_start: u32, residual_pitch: u32, residual_stride: u32, residual_start: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn scale_a(item: u32, row: u32, depth: u32) -> f32 { return 1.0; }
fn scale4_b(item: u32, row: u32, depth: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn load4_bias(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load4_gate(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn load4_residual(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load_out_scale(i: u32) -> f32 { return 1.0; }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn activate(x: vec4<f32>) -> vec4<f32> { return x; }
// @stand-in end
// `column` is a multiple of 4, of b; columns from n on are computed from whatever lies there and never stored.
fn affine(item: u32, row: u32, column: u32, total: Total) -> vec4<f32> {
  var y = vec4<f32>(total);
  if (a_PER == 1u || a_PER == 2u) { y *= scale_a(item, row, 0u); }
  if (b_PER == 1u || b_PER == 2u) { y *= scale4_b(item, column, 0u); }
  if (HAS_BIAS) { y += load4_bias(p.bias_start + column); }
  return y;
}

fn store(item: u32, row: u32, column: u32, activated: vec4<f32>) {
  var y = activated;
  if (HAS_GATE) { y *= load4_gate(item * p.gate_width + p.gate_start + column); }
  if (HAS_RESIDUAL) { y += load4_residual(item * p.residual_stride + row * p.residual_pitch + p.residual_start + column); }
  if (HAS_OUT_SCALE) { y /= max(load_out_scale(0u), 1.1754943508222875e-38); }
  if (SATURATE) { y = clamp(y, vec4<f32>(-MAX_FINITE), vec4<f32>(MAX_FINITE)); }
  store4_out(item * p.out_stride + row * p.out_pitch + p.out_start + column, y, min(4u, p.n - column));
}

fn finish(item: u32, row: u32, column: u32, total: Total) {
  if (row < p.m && column < p.n) {
    store(item, row, column, activate(affine(item, row, column, total)));
  }
}

// The same for four columns of a pair and their partners n further.
fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) {
  if (row < p.m && column < p.n) {
    let left = affine(item, row, column, first);
    let right = affine(item, row, column + p.n, second);
    if (GATE_FIRST) {
      store(item, row, column, activate(left) * right);
    } else {
      store(item, row, column, left * activate(right));
    }
  }
}
