// How every norm variant reads a row, and what it does with four normalised elements: weight, bias, modulation, store.
// @stand-in begin
const HAS_WEIGHT = true;
const HAS_BIAS = true;
const HAS_MODULATION = true;
struct Params { rows: u32, width: u32, x_pitch: u32, out_pitch: u32, modulation_width: u32, shift: u32, scale: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_weight(i: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn load4_bias(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn load4_modulation(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
// @stand-in end
// Four columns from `column`, a multiple of 4; whatever lies beyond the row's end comes along.
fn load_x4(row: u32, column: u32) -> vec4<f32> {
  return load4_x(row * p.x_pitch + column);
}

// Zeros in place of the columns beyond the row's end.
fn inside(column: u32, v: vec4<f32>) -> vec4<f32> {
  return select(vec4<f32>(0.0), v, vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.width));
}

fn finish(row: u32, column: u32, normalised: vec4<f32>) {
  var y = normalised;
  if (HAS_WEIGHT) { y *= load4_weight(column); }
  if (HAS_BIAS) { y += load4_bias(column); }
  if (HAS_MODULATION) {
    let start = row / p.rows * p.modulation_width + column;
    y = y * (1.0 + load4_modulation(start + p.scale)) + load4_modulation(start + p.shift);
  }
  store4_out(row * p.out_pitch + column, y, min(4u, p.width - column));
}
