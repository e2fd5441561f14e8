// The first stage of a super step: what changes is kept for the others.
// @stand-in begin
struct Params { first_pitch: u32, first_shift: u32, width: u32, factor_change: f32 }
@group(0) @binding(0) var<uniform> p: Params;
fn store4_first(i: u32, v: vec4<f32>, count: u32) { }
// @stand-in end
fn result(row: u32, x: u32, centre: vec4<f32>, change: vec4<f32>) -> vec4<f32> {
  store4_first(row * p.first_pitch + p.first_shift + x, change, min(4u, p.width - x));
  return centre + p.factor_change * change;
}
