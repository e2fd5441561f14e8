// The first of the two dispatches that quantize a tensor by one scale of its own: the extremes of its parts.
// workgroup -> p.group_units neighbouring units; invocation -> every LANES-th of them; team -> three words of scratch.
// @stand-in begin
const LANES = 64u;
const TEAM = 64u;
struct Params { partials_start: u32, units: u32, group_units: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
struct Region { start: u32, end: u32, row: u32, row_end: u32 }
alias Extremes = vec3<u32>;
fn extremes_of(region: Region) -> Extremes { return Extremes(region.start); }
fn team_extremes(local: u32, own: Extremes) -> Extremes { return own; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let start = tile * p.group_units;
  let own = extremes_of(Region(start + local, min(start + p.group_units, p.units), 0u, 1u));
  let extremes = team_extremes(local, own);
  if (local % TEAM == 0u) {
    let word = p.partials_start + (tile * LANES + local) / TEAM * 3u;
    scratch[word] = extremes.x;
    scratch[word + 1u] = extremes.y;
    scratch[word + 2u] = extremes.z;
  }
}
