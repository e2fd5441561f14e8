// Adds what the invocations of a column have gathered, by a tree in workgroup memory; those of the first depth get the sum.
// @stand-in begin
alias Total = vec4<f32>;
const COLUMN_LANES = 1u;
const DEPTH_LANES = 64u;
// @stand-in end
struct Lane {
  @builtin(local_invocation_index) local: u32,
}

var<workgroup> gathered: array<Total, COLUMN_LANES * DEPTH_LANES>;

fn merge(index: u32, total: Total, lane: Lane) -> Total {
  // Publishes nothing: waits until the previous sum has been read.
  workgroupBarrier();
  gathered[lane.local] = total;
  for (var step = DEPTH_LANES / 2u; step > 0u; step /= 2u) {
    // Publishes the sums of the round before.
    workgroupBarrier();
    if (lane.local < step * COLUMN_LANES) {
      gathered[lane.local] += gathered[lane.local + step * COLUMN_LANES];
    }
  }
  return gathered[lane.local];
}
