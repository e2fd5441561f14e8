// A later stage of a super step: it goes on from the two stages before it, the field that the step starts from (`start`) and
// what changed there (`first`).
// @stand-in begin
struct Params { start_pitch: u32, start_shift: u32, first_pitch: u32, first_shift: u32, before_pitch: u32, before_shift: u32,
  has_before: u32, factor_last: f32, factor_before: f32, factor_start: f32, factor_change: f32, factor_first: f32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_start(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_first(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_before(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
// @stand-in end
fn result(row: u32, x: u32, centre: vec4<f32>, change: vec4<f32>) -> vec4<f32> {
  let start = load4_start(row * p.start_pitch + p.start_shift + x);
  let first = load4_first(row * p.first_pitch + p.first_shift + x);
  // Two stages before the second one is the start.
  var before = start;
  if (p.has_before != 0u) {
    before = load4_before(row * p.before_pitch + p.before_shift + x);
  }
  return (p.factor_last * centre + p.factor_before * before) + p.factor_start * start
    + (p.factor_change * change + p.factor_first * first);
}
