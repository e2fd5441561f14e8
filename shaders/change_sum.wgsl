// How much a tensor has changed: the sums of all invocations, in their order. One invocation.
// @stand-in begin
struct Params { lanes: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scratch: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
// @stand-in end
@compute @workgroup_size(1)
fn main() {
  var sums = vec2<f32>(0.0);
  for (var lane = 0u; lane < p.lanes; lane++) {
    sums += vec2<f32>(bitcast<f32>(scratch[2u * lane]), bitcast<f32>(scratch[2u * lane + 1u]));
  }
  out[0] = bitcast<u32>(sums.x);
  out[1] = bitcast<u32>(sums.y);
}
