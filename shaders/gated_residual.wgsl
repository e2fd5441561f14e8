// A residual plus a gated branch.
// unit: four columns of a row. workgroup -> LANES times UNITS of them; invocation -> every LANES-th.
// @stand-in begin
const LANES = 64u;
const UNITS = 1u;
const HAS_GATE = true;
struct Params { rows: u32, width: u32, x_pitch: u32, out_pitch: u32, gate_width: u32, gate_start: u32,
                quads_per_row: u32, units: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_residual(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_gate(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let first = unfold(group, groups) * (UNITS * LANES) + local;
  // All is on its way before the first is added; units past the last one repeat it.
  // @repeat U UNITS
  let unit_U = min(first + U * LANES, p.units - 1u);
  let row_U = unit_U / p.quads_per_row;
  let column_U = unit_U % p.quads_per_row * 4u;
  let at_U = row_U * p.out_pitch + column_U;
  var y_U = load4_x(row_U * p.x_pitch + column_U);
  let residual_U = load4_residual(at_U);
  if (HAS_GATE) { y_U *= load4_gate(row_U / p.rows * p.gate_width + p.gate_start + column_U); }
  // @end
  // @repeat U UNITS
  if (first + U * LANES < p.units) {
    store4_out(at_U, residual_U + y_U, min(4u, p.width - column_U));
  }
  // @end
}
