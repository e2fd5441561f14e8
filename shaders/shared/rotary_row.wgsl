// A row of heads: where it stands, its elements, and four neighbours of them turned. `numbers` holds the row before.
// @stand-in begin
const AXES = 2u;
const HALF_SPLIT = true;
const X_ON_WORDS = true;
struct Params {
  heads: u32, seq: u32, head_dim: u32, turned: u32, pairs: u32,
  start_0: u32, start_1: u32, length_0: u32, length_1: u32,
  x_offset: u32, x_batch: u32, x_head: u32, x_seq: u32,
  out_offset: u32, out_batch: u32, out_head: u32, out_seq: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
var<private> numbers: array<f32, 256>;
fn load_x(i: u32) -> f32 { return f32(i); }
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load_cos(i: u32) -> f32 { return f32(i); }
fn load_sin(i: u32) -> f32 { return f32(i); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn table_row(item: u32, token: u32, axis: u32) -> u32 { return token; }
// @stand-in end
struct Place {
  item: u32,
  head: u32,
  token: u32,
}

fn place_of(row: u32) -> Place {
  let both = row / p.seq;
  return Place(both / p.heads, both % p.heads, row % p.seq);
}

// Elements column to column + 3 of a row of x, zeros behind its end.
fn load_row4(place: Place, column: u32) -> vec4<f32> {
  let i = p.x_offset + place.item * p.x_batch + place.head * p.x_head + place.token * p.x_seq + column;
  var x: vec4<f32>;
  if (X_ON_WORDS) {
    x = load4_x(i);
  } else {
    x = vec4<f32>(load_x(i), load_x(i + 1u), load_x(i + 2u), load_x(i + 3u));
  }
  return select(vec4<f32>(0.0), x, vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.head_dim));
}

// Where the angles of a token's axes begin in the table.
fn angles_of(place: Place) -> vec4<u32> {
  var rows = vec4<u32>(0u);
  // @repeat A AXES
  rows[A] = table_row(place.item, place.token, A) * p.pairs;
  // @end
  return rows;
}

// Element i of the row that starts at `base`, turned. Elements behind the axes stay as they are.
fn turned(angles: vec4<u32>, base: u32, i: u32) -> f32 {
  let x = numbers[base + i];
  if (i >= p.turned) {
    return x;
  }
  var start = 0u;
  var length = p.turned;
  var row = angles.x;
  // @repeat A AXES
  if (i >= p.start_A) {
    start = p.start_A;
    length = p.length_A;
    row = angles[A];
  }
  // @end
  let along = i - start;
  var pair = along >> 1u;
  var is_first = (along & 1u) == 0u;
  var other = i ^ 1u;
  if (HALF_SPLIT) {
    let half = length >> 1u;
    is_first = along < half;
    pair = select(along - half, along, is_first);
    other = select(i - half, i + half, is_first);
  }
  let column = row + (start >> 1u) + pair;
  let sine = load_sin(column);
  return x * load_cos(column) + numbers[base + other] * select(sine, -sine, is_first);
}

// Turns elements column to column + 3 of the row that starts at `base`, and writes those that exist.
fn finish(place: Place, angles: vec4<u32>, base: u32, column: u32) {
  let out = vec4<f32>(turned(angles, base, column), turned(angles, base, column + 1u),
                      turned(angles, base, column + 2u), turned(angles, base, column + 3u));
  let start = p.out_offset + place.item * p.out_batch + place.head * p.out_head + place.token * p.out_seq;
  store4_out(start + column, out, min(4u, p.head_dim - column));
}
