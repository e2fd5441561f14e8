// The numbers that are quantized are those of a tensor.
// @stand-in begin
struct Params { x_pitch: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
// @stand-in end
// Four columns from `column`, a multiple of 4; whatever lies beyond the row's end comes along.
fn numbers_at(row: u32, column: u32) -> vec4<f32> {
  return load4_x(row * p.x_pitch + column);
}
