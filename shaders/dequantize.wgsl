// Dequantizes: out = (q - zero point) * scale.
// unit: four neighbouring elements of a row. workgroup -> LANES times UNITS of them; invocation -> every LANES-th.
// @stand-in begin
const LANES = 64u;
const UNITS = 1u;
const SCALE_ROW = 2u;
const SCALE_COLUMN = 2u;
const HAS_ZERO = true;
const WHOLE_UNITS = false;
struct Params {
  width: u32, row_units: u32, units: u32, q_pitch: u32, out_pitch: u32, matrix_rows: u32, scale_rows: u32,
  scale_rows_down: u32, scale_units: u32, scale_pitch: u32, groups: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
fn load4_q(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load_scale(i: u32) -> f32 { return f32(i); }
fn load_zero_point(i: u32) -> f32 { return f32(i); }
fn numbers_of(stored: vec4<u32>, zero: vec4<f32>, scale: vec4<u32>) -> vec4<u32> { return stored; }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
// The index of the first scale of a row. SCALE_ROW: 0 all rows share it, 1 every row has its own, 2 p.scale_rows rows of a
// matrix share it.
fn scale_row(row: u32) -> u32 {
  if (SCALE_ROW == 2u) {
    let matrix = row / p.matrix_rows;
    return (matrix * p.scale_rows_down + (row - matrix * p.matrix_rows) / p.scale_rows) * p.scale_pitch;
  }
  return select(0u, row * p.scale_pitch, SCALE_ROW == 1u);
}

// Four elements of a row from what is stored of them.
fn dequantized(stored: vec4<u32>, row: u32, column: u32) -> vec4<u32> {
  // SCALE_COLUMN: 0 all columns share a scale, 1 p.scale_units units do, 2 every column has its own.
  var index = vec4<u32>(scale_row(row));
  if (SCALE_COLUMN == 1u) {
    index += vec4<u32>(column / 4u / p.scale_units);
  }
  if (SCALE_COLUMN == 2u) {
    index += min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.width - 1u));
  }
  var scale = vec4<f32>(load_scale(index.x));
  var zero = vec4<f32>(0.0);
  if (HAS_ZERO) {
    zero = vec4<f32>(load_zero_point(index.x));
  }
  if (SCALE_COLUMN == 2u) {
    scale = vec4<f32>(scale.x, load_scale(index.y), load_scale(index.z), load_scale(index.w));
    if (HAS_ZERO) {
      zero = vec4<f32>(zero.x, load_zero_point(index.y), load_zero_point(index.z), load_zero_point(index.w));
    }
  }
  return numbers_of(stored, zero, bitcast<vec4<u32>>(scale));
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  // All is on its way before the first is decoded; units past the last one repeat it.
  // @repeat U UNITS
  let unit_U = (tile * UNITS + U) * LANES + local;
  let there_U = min(unit_U, p.units - 1u);
  // Rows of whole units have no gaps between them. Divisions cost more than all the rest on a CPU.
  var row_U = 0u;
  if (SCALE_ROW > 0u || SCALE_COLUMN > 0u || !WHOLE_UNITS) {
    row_U = there_U / p.row_units;
  }
  let column_U = (there_U - row_U * p.row_units) * 4u;
  let stored_U = bitcast<vec4<u32>>(load4_q(row_U * p.q_pitch + column_U));
  // @end
  // @repeat U UNITS
  if (unit_U < p.units) {
    let count = select(min(4u, p.width - column_U), 4u, WHOLE_UNITS);
    let result = dequantized(stored_U, row_U, column_U);
    store4_out(row_U * p.out_pitch + column_U, bitcast<vec4<f32>>(result), count);
  }
  // @end
}
