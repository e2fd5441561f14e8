// Quantizes: code = encode(x / scale) + zero point, four codes to a word.
// BY_ROW: workgroup -> LANES / TEAM rows, team -> a row, invocation -> every TEAM-th unit of it.
// Else:   workgroup -> p.group_units neighbouring units of the tensor, invocation -> every LANES-th of them.
// @stand-in begin
const LANES = 64u;
const TEAM = 8u;
const BY_ROW = true;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;
struct Params { rows: u32, row_units: u32, units: u32, group_units: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> q: array<u32>;
struct Affine { scale: u32, zero: i32 }
struct Stretch { start: u32, end: u32, step: u32 }
fn existing(unit: u32) -> vec4<bool> { return vec4<bool>(true); }
fn bits_of(unit: u32) -> vec4<u32> { return vec4<u32>(unit); }
fn affine_of(index: u32, exists: bool, first: bool, local: u32, stretch: Stretch) -> Affine { return Affine(index, 0); }
fn exact_inverse(scale: u32) -> u32 { return scale; }
fn encode_product(product: u32, zero: i32) -> u32 { return product; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end

// The bits of x * inverse. Only a product that is finite for sure is computed; NaN, infinities, subnormals and the sign
// are handled by bits, since WGSL promises nothing of them. `inverse` is not subnormal.
fn product_bits(x: u32, inverse: u32) -> u32 {
  let sign = (x ^ inverse) & 0x80000000u;
  let factor = inverse & MAGNITUDE;
  let given = x & MAGNITUDE;
  // Subnormals count as zero.
  let value = select(given, 0u, given < MIN_NORMAL);
  if (value > INFINITY || factor > INFINITY || (value == INFINITY && factor == 0u)) {
    return (x & 0x80000000u) | 0x7fc00000u;
  }
  // The biased exponents of 2^64 and 1 together: no format and no zero point reaches so far, it all overflows.
  if ((value >> 23u) + (factor >> 23u) >= 127u + 127u + 64u) {
    return sign | INFINITY;
  }
  return sign | (bitcast<u32>(bitcast<f32>(value) * bitcast<f32>(factor)) & MAGNITUDE);
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
  var stretch = Stretch(group_start + local, min(group_start + p.group_units, p.units), LANES);
  if (BY_ROW) {
    index = tile * (LANES / TEAM) + local / TEAM;
    // Rows past the last one are empty, but take part in the barriers.
    exists = index < p.rows;
    first = local % TEAM == 0u;
    let start = index * p.row_units;
    stretch = Stretch(start + local % TEAM, select(0u, start + p.row_units, exists), TEAM);
  }
  let affine = affine_of(index, exists, first, local, stretch);
  let inverse = exact_inverse(affine.scale);
  for (var unit = stretch.start; unit < stretch.end; unit += stretch.step) {
    let bits = bits_of(unit);
    let codes = vec4<u32>(encode_product(product_bits(bits.x, inverse), affine.zero),
                          encode_product(product_bits(bits.y, inverse), affine.zero),
                          encode_product(product_bits(bits.z, inverse), affine.zero),
                          encode_product(product_bits(bits.w, inverse), affine.zero));
    let kept = select(vec4<u32>(0u), codes, existing(unit));
    q[unit] = kept.x | (kept.y << 8u) | (kept.z << 16u) | (kept.w << 24u);
  }
}
