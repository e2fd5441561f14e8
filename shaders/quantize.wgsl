// Quantizes: code = encode(x / scale) + zero point, four codes to a word.
// FLAT: workgroup -> p.group_units neighbouring units of the tensor, invocation -> every LANES-th of them.
// Else: workgroup -> LANES / TEAM regions, team -> a region, invocation -> every TEAM_X-th unit of every TEAM_Y-th row.
// @stand-in begin
const LANES = 64u;
const TEAM = 8u;
const TEAM_X = 8u;
const TEAM_Y = 1u;
const UNROLL = 2u;
const GENERAL = 2u;
const FLAT = true;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;
struct Params {
  regions: u32, regions_across: u32, regions_down: u32, region_units: u32, region_rows: u32, matrix_rows: u32,
  row_units: u32, units: u32, group_units: u32, groups: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<u32>;
struct Affine { scale: u32, zero: i32, plain: bool }
struct Region { start: u32, end: u32, row: u32, row_end: u32 }
fn existing(unit: u32) -> vec4<bool> { return vec4<bool>(true); }
fn bits_of(row: u32, unit: u32) -> vec4<u32> { return vec4<u32>(unit); }
fn affine_of(index: u32, exists: bool, first: bool, local: u32, region: Region) -> Affine {
  return Affine(index, 0, true);
}
fn exact_inverse(scale: u32) -> u32 { return scale; }
fn encode_product(product: u32, zero: i32) -> u32 { return product; }
fn encode_plain(product: f32, zero: i32) -> u32 { return bitcast<u32>(product); }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
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
  let inverse = exact_inverse(affine.scale);
  let magnitude = inverse & MAGNITUDE;
  // The biased exponents of a product of 2^64; the largest finite number where the inverse is small.
  let limit = min((127u + 127u + 64u - (magnitude >> 23u)) << 23u, INFINITY - 1u);
  let infinity = select(INFINITY, INFINITY + 1u, magnitude == 0u);
  let is_nan = magnitude > INFINITY;
  return Factor(select(inverse, 0u, is_nan), limit, infinity, select(0u, MAGNITUDE, is_nan), affine.zero);
}

// The codes of any four numbers. NaN, infinities, subnormals and the sign are handled by bits, since WGSL promises
// nothing of them; no product overflows. The inverse is not subnormal.
fn codes_of(bits: vec4<u32>, factor: Factor) -> vec4<u32> {
  let given = bits & vec4<u32>(MAGNITUDE);
  // Subnormals count as zero.
  let value = select(min(given, vec4<u32>(factor.limit)), vec4<u32>(0u), given < vec4<u32>(MIN_NORMAL));
  let product = bitcast<vec4<u32>>(bitcast<vec4<f32>>(value) * bitcast<f32>(factor.inverse & MAGNITUDE));
  let finite = select(product & vec4<u32>(MAGNITUDE), vec4<u32>(factor.infinity), given == vec4<u32>(INFINITY));
  let is_nan = (given | vec4<u32>(factor.poison)) > vec4<u32>(INFINITY);
  // A NaN keeps the sign of the number.
  let lost = is_nan | (finite > vec4<u32>(INFINITY));
  let sign = bits ^ select(vec4<u32>(factor.inverse), vec4<u32>(0u), lost);
  let signed = select(finite, vec4<u32>(INFINITY + 1u), is_nan) | (sign & vec4<u32>(~MAGNITUDE));
  return vec4<u32>(encode_product(signed.x, factor.zero), encode_product(signed.y, factor.zero),
                   encode_product(signed.z, factor.zero), encode_product(signed.w, factor.zero));
}

// The codes of four numbers of which the scale was made, under a scale that is `plain`.
fn plain_codes_of(bits: vec4<u32>, factor: Factor) -> vec4<u32> {
  let product = bitcast<vec4<f32>>(bits) * bitcast<f32>(factor.inverse);
  return vec4<u32>(encode_plain(product.x, factor.zero), encode_plain(product.y, factor.zero),
                   encode_plain(product.z, factor.zero), encode_plain(product.w, factor.zero));
}

fn store(row: u32, unit: u32, codes: vec4<u32>) {
  let kept = select(vec4<u32>(0u), codes, existing(unit));
  let word = kept.x | (kept.y << 8u) | (kept.z << 16u) | (kept.w << 24u);
  if (FLAT) {
    q[unit] = word;
  } else {
    q[row * p.row_units + unit] = word;
  }
}

// The units and rows of a region that an invocation takes; none past the last region.
fn region_of(index: u32, place: u32) -> Region {
  let across = index % p.regions_across;
  let below = index / p.regions_across;
  let matrix = below / p.regions_down;
  let start = across * p.region_units;
  let row = (below - matrix * p.regions_down) * p.region_rows;
  let first = matrix * p.matrix_rows;
  let row_end = first + min(row + p.region_rows, p.matrix_rows);
  return Region(start + place % TEAM_X, min(start + p.region_units, p.row_units), first + row + place / TEAM_X,
                select(0u, row_end, index < p.regions));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  var index = 0u;
  var exists = true;
  var first = tile + local == 0u;
  let group_start = tile * p.group_units;
  var region = Region(group_start + local, min(group_start + p.group_units, p.units), 0u, 1u);
  if (!FLAT) {
    index = tile * (LANES / TEAM) + local / TEAM;
    // Regions past the last one are empty, but take part in the barriers.
    exists = index < p.regions;
    first = local % TEAM == 0u;
    region = region_of(index, local % TEAM);
  }
  let affine = affine_of(index, exists, first, local, region);
  let factor = factor_of(affine);
  for (var row = region.row; row < region.row_end; row += TEAM_Y) {
    var unit = region.start;
    if (affine.plain) {
      for (; unit + (UNROLL - 1u) * TEAM_X < region.end; unit += UNROLL * TEAM_X) {
        // @repeat U UNROLL
        let bits_U = bits_of(row, unit + U * TEAM_X);
        // @end
        // @repeat U UNROLL
        store(row, unit + U * TEAM_X, plain_codes_of(bits_U, factor));
        // @end
      }
      for (; unit < region.end; unit += TEAM_X) {
        store(row, unit, plain_codes_of(bits_of(row, unit), factor));
      }
    }
    for (; unit + (GENERAL - 1u) * TEAM_X < region.end; unit += GENERAL * TEAM_X) {
      // @repeat U GENERAL
      let bits_U = bits_of(row, unit + U * TEAM_X);
      // @end
      // @repeat U GENERAL
      store(row, unit + U * TEAM_X, codes_of(bits_U, factor));
      // @end
    }
    for (; unit < region.end; unit += TEAM_X) {
      store(row, unit, codes_of(bits_of(row, unit), factor));
    }
  }
}
