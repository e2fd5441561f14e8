// What the eight key lanes of a row have in common, by shuffles: subgroups hold eight invocations or a multiple.
// @stand-in begin
const ROW_LANES = 4u;
// @stand-in end
struct Lane {
  @builtin(subgroup_id) subgroup: u32,
  @builtin(subgroup_size) size: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
}

// The weights of 32 keys.
var<workgroup> weights: array<vec4<f32>, ROW_LANES * 32u>;

// Lanes that are neighbours in their subgroup, whatever the order of invocations.
fn lane_of(lane: Lane) -> u32 {
  return lane.subgroup * lane.size + lane.in_subgroup;
}

fn largest_of_rows(own: vec4<f32>, row_lane: u32, key_lane: u32) -> vec4<f32> {
  var largest = max(own, subgroupShuffleXor(own, 1u));
  largest = max(largest, subgroupShuffleXor(largest, 2u));
  return max(largest, subgroupShuffleXor(largest, 4u));
}

fn sums_of_rows(own: vec4<f32>, row_lane: u32, key_lane: u32) -> vec4<f32> {
  let pairs = own + subgroupShuffleXor(own, 1u);
  let fours = pairs + subgroupShuffleXor(pairs, 2u);
  return fours + subgroupShuffleXor(fours, 4u);
}
