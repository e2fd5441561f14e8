// What the quantize shaders by column share. A unit is four neighbouring elements of a row, one word of codes; a strip is
// some rows of one matrix, and an invocation takes one unit of each of its rows: four columns with a scale each.
// @stand-in begin
const ASYMMETRIC = true;
struct Params { width: u32, row_units: u32, matrix_rows: u32, strip_rows: u32, strips_down: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn numbers_at(row: u32, column: u32) -> vec4<f32> { return vec4<f32>(f32(row)); }
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;
// @stand-in end

// A scale by its bits, and a zero point; `plain` is of no use here.
struct Affine { scale: u32, zero: i32, plain: bool }

// What a scale is made of: the bits of the largest magnitude of the positive and of the negative numbers.
alias Extremes = vec3<u32>;

// The rows of a strip, the first one and the one past the last.
fn rows_of(strip: u32) -> vec2<u32> {
  let matrix = strip / p.strips_down;
  let row = (strip - matrix * p.strips_down) * p.strip_rows;
  return vec2<u32>(matrix * p.matrix_rows) + vec2<u32>(row, min(row + p.strip_rows, p.matrix_rows));
}

// Which of the unit's four columns exist.
fn existing(unit: u32) -> vec4<bool> {
  return vec4<u32>(unit * 4u) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.width);
}

fn bits_of(row: u32, unit: u32) -> vec4<u32> {
  return select(vec4<u32>(0u), bitcast<vec4<u32>>(numbers_at(row, unit * 4u)), existing(unit));
}

// The extremes of four columns of a strip: of the positive numbers, and of the negative ones.
struct FourExtremes { positive: vec4<u32>, negative: vec4<u32> }

fn strip_extremes(strip: u32, unit: u32) -> FourExtremes {
  var found = FourExtremes(vec4<u32>(0u), vec4<u32>(0u));
  let rows = rows_of(strip);
  for (var row = rows.x; row < rows.y; row += 1u) {
    let bits = bits_of(row, unit);
    let magnitude = bits & vec4<u32>(MAGNITUDE);
    let usable = (magnitude >= vec4<u32>(MIN_NORMAL)) & (magnitude < vec4<u32>(INFINITY));
    let below = (bits != magnitude) & vec4<bool>(ASYMMETRIC);
    found.positive = max(found.positive, select(vec4<u32>(0u), magnitude, usable & !below));
    found.negative = max(found.negative, select(vec4<u32>(0u), magnitude, usable & below));
  }
  return found;
}
