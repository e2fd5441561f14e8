// Writes the numbers that the codes of a unit stand for, in place of the codes. FORMAT stands for the name of theirs.
// @stand-in begin
const FLAT = true;
const WHOLE_UNITS = true;
struct Params { width: u32, row_units: u32, out_pitch: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn decode_FORMAT(code: u32) -> f32 { return f32(code); }
fn numbers_of(stored: vec4<u32>, zero: vec4<f32>, scale: vec4<u32>) -> vec4<u32> { return stored; }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
// @stand-in end
fn put(row: u32, unit: u32, codes: vec4<u32>, scale: vec4<u32>, zero: vec4<i32>) {
  var of_row = row;
  var column = unit * 4u;
  if (FLAT) {
    of_row = unit / p.row_units;
    column = (unit - of_row * p.row_units) * 4u;
  }
  let decoded = vec4<f32>(decode_FORMAT(codes.x), decode_FORMAT(codes.y), decode_FORMAT(codes.z), decode_FORMAT(codes.w));
  let numbers = numbers_of(bitcast<vec4<u32>>(decoded), vec4<f32>(zero), scale);
  store4_out(of_row * p.out_pitch + column, bitcast<vec4<f32>>(numbers), min(4u, p.width - column));
}
