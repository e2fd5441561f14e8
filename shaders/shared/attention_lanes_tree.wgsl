// What the eight key lanes of a row have in common, through workgroup memory.
// @stand-in begin
const ROW_LANES = 4u;
// @stand-in end
struct Lane {
  @builtin(local_invocation_index) local: u32,
}

// The weights of 32 keys; lanes' numbers lie there while the weights are not needed.
var<workgroup> weights: array<vec4<f32>, ROW_LANES * 32u>;

fn lane_of(lane: Lane) -> u32 {
  return lane.local;
}

fn largest_of_rows(own: vec4<f32>, row_lane: u32, key_lane: u32) -> vec4<f32> {
  weights[row_lane * 8u + key_lane] = own;
  // Publishes the lanes' largest logits, and waits until q and k have been read.
  workgroupBarrier();
  var largest = weights[row_lane * 8u];
  for (var i = 1u; i < 8u; i += 1u) { largest = max(largest, weights[row_lane * 8u + i]); }
  // Publishes nothing: waits until they have been read.
  workgroupBarrier();
  return largest;
}

fn sums_of_rows(own: vec4<f32>, row_lane: u32, key_lane: u32) -> vec4<f32> {
  // Publishes nothing: waits until the weights have been read.
  workgroupBarrier();
  weights[row_lane * 8u + key_lane] = own;
  // Publishes the lanes' sums.
  workgroupBarrier();
  var sum = vec4<f32>(0.0);
  for (var i = 0u; i < 8u; i += 1u) { sum += weights[row_lane * 8u + i]; }
  return sum;
}
