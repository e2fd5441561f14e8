// Joins the small tensors of attention into one buffer: with every option in use the tensors are more than the 8 storage
// buffers that WebGPU promises.
// workgroup -> 64 elements of each tensor; invocation -> one of each.
// @stand-in begin
struct Params {
  groups: u32,
  sinks_at: u32, sinks_len: u32, q_scale_at: u32, q_scale_len: u32,
  k_scale_at: u32, k_scale_len: u32, v_scale_at: u32, v_scale_len: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
fn load_sinks(i: u32) -> f32 { return 0.0; }
fn load_q_scale(i: u32) -> f32 { return 0.0; }
fn load_k_scale(i: u32) -> f32 { return 0.0; }
fn load_v_scale(i: u32) -> f32 { return 0.0; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let i = unfold(group, groups) * 64u + local;
  if (i < p.sinks_len) { scratch[p.sinks_at + i] = bitcast<u32>(load_sinks(i)); }
  if (i < p.q_scale_len) { scratch[p.q_scale_at + i] = bitcast<u32>(load_q_scale(i)); }
  if (i < p.k_scale_len) { scratch[p.k_scale_at + i] = bitcast<u32>(load_k_scale(i)); }
  if (i < p.v_scale_len) { scratch[p.v_scale_at + i] = bitcast<u32>(load_v_scale(i)); }
}
