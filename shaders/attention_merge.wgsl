// Adds up partial results of attention: the sums of each part of the keys relative to the part's own largest logit.
// workgroup -> 64 vectors of four columns; invocation -> one.
// @stand-in begin
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

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let i = unfold(group, groups) * 64u + local;
  let row = i / p.quads;
  let quad = i % p.quads;
  if (row >= p.rows_in_all) {
    return;
  }
  // A part whose sum is zero has seen no key; whatever else it holds does not count.
  var largest = LEAST;
  for (var part = 0u; part < p.parts; part += 1u) {
    let total = total_of_part(part, row);
    if (total.sum > 0.0) { largest = max(largest, total.largest); }
  }
  var sum = 0.0;
  var mix = vec4<f32>(0.0);
  for (var part = 0u; part < p.parts; part += 1u) {
    let total = total_of_part(part, row);
    if (total.sum > 0.0) {
      let weight = part_weight(total.largest, largest);
      sum += total.sum * weight;
      mix += mix_of_part(part, row, quad) * weight;
    }
  }
  finish_merged(row, quad, mix, Total(largest, sum));
}
