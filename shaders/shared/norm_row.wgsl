// How every norm variant reads a row.
// @stand-in begin
struct Params { width: u32, x_pitch: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
// @stand-in end
// Four columns from `column`, a multiple of 4; whatever lies beyond the row's end comes along.
fn load_x4(row: u32, column: u32) -> vec4<f32> {
  return load4_x(row * p.x_pitch + column);
}

// Zeros in place of the columns beyond the row's end.
fn inside(column: u32, v: vec4<f32>) -> vec4<f32> {
  return select(vec4<f32>(0.0), v, vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.width));
}
