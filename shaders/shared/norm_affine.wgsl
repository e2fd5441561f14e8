// What a norm does with four normalised elements: weight, bias, modulation.
// @stand-in begin
const HAS_WEIGHT = true;
const HAS_BIAS = true;
const HAS_MODULATION = true;
struct Params { rows: u32, modulation_width: u32, shift: u32, scale: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_weight(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn load4_bias(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load4_modulation(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
// @stand-in end
fn finished(row: u32, column: u32, normalised: vec4<f32>) -> vec4<f32> {
  var y = normalised;
  if (HAS_WEIGHT) { y *= load4_weight(column); }
  if (HAS_BIAS) { y += load4_bias(column); }
  if (HAS_MODULATION) {
    let start = row / p.rows * p.modulation_width + column;
    y = y * (1.0 + load4_modulation(start + p.scale)) + load4_modulation(start + p.shift);
  }
  return y;
}
