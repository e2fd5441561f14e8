// Quantizes with a scale for every column of a strip, or of all strips together.
// workgroup -> LANES units, counted along the strips; invocation -> a unit of every row of a strip.
// @stand-in begin
const LANES = 64u;
struct Params { row_units: u32, strips: u32, scale_pitch: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<u32>;
fn word_of(row: u32, unit: u32) -> u32 { return unit; }
fn put(row: u32, unit: u32, codes: vec4<u32>, scale: vec4<u32>, zero: vec4<i32>) { q[unit] = codes.x; }
struct Affine { scale: u32, zero: i32, plain: bool }
struct Factor { inverse: u32, zero: i32 }
fn factor_of(affine: Affine) -> Factor { return Factor(affine.scale, affine.zero); }
fn code_of(bits: u32, factor: Factor, random: u32) -> u32 { return bits; }
fn random_of(word: u32) -> vec4<u32> { return vec4<u32>(word); }
fn affines_of(strip: u32, unit: u32, index: u32) -> array<Affine, 4> { return array<Affine, 4>(); }
fn rows_of(strip: u32) -> vec2<u32> { return vec2<u32>(strip); }
fn bits_of(row: u32, unit: u32) -> vec4<u32> { return vec4<u32>(unit); }
fn existing(unit: u32) -> vec4<bool> { return vec4<bool>(true); }
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
  let unit = item - strip * p.row_units;
  let affines = affines_of(strip, unit, strip * p.scale_pitch + unit * 4u);
  let first = factor_of(affines[0]);
  let second = factor_of(affines[1]);
  let third = factor_of(affines[2]);
  let fourth = factor_of(affines[3]);
  let scale = vec4<u32>(affines[0].scale, affines[1].scale, affines[2].scale, affines[3].scale);
  let zero = vec4<i32>(affines[0].zero, affines[1].zero, affines[2].zero, affines[3].zero);
  let rows = rows_of(strip);
  for (var row = rows.x; row < rows.y; row += 1u) {
    let bits = bits_of(row, unit);
    let random = random_of(word_of(row, unit));
    let codes = vec4<u32>(code_of(bits.x, first, random.x), code_of(bits.y, second, random.y),
                          code_of(bits.z, third, random.z), code_of(bits.w, fourth, random.w));
    let kept = select(vec4<u32>(0u), codes, existing(unit));
    put(row, unit, kept, scale, zero);
  }
}
