// From a number to its code, whatever the number is.
// @stand-in begin
const FLAT = true;
struct Params { row_units: u32 }
@group(0) @binding(0) var<uniform> p: Params;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;
struct Affine { scale: u32, zero: i32, plain: bool }
fn exact_inverse(scale: u32) -> u32 { return scale; }
fn encode_product(product: u32, zero: i32, random: u32) -> u32 { return product; }
fn random_of(word: u32) -> vec4<u32> { return vec4<u32>(word); }
// @stand-in end

// What numbers are multiplied by: the inverse, and what its product needs beside it.
struct Factor {
  inverse: u32,
  // The largest magnitude whose product is computed: that of a larger number overflows every format and zero point.
  limit: u32,
  // What infinity becomes: infinity, or NaN where the inverse is 0.
  infinity: u32,
  // All ones where the inverse is NaN.
  poison: u32,
  zero: i32,
}

fn factor_of(affine: Affine) -> Factor {
  return factor_from(exact_inverse(affine.scale), affine.zero);
}

fn factor_from(inverse: u32, zero: i32) -> Factor {
  let magnitude = inverse & MAGNITUDE;
  // The biased exponents of a product of 2^64; the largest finite number where the inverse is small.
  let limit = min((127u + 127u + 64u - (magnitude >> 23u)) << 23u, INFINITY - 1u);
  let infinity = select(INFINITY, INFINITY + 1u, magnitude == 0u);
  let is_nan = magnitude > INFINITY;
  return Factor(select(inverse, 0u, is_nan), limit, infinity, select(0u, MAGNITUDE, is_nan), zero);
}

// Where the codes of a unit are stored. FLAT: units are counted through all rows.
fn word_of(row: u32, unit: u32) -> u32 {
  if (FLAT) {
    return unit;
  }
  return row * p.row_units + unit;
}

// The codes of any four numbers that share a scale; `word` is where they are stored.
fn codes_of(bits: vec4<u32>, factor: Factor, word: u32) -> vec4<u32> {
  let random = random_of(word);
  return vec4<u32>(code_of(bits.x, factor, random.x), code_of(bits.y, factor, random.y),
                   code_of(bits.z, factor, random.z), code_of(bits.w, factor, random.w));
}

// The code of any number. NaN, infinities, subnormals and the sign are handled by bits, since WGSL promises nothing of
// them; no product overflows. The inverse is not subnormal.
fn code_of(bits: u32, factor: Factor, random: u32) -> u32 {
  let given = bits & MAGNITUDE;
  // Subnormals count as zero.
  let value = select(min(given, factor.limit), 0u, given < MIN_NORMAL);
  let product = bitcast<u32>(bitcast<f32>(value) * bitcast<f32>(factor.inverse & MAGNITUDE));
  let magnitude = select(product & MAGNITUDE, factor.infinity, given == INFINITY);
  let is_nan = max(magnitude, given | factor.poison) > INFINITY;
  // A NaN keeps the sign of the number.
  let sign = (bits ^ select(factor.inverse, 0u, is_nan)) & ~MAGNITUDE;
  return encode_product(sign | select(magnitude, INFINITY + 1u, is_nan), factor.zero, random);
}
