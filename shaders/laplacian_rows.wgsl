// The Laplacian, portable: the sum of neighbour differences.
// workgroup -> 64 quads of cells; invocation -> four columns of four rows.
// @stand-in begin
struct Params { quads: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn walk(quad: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
fn finish(centre: vec4<f32>, change: vec4<f32>) -> vec4<f32> {
  return change;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let quad = tile * 64u + local;
  if (quad < p.quads) {
    walk(quad);
  }
}
