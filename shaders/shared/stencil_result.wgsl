// What a cell becomes where only itself and the sum of its differences matter.
// @stand-in begin
fn finish(centre: vec4<f32>, change: vec4<f32>) -> vec4<f32> { return change; }
// @stand-in end
fn result(row: u32, x: u32, centre: vec4<f32>, change: vec4<f32>) -> vec4<f32> {
  return finish(centre, change);
}
