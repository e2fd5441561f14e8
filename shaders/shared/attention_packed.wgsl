// The scales and the sinks as attention_pack.wgsl has joined them.
// @stand-in begin
@group(0) @binding(1) var<storage, read> scratch: array<u32>;
// @stand-in end
fn load_scales(i: u32) -> f32 {
  return bitcast<f32>(scratch[i]);
}

fn load_sinks(head: u32) -> f32 {
  return bitcast<f32>(scratch[3u + head]);
}
