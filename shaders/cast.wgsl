// Casts: out = encode(decode(x)), by the bits of f32. FORMAT stands for the name of out's format.
// unit: four neighbouring elements of a row. workgroup -> LANES times UNITS of them; invocation -> every LANES-th.
// @stand-in begin
const LANES = 64u;
const UNITS = 1u;
const OUT_BYTES = 2u;
const QUIETS = true;
const PLAIN_NAN = true;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
struct Params { saturate: u32, width: u32, row_units: u32, units: u32, x_pitch: u32, out_pitch: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> out: array<u32>;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn encode_FORMAT_bits(bits: u32, saturate_overflow: bool) -> u32 { return bits; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
const QUIET = 0x00400000u;

// The bits of a number that was decoded: NaN is quiet, and of a format with few of them the plain one.
fn decoded_bits(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let quiet = select(bits | QUIET, (bits & ~MAGNITUDE) | INFINITY | QUIET, PLAIN_NAN);
  return select(bits, quiet, QUIETS && (bits & MAGNITUDE) > INFINITY);
}

// Writes the first `count` of four codes at the elements i (a multiple of 4) and on; the rest of a row's last word becomes
// zero.
fn put(i: u32, codes: vec4<u32>, count: u32) {
  let kept = select(vec4<u32>(0u), codes, vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(count));
  if (OUT_BYTES == 1u) {
    out[i >> 2u] = kept.x | (kept.y << 8u) | (kept.z << 16u) | (kept.w << 24u);
  } else if (OUT_BYTES == 2u) {
    out[i >> 1u] = kept.x | (kept.y << 16u);
    if (count > 2u) { out[(i >> 1u) + 1u] = kept.z | (kept.w << 16u); }
  } else {
    out[i] = kept.x;
    if (count > 1u) { out[i + 1u] = kept.y; }
    if (count > 2u) { out[i + 2u] = kept.z; }
    if (count > 3u) { out[i + 3u] = kept.w; }
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let saturate_overflow = p.saturate == 1u;
  // All is on its way before the first is encoded; units past the last one repeat it.
  // @repeat U UNITS
  let unit_U = (tile * UNITS + U) * LANES + local;
  let row_U = min(unit_U, p.units - 1u) / p.row_units;
  let column_U = (min(unit_U, p.units - 1u) - row_U * p.row_units) * 4u;
  let x_U = load4_x(row_U * p.x_pitch + column_U);
  // @end
  // @repeat U UNITS
  if (unit_U < p.units) {
    let codes = vec4<u32>(encode_FORMAT_bits(decoded_bits(x_U.x), saturate_overflow),
                          encode_FORMAT_bits(decoded_bits(x_U.y), saturate_overflow),
                          encode_FORMAT_bits(decoded_bits(x_U.z), saturate_overflow),
                          encode_FORMAT_bits(decoded_bits(x_U.w), saturate_overflow));
    put(row_U * p.out_pitch + column_U, codes, min(4u, p.width - column_U));
  }
  // @end
}
