// An element-wise function.
// workgroup -> 64 groups of four columns, row after row; invocation -> one such group.
// @stand-in begin
struct Params { width: u32, x_pitch: u32, out_pitch: u32, quads_per_row: u32, quads: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn activate(x: vec4<f32>) -> vec4<f32> { return x; }
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
  let y = activate(load4_x(row * p.x_pitch + column));
  store4_out(row * p.out_pitch + column, y, min(4u, p.width - column));
}
