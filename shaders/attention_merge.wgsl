// Adds up partial results of attention: the sums of each part of the keys relative to the part's own largest logit.
// workgroup -> 64 / PART_LANES vectors of four columns; invocation -> every PART_LANES-th part of one.
// @stand-in begin
const PART_LANES = 8u;
struct Params { parts: u32, rows_in_all: u32, quads: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Total { largest: f32, sum: f32 }
fn total_of_part(part: u32, row: u32) -> Total { return Total(); }
fn mix_of_part(part: u32, row: u32, quad: u32) -> vec4<f32> { return vec4<f32>(); }
fn part_weight(x: f32, largest: f32) -> f32 { return exp(x - largest); }
fn finish_merged(row: u32, quad: u32, mix: vec4<f32>, total: Total) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
const LEAST = -3.4028234663852886e38;
const LANES = 64u;
const QUAD_LANES = LANES / PART_LANES;
var<workgroup> totals: array<f32, LANES>;
var<workgroup> mixes: array<vec4<f32>, LANES>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let quad_lane = local % QUAD_LANES;
  let first = local / QUAD_LANES;
  let i = unfold(group, groups) * QUAD_LANES + quad_lane;
  // The rows of the last workgroup that are not there repeat the last one.
  let row = min(i / p.quads, p.rows_in_all - 1u);
  let quad = i % p.quads;
  // A part whose sum is zero has seen no key, and one whose sum is negative counts as that alone; whatever else they hold does not.
  var largest = LEAST;
  for (var part = first; part < p.parts; part += PART_LANES) {
    let total = total_of_part(part, row);
    largest = select(largest, max(largest, total.largest), total.sum > 0.0);
  }
  if (PART_LANES > 1u) {
    totals[local] = largest;
    // Publishes the largest of every lane's parts.
    workgroupBarrier();
    for (var lane = quad_lane; lane < LANES; lane += QUAD_LANES) { largest = max(largest, totals[lane]); }
    // Publishes nothing: waits until all have been read.
    workgroupBarrier();
  }
  var sum = 0.0;
  var mix = vec4<f32>(0.0);
  // Nothing that is read depends on what was read before, so that many parts are on their way at once.
  for (var part = first; part < p.parts; part += PART_LANES) {
    let total = total_of_part(part, row);
    let weight = part_weight(total.largest, largest);
    let has_keys = total.sum > 0.0;
    sum += select(min(total.sum, 0.0), total.sum * weight, has_keys);
    mix += select(vec4<f32>(0.0), mix_of_part(part, row, quad) * weight, vec4<bool>(has_keys));
  }
  if (PART_LANES > 1u) {
    totals[local] = sum;
    mixes[local] = mix;
    // Publishes the sums of every lane's parts.
    workgroupBarrier();
    for (var lane = local + QUAD_LANES; lane < LANES; lane += QUAD_LANES) {
      sum += totals[lane];
      mix += mixes[lane];
    }
  }
  if (first == 0u && i / p.quads < p.rows_in_all) {
    finish_merged(row, quad, mix, Total(largest, sum));
  }
}
