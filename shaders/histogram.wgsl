// Counts numbers by the upper halves of their f32, and widens a range.
// workgroup -> p.group_units neighbouring units of four elements; invocation -> every LANES-th of them.
// Most numbers of a tensor lie within a few powers of two of its largest: those are counted in workgroup memory first, since
// many that add to one word of the buffer wait for each other.
// @stand-in begin
const LANES = 64u;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;
struct Params { width: u32, row_units: u32, units: u32, group_units: u32, x_pitch: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> counts: array<atomic<u32>>;
@group(0) @binding(2) var<storage, read_write> range: array<atomic<u32>>;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
// Bins of a sign: 15 exponents, of 128 bins each. With both signs 15 KiB.
const NEAR_BINS = 1920u;
const SIGN = 0x8000u;
var<workgroup> near_counts: array<atomic<u32>, 2u * NEAR_BINS>;
// The largest magnitude of the first numbers; of all positive ones, and of all negative ones.
var<workgroup> sample: atomic<u32>;
var<workgroup> extremes: array<atomic<u32>, 2>;
// Zeros of both signs.
var<private> zeros: vec2<u32>;

// The bin of a number by its bits: their upper half; of NaN the quiet one's of its sign.
fn bin(bits: u32) -> u32 {
  return select(bits >> 16u, ((bits >> 16u) & SIGN) | 0x7fc0u, (bits & MAGNITUDE) > INFINITY);
}

// Counts a number; `first` is the first bin of a sign that is counted in workgroup memory.
fn count(bits: u32, first: u32) {
  let bin = bin(bits);
  let sign = bin / SIGN;
  let magnitude = bin % SIGN;
  if (magnitude == 0u) {
    zeros += vec2<u32>(1u - sign, sign);
  } else if (magnitude - first < NEAR_BINS) {
    atomicAdd(&near_counts[sign * NEAR_BINS + magnitude - first], 1u);
  } else {
    atomicAdd(&counts[bin], 1u);
  }
}

// The bits of the four numbers of a unit, and whether they exist.
struct Unit { bits: vec4<u32>, exists: vec4<bool> }

fn unit_at(unit: u32) -> Unit {
  let row = unit / p.row_units;
  let column = (unit - row * p.row_units) * 4u;
  let bits = bitcast<vec4<u32>>(load4_x(row * p.x_pitch + column));
  return Unit(bits, vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.width));
}

fn largest_of(v: vec4<u32>) -> u32 {
  return max(max(v.x, v.y), max(v.z, v.w));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  for (var slot = local; slot < 2u * NEAR_BINS; slot += LANES) { atomicStore(&near_counts[slot], 0u); }
  if (local == 0u) {
    atomicStore(&sample, 0u);
    atomicStore(&extremes[0], 0u);
    atomicStore(&extremes[1], 0u);
  }
  // Publishes the zeros.
  workgroupBarrier();
  let start = tile * p.group_units;
  let end = min(start + p.group_units, p.units);
  if (start + local < end) {
    let unit = unit_at(start + local);
    let magnitude = unit.bits & vec4<u32>(MAGNITUDE);
    atomicMax(&sample, largest_of(select(vec4<u32>(0u), magnitude, unit.exists & (magnitude < vec4<u32>(INFINITY)))));
  }
  // Publishes the largest of the sample, whose exponent is the last but one that is counted here.
  workgroupBarrier();
  let first = (max(atomicLoad(&sample) >> 23u, 13u) - 13u) << 7u;
  // The bits of the largest magnitude of the positive numbers, and of the negative ones: they order like the magnitudes.
  var positive = vec4<u32>(0u);
  var negative = vec4<u32>(0u);
  for (var i = start + local; i < end; i += LANES) {
    let unit = unit_at(i);
    count(unit.bits.x, first);
    if (unit.exists.y) { count(unit.bits.y, first); }
    if (unit.exists.z) { count(unit.bits.z, first); }
    if (unit.exists.w) { count(unit.bits.w, first); }
    let magnitude = unit.bits & vec4<u32>(MAGNITUDE);
    let usable = unit.exists & (magnitude >= vec4<u32>(MIN_NORMAL)) & (magnitude < vec4<u32>(INFINITY));
    positive = max(positive, select(vec4<u32>(0u), magnitude, usable & (unit.bits == magnitude)));
    negative = max(negative, select(vec4<u32>(0u), magnitude, usable & (unit.bits != magnitude)));
  }
  atomicMax(&extremes[0], largest_of(positive));
  atomicMax(&extremes[1], largest_of(negative));
  if (zeros.x > 0u) { atomicAdd(&counts[0], zeros.x); }
  if (zeros.y > 0u) { atomicAdd(&counts[SIGN], zeros.y); }
  // Publishes the counts and the extremes.
  workgroupBarrier();
  for (var slot = local; slot < 2u * NEAR_BINS; slot += LANES) {
    let found = atomicLoad(&near_counts[slot]);
    if (found > 0u) { atomicAdd(&counts[slot / NEAR_BINS * SIGN + slot % NEAR_BINS + first], found); }
  }
  if (local == 0u) {
    // An end of -0 is above every other as bits.
    atomicAnd(&range[0], MAGNITUDE);
    atomicAnd(&range[1], MAGNITUDE);
    atomicMax(&range[0], atomicLoad(&extremes[0]));
    atomicMax(&range[1], atomicLoad(&extremes[1]));
  }
}
