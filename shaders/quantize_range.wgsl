// What all quantize shaders share: reading x by units, and the extremes of a stretch of it.
// A unit is four neighbouring elements of a row, one word of codes; the last unit of a row may have fewer.
// A team is TEAM neighbouring invocations of a workgroup that work on the same row (or on the whole tensor).
// @stand-in begin
const LANES = 64u;
const TEAM = 8u;
const ASYMMETRIC = true;
const WHOLE_UNITS = false;
struct Params { width: u32, x_pitch: u32, row_units: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
// @stand-in end
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;

// A scale by its bits, and a zero point.
struct Affine { scale: u32, zero: i32 }

// Units start, start + step, .. below end.
struct Stretch { start: u32, end: u32, step: u32 }

var<workgroup> team_slots: array<vec2<u32>, LANES>;

// Which of the unit's four elements exist. WHOLE_UNITS: the width is a multiple of 4, so all do.
fn existing(unit: u32) -> vec4<bool> {
  if (WHOLE_UNITS) {
    return vec4<bool>(true);
  }
  let column = unit % p.row_units * 4u;
  return vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.width);
}

// The bits of a unit's elements; whatever lies past the row's end where they do not exist.
fn bits_of(unit: u32) -> vec4<u32> {
  // Divisions cost more than all the rest on a CPU; rows of whole units have no gaps between them.
  if (WHOLE_UNITS) {
    return bitcast<vec4<u32>>(load4_x(unit * 4u));
  }
  let row = unit / p.row_units;
  return bitcast<vec4<u32>>(load4_x(row * p.x_pitch + (unit - row * p.row_units) * 4u));
}

// The bits of the largest magnitude among the positive elements, and among the negative ones; where ASYMMETRIC is false
// all count as positive. NaN, infinities and subnormals are left out; without any element the magnitude is 0.
// Magnitudes order like their bits.
fn extremes_of(stretch: Stretch) -> vec2<u32> {
  var positive = vec4<u32>(0u);
  var negative = vec4<u32>(0u);
  for (var unit = stretch.start; unit < stretch.end; unit += stretch.step) {
    let bits = bits_of(unit);
    let magnitude = bits & vec4<u32>(MAGNITUDE);
    let usable = existing(unit) & (magnitude >= vec4<u32>(MIN_NORMAL)) & (magnitude < vec4<u32>(INFINITY));
    let below = (bits != magnitude) & vec4<bool>(ASYMMETRIC);
    positive = max(positive, select(vec4<u32>(0u), magnitude, usable & !below));
    negative = max(negative, select(vec4<u32>(0u), magnitude, usable & below));
  }
  return vec2<u32>(max(max(positive.x, positive.y), max(positive.z, positive.w)),
                   max(max(negative.x, negative.y), max(negative.z, negative.w)));
}

// The extremes of a team from those of its invocations. Every invocation of the workgroup must come here.
fn team_extremes(local: u32, own: vec2<u32>) -> vec2<u32> {
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
