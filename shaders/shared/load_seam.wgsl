// Reads a grid in which the two ends of a periodic axis meet, each from a range of its own. TENSOR stands for its name.
// @stand-in begin
struct Params { TENSOR_seam: u32, TENSOR_low_shift: u32, TENSOR_high_shift: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_TENSOR_low(i: u32) -> f32 { return f32(i); }
fn load4_TENSOR_low(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load_TENSOR_high(i: u32) -> f32 { return f32(i); }
fn load4_TENSOR_high(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  if (i < p.TENSOR_seam) {
    return load_TENSOR_low(i + p.TENSOR_low_shift);
  }
  return load_TENSOR_high(i + p.TENSOR_high_shift);
}

// Elements i to i + 3, of one row.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  if (i < p.TENSOR_seam) {
    return load4_TENSOR_low(i + p.TENSOR_low_shift);
  }
  return load4_TENSOR_high(i + p.TENSOR_high_shift);
}
