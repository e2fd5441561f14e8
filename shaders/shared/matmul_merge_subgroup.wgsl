// Adds what the invocations of a column have gathered, first within subgroups of whatever size; the first invocation gets
// the sum.
// @stand-in begin
alias Total = vec4<f32>;
const DEPTH_LANES = 64u;
// @stand-in end
struct Lane {
  @builtin(local_invocation_index) local: u32,
  @builtin(subgroup_id) subgroup: u32,
  @builtin(num_subgroups) subgroups: u32,
  @builtin(subgroup_invocation_id) in_subgroup: u32,
}

// Subgroups have at least one invocation.
var<workgroup> gathered: array<Total, DEPTH_LANES>;

fn merge(index: u32, total: Total, lane: Lane) -> Total {
  let sum = subgroupAdd(total);
  // Publishes nothing: waits until the previous sums have been read.
  workgroupBarrier();
  if (lane.in_subgroup == 0u) {
    gathered[lane.subgroup] = sum;
  }
  // Publishes the sum of every subgroup.
  workgroupBarrier();
  var all = Total();
  for (var i = 0u; i < lane.subgroups; i += 1u) {
    all += gathered[i];
  }
  return all;
}
