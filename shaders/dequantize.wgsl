// Dequantizes: out = (q - zero point) * scale.
// workgroup -> 64 units of four neighbouring elements of a row; invocation -> one unit.
// @stand-in begin
const PER_ROW = true;
const HAS_ZERO = true;
const WHOLE_UNITS = false;
struct Params { width: u32, row_units: u32, units: u32, q_pitch: u32, out_pitch: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_q(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load_scale(i: u32) -> f32 { return f32(i); }
fn load_zero_point(i: u32) -> f32 { return f32(i); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
const SIGN = 0x80000000u;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  let unit = tile * 64u + local;
  if (tile >= p.groups || unit >= p.units) {
    return;
  }
  // Rows of whole units have no gaps between them. Divisions cost more than all the rest on a CPU.
  var row = 0u;
  if (PER_ROW || !WHOLE_UNITS) {
    row = unit / p.row_units;
  }
  let column = (unit - row * p.row_units) * 4u;
  let count = select(min(4u, p.width - column), 4u, WHOLE_UNITS);
  let index = select(0u, row, PER_ROW);
  let scale = load_scale(index);
  let scale_sign = vec4<u32>(bitcast<u32>(scale) & SIGN);
  let stored = bitcast<vec4<u32>>(load4_q(row * p.q_pitch + column));
  let magnitude = stored & vec4<u32>(MAGNITUDE);
  // NaN and infinity are not computed with, and subnormals count as zero: all three become zeros of their sign here.
  let ordinary = (magnitude >= vec4<u32>(MIN_NORMAL)) & (magnitude < vec4<u32>(INFINITY));
  var value = bitcast<vec4<f32>>(select(stored & vec4<u32>(SIGN), stored, ordinary));
  if (HAS_ZERO) {
    value -= load_zero_point(index);
  }
  // WGSL lets the sign of a zero go, so it is put on by bits.
  let bits = bitcast<vec4<u32>>(value);
  let product = bitcast<vec4<u32>>(bitcast<vec4<f32>>(bits & vec4<u32>(MAGNITUDE)) * abs(scale));
  var result = ((bits & vec4<u32>(SIGN)) ^ scale_sign) | (product & vec4<u32>(MAGNITUDE));
  // NaN stays as it is, infinity takes the scale's sign.
  result = select(result, stored ^ scale_sign, magnitude == vec4<u32>(INFINITY));
  result = select(result, stored, magnitude > vec4<u32>(INFINITY));
  store4_out(row * p.out_pitch + column, bitcast<vec4<f32>>(result), count);
}
