// Quantizes to MX blocks: 32 neighbours of a row share a scale, a power of two in a byte. A strip is four blocks, one word
// of scales. A team takes a strip; every invocation has UNITS units of each of its blocks, in registers.
// workgroup -> LANES / TEAM strips, team -> a strip, invocation -> every TEAM-th unit of every block.
// @stand-in begin
const LANES = 64u;
const TEAM = 8u;
const UNITS = 1u;
const DYNAMIC = true;
const LARGEST_EXPONENT = 8u;
struct Params { width: u32, row_units: u32, row_strips: u32, strips: u32, largest_fraction: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<u32>;
fn word_of(row: u32, unit: u32) -> u32 { return unit; }
fn put(row: u32, unit: u32, codes: vec4<u32>, scale: vec4<u32>, zero: vec4<i32>) { q[unit] = codes.x; }
@group(0) @binding(2) var<storage, read_write> scale: array<u32>;
struct Factor { inverse: u32, zero: i32 }
fn factor_from(inverse: u32, zero: i32) -> Factor { return Factor(inverse, zero); }
fn codes_of(bits: vec4<u32>, factor: Factor, word: u32) -> vec4<u32> { return bits; }
fn numbers_at(row: u32, column: u32) -> vec4<f32> { return vec4<f32>(f32(row)); }
fn write_scales(strip: u32, column: u32, codes: vec4<u32>) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;
// @stand-in end
const BLOCK_UNITS = 8u;

struct Affine { scale: u32, zero: i32, plain: bool }

// A component for each block of a strip.
var<workgroup> team_slots: array<vec4<u32>, LANES>;

// The largest of a team. Every invocation of the workgroup must come here.
fn team_largest(local: u32, own: vec4<u32>) -> vec4<u32> {
  if (TEAM == 1u) {
    return own;
  }
  team_slots[local] = own;
  for (var half = TEAM / 2u; half > 0u; half /= 2u) {
    // Publishes the slots written so far: each team's own, then those the step before has merged.
    workgroupBarrier();
    if (local % TEAM < half) {
      team_slots[local] = max(team_slots[local], team_slots[local + half]);
    }
  }
  // Publishes every team's first slot.
  workgroupBarrier();
  return team_slots[local / TEAM * TEAM];
}

// Which of a unit's four elements exist.
fn existing(unit: u32) -> vec4<bool> {
  return vec4<u32>(unit * 4u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.width);
}

fn bits_of(row: u32, unit: u32) -> vec4<u32> {
  return select(vec4<u32>(0u), bitcast<vec4<u32>>(numbers_at(row, unit * 4u)), existing(unit));
}

// The largest magnitude with four more numbers, by bits. NaN, infinities and subnormals are left out.
fn larger(so_far: u32, bits: vec4<u32>) -> u32 {
  let magnitude = bits & vec4<u32>(MAGNITUDE);
  let usable = (magnitude >= vec4<u32>(MIN_NORMAL)) & (magnitude < vec4<u32>(INFINITY));
  let kept = select(vec4<u32>(0u), magnitude, usable);
  return max(so_far, max(max(kept.x, kept.y), max(kept.z, kept.w)));
}

// The biased exponent of a block's scale: that of the largest magnitude, less that of the format's largest number.
fn scale_code(amax: u32) -> u32 {
  let exponent = (amax >> 23u) + select(0u, 1u, (amax & 0x7fffffu) > p.largest_fraction);
  let code = clamp(exponent, LARGEST_EXPONENT + 1u, LARGEST_EXPONENT + 254u) - LARGEST_EXPONENT;
  return select(code, 127u, amax == 0u);
}

// 2^-e for the scale 2^e. Code 0 counts as 1; the inverse of 2^127 is subnormal and counts as 0.
fn power_factor(code: u32) -> Factor {
  return factor_from(select((254u - clamp(code, 1u, 254u)) << 23u, INFINITY + 1u, code == 255u), 0);
}

// The f32 of a scale by its bits; that of code 0, 2^-127, is subnormal, and 255 is NaN.
fn scale_of(code: u32) -> u32 {
  return select(select(code << 23u, 0x00400000u, code == 0u), INFINITY + 1u, code == 255u);
}

fn store(row: u32, unit: u32, bits: vec4<u32>, factor: Factor, code: u32) {
  let kept = select(vec4<u32>(0u), codes_of(bits, factor, word_of(row, unit)), existing(unit));
  if (unit < p.row_units) {
    put(row, unit, kept, vec4<u32>(scale_of(code)), vec4<i32>(0));
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let strip = tile * (LANES / TEAM) + local / TEAM;
  // Strips past the last one read the last one again, and take part in the barriers.
  let within = min(strip, p.strips - 1u);
  let row = within / p.row_strips;
  let column = within - row * p.row_strips;
  let first = column * 4u * BLOCK_UNITS + local % TEAM;
  // @repeat B 4
  // @repeat U UNITS
  let bits_B_U = bits_of(row, first + B * BLOCK_UNITS + U * TEAM);
  // @end
  // @end
  var codes = vec4<u32>(0u);
  if (DYNAMIC) {
    var own = vec4<u32>(0u);
    // @repeat B 4
    // @repeat U UNITS
    own[B] = larger(own[B], bits_B_U);
    // @end
    // @end
    let largest = team_largest(local, own);
    codes = vec4<u32>(scale_code(largest.x), scale_code(largest.y), scale_code(largest.z), scale_code(largest.w));
  } else {
    codes = (vec4<u32>(scale[within]) >> vec4<u32>(0u, 8u, 16u, 24u)) & vec4<u32>(0xffu);
  }
  if (strip >= p.strips) {
    return;
  }
  // @repeat B 4
  let factor_B = power_factor(codes[B]);
  // @repeat U UNITS
  store(row, first + B * BLOCK_UNITS + U * TEAM, bits_B_U, factor_B, codes[B]);
  // @end
  // @end
  if (DYNAMIC && local % TEAM == 0u) {
    write_scales(strip, column, codes);
  }
}
