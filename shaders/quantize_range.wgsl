// What the quantize shaders by region share: where a region is, how its numbers are read, and their extremes.
// A unit is four neighbouring elements of a row, one word of codes; the last unit of a row may have fewer.
// A region is what a team of TEAM neighbouring invocations takes: some units of some rows. FLAT: units of the whole
// tensor counted through all rows, and no row. The team stands TEAM_X units wide and TEAM / TEAM_X rows high.
// @stand-in begin
const TEAM = 8u;
const TEAM_X = 8u;
const UNROLL = 2u;
const ASYMMETRIC = true;
const WHOLE_UNITS = false;
const FLAT = true;
const BY_ROW = false;
struct Params { width: u32, row_units: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn numbers_at(row: u32, column: u32) -> vec4<f32> { return vec4<f32>(f32(row)); }
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;
// @stand-in end
// A team that takes units one by one, each for itself, is no wider than one: then TEAM is 1.
const TEAM_Y = max(TEAM / TEAM_X, 1u);

// Units start to end of the rows row to row_end; in steps of the team, so that start and row are an invocation's own.
struct Region { start: u32, end: u32, row: u32, row_end: u32 }

// A scale by its bits, and a zero point. `plain`: every number it was made for is finite, and its inverse takes no f32
// subnormal to a code other than zero.
struct Affine { scale: u32, zero: i32, plain: bool }

// Bits of the largest magnitude of the positive numbers, and of the negative ones; where ASYMMETRIC is false all count
// as positive. NaN, infinities and subnormals are left out; without any number the magnitude is 0. Magnitudes order like
// their bits. `wild` is 1 where a NaN or an infinity was left out.
alias Extremes = vec3<u32>;

// Which of a unit's four elements exist. WHOLE_UNITS: the width is a multiple of 4, so all do.
fn existing(unit: u32) -> vec4<bool> {
  if (WHOLE_UNITS) {
    return vec4<bool>(true);
  }
  var column = unit * 4u;
  if (FLAT) {
    column = unit % p.row_units * 4u;
  }
  return vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.width);
}

// The bits of a unit's elements; zeros where they do not exist.
fn bits_of(row: u32, unit: u32) -> vec4<u32> {
  // Divisions cost more than all the rest on a CPU; rows of whole units have no gaps between them. BY_ROW: but numbers
  // depend on their row.
  if (WHOLE_UNITS && FLAT && !BY_ROW) {
    return bitcast<vec4<u32>>(numbers_at(0u, unit * 4u));
  }
  if (FLAT) {
    let of_unit = unit / p.row_units;
    let column = (unit - of_unit * p.row_units) * 4u;
    return select(vec4<u32>(0u), bitcast<vec4<u32>>(numbers_at(of_unit, column)), existing(unit));
  }
  return select(vec4<u32>(0u), bitcast<vec4<u32>>(numbers_at(row, unit * 4u)), existing(unit));
}

// The extremes with four more numbers, NaN and infinities not told apart: they have the largest magnitudes.
fn with_bits(so_far: Extremes, bits: vec4<u32>) -> Extremes {
  if (ASYMMETRIC) {
    // Positive numbers order like integers with a sign, negative ones like integers without, by magnitude.
    let signed = bitcast<vec4<i32>>(bits);
    let positive = max(max(signed.x, signed.y), max(signed.z, signed.w));
    return Extremes(bitcast<u32>(max(bitcast<i32>(so_far.x), positive)),
                    max(so_far.y, max(max(bits.x, bits.y), max(bits.z, bits.w))), 0u);
  }
  let magnitude = bits & vec4<u32>(MAGNITUDE);
  return Extremes(max(so_far.x, max(max(magnitude.x, magnitude.y), max(magnitude.z, magnitude.w))), 0u, 0u);
}

// The extremes of an invocation's part of a region.
fn extremes_of(region: Region) -> Extremes {
  var raw = Extremes(0u);
  for (var row = region.row; row < region.row_end; row += TEAM_Y) {
    var unit = region.start;
    for (; unit + (UNROLL - 1u) * TEAM_X < region.end; unit += UNROLL * TEAM_X) {
      // @repeat U UNROLL
      let bits_U = bits_of(row, unit + U * TEAM_X);
      // @end
      // @repeat U UNROLL
      raw = with_bits(raw, bits_U);
      // @end
    }
    for (; unit < region.end; unit += TEAM_X) {
      raw = with_bits(raw, bits_of(row, unit));
    }
  }
  // No negative number, or the sign taken off.
  raw.y = select(0u, raw.y & MAGNITUDE, raw.y > MAGNITUDE);
  if (max(raw.x, raw.y) >= INFINITY) {
    return finite_extremes_of(region);
  }
  return select(Extremes(0u), raw, raw >= Extremes(MIN_NORMAL));
}

// The same where there are NaN or infinities among the numbers.
fn finite_extremes_of(region: Region) -> Extremes {
  var positive = vec4<u32>(0u);
  var negative = vec4<u32>(0u);
  for (var row = region.row; row < region.row_end; row += TEAM_Y) {
    for (var unit = region.start; unit < region.end; unit += TEAM_X) {
      let bits = bits_of(row, unit);
      let magnitude = bits & vec4<u32>(MAGNITUDE);
      let usable = (magnitude >= vec4<u32>(MIN_NORMAL)) & (magnitude < vec4<u32>(INFINITY));
      let below = (bits != magnitude) & vec4<bool>(ASYMMETRIC);
      positive = max(positive, select(vec4<u32>(0u), magnitude, usable & !below));
      negative = max(negative, select(vec4<u32>(0u), magnitude, usable & below));
    }
  }
  return Extremes(max(max(positive.x, positive.y), max(positive.z, positive.w)),
                  max(max(negative.x, negative.y), max(negative.z, negative.w)), 1u);
}
