// Joins the scales and the sinks into one buffer: with every option in use, the tensors of attention are one more
// than the 8 storage buffers that WebGPU promises.
// workgroup -> 64 numbers; invocation -> one.
// @stand-in begin
struct Params { heads: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
fn load_scales(i: u32) -> f32 { return 0.0; }
fn load_sinks(i: u32) -> f32 { return 0.0; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let i = unfold(group, groups) * 64u + local;
  if (i < 3u) {
    scratch[i] = bitcast<u32>(load_scales(i));
  } else if (i < 3u + p.heads) {
    scratch[i] = bitcast<u32>(load_sinks(i - 3u));
  }
}
