// How much a tensor has changed: the share of each workgroup.
// invocation -> every `lanes`-th group of four numbers; the workgroup's two sums to the scratch.
// @stand-in begin
const LANES = 64u;
struct Params { elements: u32, lanes: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_y(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn sum_of_lanes(local: u32, mine: vec2<f32>) -> vec2<f32> { return mine; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  var changes = vec4<f32>(0.0);
  var sizes = vec4<f32>(0.0);
  for (var i = (tile * LANES + local) * 4u; i < p.elements; i += p.lanes * 4u) {
    // Behind the end the loads give whatever is there, which does not count.
    let inside = vec4<u32>(i) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.elements);
    let y = load4_y(i);
    changes += select(vec4<f32>(0.0), abs(load4_x(i) - y), inside);
    sizes += select(vec4<f32>(0.0), abs(y), inside);
  }
  let mine = vec2<f32>(changes.x + changes.y + changes.z + changes.w, sizes.x + sizes.y + sizes.z + sizes.w);
  let sums = sum_of_lanes(local, mine);
  if (local == 0u) {
    scratch[2u * tile] = bitcast<u32>(sums.x);
    scratch[2u * tile + 1u] = bitcast<u32>(sums.y);
  }
}
