// Classifier-free guidance and the sampler's Euler step. Rows of F32 have no padding, so the samples are one line.
// workgroup -> 256 numbers; invocation -> four.
// @stand-in begin
const GUIDED = true;
struct Params { elements: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_velocity(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load_factors(i: u32) -> f32 { return f32(i); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let i = (unfold(group, groups) * 64u + local) * 4u;
  if (i >= p.elements) {
    return;
  }
  var v = load4_velocity(i);
  if (GUIDED) {
    let unconditional = load4_velocity(p.elements + i);
    v = unconditional + load_factors(0u) * (v - unconditional);
  }
  store4_out(i, load4_x(i) + load_factors(1u) * v, min(4u, p.elements - i));
}
