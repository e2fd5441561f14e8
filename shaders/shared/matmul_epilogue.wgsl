// What every matmul variant does with four finished sums of a row: scale, bias, activation, gate, residual, store.
// @stand-in begin
const A_SCALE = 1u;
const B_SCALE = 2u;
const HAS_BIAS = true;
const HAS_GATE = true;
const HAS_RESIDUAL = true;
struct Params { m: u32, n: u32, out_pitch: u32, gate_width: u32, gate_start: u32, residual_stride: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_a_scale(i: u32) -> f32 { return 1.0; }
fn load_b_scale(i: u32) -> f32 { return 1.0; }
fn load4_b_scale(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn load4_bias(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load4_gate(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn load4_residual(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn activate(x: vec4<f32>) -> vec4<f32> { return x; }
// @stand-in end
// A_SCALE, B_SCALE: 0 none, 1 per tensor, 2 per row of A or per column of B.
// `column` is a multiple of 4; columns from n on are computed from whatever lies there and never stored.
fn finish(item: u32, row: u32, column: u32, sums: vec4<f32>) {
  if (row >= p.m || column >= p.n) {
    return;
  }
  var y = sums;
  if (A_SCALE == 1u) { y *= load_a_scale(0u); }
  if (A_SCALE == 2u) { y *= load_a_scale(item * p.m + row); }
  if (B_SCALE == 1u) { y *= load_b_scale(0u); }
  if (B_SCALE == 2u) { y *= load4_b_scale(column); }
  if (HAS_BIAS) { y += load4_bias(column); }
  y = activate(y);
  if (HAS_GATE) { y *= load4_gate(item * p.gate_width + p.gate_start + column); }
  if (HAS_RESIDUAL) { y += load4_residual(item * p.residual_stride + row * p.out_pitch + column); }
  store4_out((item * p.m + row) * p.out_pitch + column, y, min(4u, p.n - column));
}
