// The first of the two dispatches that quantize by column with scales of its own: the extremes of every strip.
// workgroup -> LANES units, counted along the strips; invocation -> a unit of a strip, eight words of scratch.
// @stand-in begin
const LANES = 64u;
struct Params { partials_start: u32, row_units: u32, strips: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
struct FourExtremes { positive: vec4<u32>, negative: vec4<u32> }
fn strip_extremes(strip: u32, unit: u32) -> FourExtremes { return FourExtremes(vec4<u32>(strip), vec4<u32>(unit)); }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let item = unfold(group, groups) * LANES + local;
  let strip = item / p.row_units;
  if (strip >= p.strips) {
    return;
  }
  let found = strip_extremes(strip, item - strip * p.row_units);
  for (var column = 0u; column < 4u; column += 1u) {
    scratch[p.partials_start + item * 8u + column] = found.positive[column];
    scratch[p.partials_start + item * 8u + 4u + column] = found.negative[column];
  }
}
