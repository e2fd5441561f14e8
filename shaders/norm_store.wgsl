// Writes the normalised row.
// @stand-in begin
struct Params { width: u32, out_pitch: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_x4(row: u32, column: u32) -> vec4<f32> { return vec4<f32>(1.0); }
fn finished(row: u32, column: u32, normalised: vec4<f32>) -> vec4<f32> { return normalised; }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
// @stand-in end
// Every invocation of a row comes here: it starts at a column of its own, and takes every step-th group of four.
fn deliver(row: u32, start: u32, step: u32, mean: f32, correction: f32, inverse: f32) {
  for (var column = start; column < p.width; column += step) {
    let y = finished(row, column, (load_x4(row, column) - mean - correction) * inverse);
    store4_out(row * p.out_pitch + column, y, min(4u, p.width - column));
  }
}
