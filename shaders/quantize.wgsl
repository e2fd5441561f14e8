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
struct Params {
  regions: u32, regions_across: u32, regions_down: u32, region_units: u32, region_rows: u32, matrix_rows: u32,
  row_units: u32, units: u32, group_units: u32, groups: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<u32>;
fn word_of(row: u32, unit: u32) -> u32 { return unit; }
struct Affine { scale: u32, zero: i32, plain: bool }
struct Region { start: u32, end: u32, row: u32, row_end: u32 }
fn bits_of(row: u32, unit: u32) -> vec4<u32> { return vec4<u32>(unit); }
fn affine_of(index: u32, exists: bool, first: bool, local: u32, region: Region) -> Affine {
  return Affine(index, 0, true);
}
struct Factor { inverse: u32, zero: i32 }
fn factor_of(affine: Affine) -> Factor { return Factor(affine.scale, affine.zero); }
fn codes_of(bits: vec4<u32>, factor: Factor, word: u32) -> vec4<u32> { return bits; }
fn plain_codes_of(bits: vec4<u32>, factor: Factor) -> vec4<u32> { return bits; }
fn store(row: u32, unit: u32, codes: vec4<u32>, affine: Affine) { q[unit] = codes.x; }
const STOCHASTIC = false;
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end

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
    if (affine.plain && !STOCHASTIC) {
      for (; unit + (UNROLL - 1u) * TEAM_X < region.end; unit += UNROLL * TEAM_X) {
        // @repeat U UNROLL
        let bits_U = bits_of(row, unit + U * TEAM_X);
        // @end
        // @repeat U UNROLL
        store(row, unit + U * TEAM_X, plain_codes_of(bits_U, factor), affine);
        // @end
      }
      for (; unit < region.end; unit += TEAM_X) {
        store(row, unit, plain_codes_of(bits_of(row, unit), factor), affine);
      }
    }
    for (; unit + (GENERAL - 1u) * TEAM_X < region.end; unit += GENERAL * TEAM_X) {
      // @repeat U GENERAL
      let bits_U = bits_of(row, unit + U * TEAM_X);
      // @end
      // @repeat U GENERAL
      store(row, unit + U * TEAM_X, codes_of(bits_U, factor, word_of(row, unit + U * TEAM_X)), affine);
      // @end
    }
    for (; unit < region.end; unit += TEAM_X) {
      store(row, unit, codes_of(bits_of(row, unit), factor, word_of(row, unit)), affine);
    }
  }
}
