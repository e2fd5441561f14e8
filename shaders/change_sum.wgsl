// How much a tensor has changed: the sum of all workgroups' shares, in a fixed order.
// One workgroup; invocation -> every LANES-th share.
// @stand-in begin
const LANES = 64u;
struct Params { shares: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scratch: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
fn sum_of_lanes(local: u32, mine: vec2<f32>) -> vec2<f32> { return mine; }
// @stand-in end
@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) local: u32) {
  var mine = vec2<f32>(0.0);
  for (var share = local; share < p.shares; share += LANES) {
    mine += vec2<f32>(bitcast<f32>(scratch[2u * share]), bitcast<f32>(scratch[2u * share + 1u]));
  }
  let sums = sum_of_lanes(local, mine);
  if (local == 0u) {
    out[0] = bitcast<u32>(sums.x);
    out[1] = bitcast<u32>(sums.y);
  }
}
