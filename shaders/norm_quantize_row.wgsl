// Makes the codes of a row by the invocations that have its statistics.
// Every invocation of a row comes here: it starts at a column of its own, and takes every step-th group of four.
// @stand-in begin
const STOCHASTIC = false;
const ONE_SCALE = false;
struct Params { row_units: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Affine { scale: u32, zero: i32, plain: bool }
struct Factor { inverse: u32, zero: i32 }
struct Region { start: u32, end: u32, row: u32, row_end: u32 }
fn load_x4(row: u32, column: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn finished(row: u32, column: u32, normalised: vec4<f32>) -> vec4<f32> { return normalised; }
fn bits_of(row: u32, unit: u32) -> vec4<u32> { return vec4<u32>(unit); }
fn affine_of(index: u32, exists: bool, first: bool, local: u32, region: Region) -> Affine {
  return Affine(index, 0, true);
}
fn factor_of(affine: Affine) -> Factor { return Factor(affine.scale, affine.zero); }
fn word_of(row: u32, unit: u32) -> u32 { return unit; }
fn codes_of(bits: vec4<u32>, factor: Factor, word: u32) -> vec4<u32> { return bits; }
fn plain_codes_of(bits: vec4<u32>, factor: Factor) -> vec4<u32> { return bits; }
fn store(row: u32, unit: u32, codes: vec4<u32>, affine: Affine) { }
// @stand-in end

// Mean, its correction, and the inverse root of the invocation's row.
var<private> statistics: vec3<f32>;

// Four columns from `column`, a multiple of 4; whatever lies beyond the row's end comes along.
fn numbers_at(row: u32, column: u32) -> vec4<f32> {
  return finished(row, column, (load_x4(row, column) - statistics.x - statistics.y) * statistics.z);
}

fn deliver(row: u32, start: u32, step: u32, mean: f32, correction: f32, inverse: f32) {
  statistics = vec3<f32>(mean, correction, inverse);
  let local = start / 4u;
  let region = Region(local, p.row_units, row, row + 1u);
  // ONE_SCALE: that of the whole tensor, which is given.
  let affine = affine_of(select(row, 0u, ONE_SCALE), true, start == 0u, local, region);
  let factor = factor_of(affine);
  for (var unit = region.start; unit < region.end; unit += step / 4u) {
    let bits = bits_of(row, unit);
    if (affine.plain && !STOCHASTIC) {
      store(row, unit, plain_codes_of(bits, factor), affine);
    } else {
      store(row, unit, codes_of(bits, factor, word_of(row, unit)), affine);
    }
  }
}
