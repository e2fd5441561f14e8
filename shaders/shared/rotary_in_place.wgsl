// What is turned stands where the result goes.
// @stand-in begin
fn load_out(i: u32) -> f32 { return f32(i); }
fn load4_out(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
// @stand-in end
fn load_x(i: u32) -> f32 {
  return load_out(i);
}

fn load4_x(i: u32) -> vec4<f32> {
  return load4_out(i);
}
