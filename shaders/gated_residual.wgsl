// A residual plus a gated branch.
// workgroup -> 64 groups of four columns, row after row; invocation -> one such group.
// @stand-in begin
const HAS_GATE = true;
struct Params { rows: u32, width: u32, x_pitch: u32, out_pitch: u32, gate_width: u32, gate_start: u32,
                quads_per_row: u32, quads: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_residual(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_gate(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let quad = unfold(group, groups) * 64u + local;
  if (quad >= p.quads) {
    return;
  }
  let row = quad / p.quads_per_row;
  let column = quad % p.quads_per_row * 4u;
  var y = load4_x(row * p.x_pitch + column);
  if (HAS_GATE) { y *= load4_gate(row / p.rows * p.gate_width + p.gate_start + column); }
  let at = row * p.out_pitch + column;
  store4_out(at, load4_residual(at) + y, min(4u, p.width - column));
}
