// Two sums over a workgroup of LANES invocations, a power of two, in a fixed tree.
// @stand-in begin
const LANES = 128u;
// @stand-in end
// At most 1 KiB.
var<workgroup> partial_sums: array<vec2<f32>, LANES>;

// The sum over the workgroup, the same bits in every lane and every run.
fn sum_of_lanes(local: u32, mine: vec2<f32>) -> vec2<f32> {
  // Publishes nothing: waits until the result of the sum before has been read.
  workgroupBarrier();
  partial_sums[local] = mine;
  for (var lanes = LANES / 2u; lanes > 0u; lanes /= 2u) {
    // Publishes the sums of the level below.
    workgroupBarrier();
    if (local < lanes) {
      partial_sums[local] += partial_sums[local + lanes];
    }
  }
  // Publishes the root.
  workgroupBarrier();
  return partial_sums[0];
}
