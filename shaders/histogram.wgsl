// Counts numbers by the upper halves of their f32, and widens a range.
// workgroup -> p.group_units neighbouring units of four elements; invocation -> every 64th of them.
// @stand-in begin
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;
struct Params { width: u32, row_units: u32, units: u32, group_units: u32, x_pitch: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> range: array<atomic<u32>>;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
// The bin of a number by its bits: their upper half; of NaN the quiet one's of its sign.
fn bin(bits: u32) -> u32 {
  return select(bits >> 16u, ((bits >> 16u) & 0x8000u) | 0x7fc0u, (bits & MAGNITUDE) > INFINITY);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  // The bits of the largest magnitude of the positive numbers, and of the negative ones: they order like the magnitudes.
  var positive = vec4<u32>(0u);
  var negative = vec4<u32>(0u);
  let start = tile * p.group_units;
  let end = min(start + p.group_units, p.units);
  for (var unit = start + local; unit < end; unit += 64u) {
    let row = unit / p.row_units;
    let column = (unit - row * p.row_units) * 4u;
    let bits = bitcast<vec4<u32>>(load4_x(row * p.x_pitch + column));
    let exists = vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.width);
    atomicAdd(&counts[bin(bits.x)], 1u);
    if (exists.y) { atomicAdd(&counts[bin(bits.y)], 1u); }
    if (exists.z) { atomicAdd(&counts[bin(bits.z)], 1u); }
    if (exists.w) { atomicAdd(&counts[bin(bits.w)], 1u); }
    let magnitude = bits & vec4<u32>(MAGNITUDE);
    let usable = exists & (magnitude >= vec4<u32>(MIN_NORMAL)) & (magnitude < vec4<u32>(INFINITY));
    positive = max(positive, select(vec4<u32>(0u), magnitude, usable & (bits == magnitude)));
    negative = max(negative, select(vec4<u32>(0u), magnitude, usable & (bits != magnitude)));
  }
  atomicMax(&range[0], max(max(positive.x, positive.y), max(positive.z, positive.w)));
  atomicMax(&range[1], max(max(negative.x, negative.y), max(negative.z, negative.w)));
}
