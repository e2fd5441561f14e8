// A factor of a product whose neighbours in memory are neighbouring rows: what is not summed over. TENSOR stands for its
// name. Depths from `end` on, and rows past the last one, count as zero whatever lies there.
// @stand-in begin
const TENSOR_HAS_ZERO = false;
struct Params { TENSOR_rows: u32, TENSOR_pitch: u32, TENSOR_stride: u32, TENSOR_start: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_TENSOR(i: u32) -> f32 { return f32(i); }
fn load4_TENSOR(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn zero_TENSOR(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
fn below(first: u32, end: u32) -> vec4<bool> { return vec4<bool>(first < end); }
// @stand-in end
fn at_TENSOR(item: u32, row: u32, depth: u32) -> u32 {
  return item * p.TENSOR_stride + depth * p.TENSOR_pitch + p.TENSOR_start + row;
}

fn element_TENSOR(item: u32, row: u32, depth: u32) -> f32 {
  var element = load_TENSOR(at_TENSOR(item, row, depth));
  if (TENSOR_HAS_ZERO) { element -= zero_TENSOR(item, row, depth); }
  return element;
}

// Four depths of a row that has them all.
fn whole_depths_TENSOR(item: u32, row: u32, depth: u32) -> vec4<f32> {
  return vec4<f32>(element_TENSOR(item, row, depth), element_TENSOR(item, row, depth + 1u),
                   element_TENSOR(item, row, depth + 2u), element_TENSOR(item, row, depth + 3u));
}

fn depths_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> {
  if (row >= p.TENSOR_rows || depth >= end) {
    return vec4<f32>(0.0);
  }
  return select(vec4<f32>(0.0), whole_depths_TENSOR(item, row, depth), below(depth, end));
}

// Four rows at one depth; what rows past the last one hold is not stored.
fn whole_rows_TENSOR(item: u32, row: u32, depth: u32) -> vec4<f32> {
  var rows = load4_TENSOR(at_TENSOR(item, row, depth));
  if (TENSOR_HAS_ZERO) {
    rows -= vec4<f32>(zero_TENSOR(item, row, depth), zero_TENSOR(item, row + 1u, depth),
                      zero_TENSOR(item, row + 2u, depth), zero_TENSOR(item, row + 3u, depth));
  }
  return rows;
}

// How far that many depths lie apart.
fn step_TENSOR(depths: u32, pitch: u32) -> u32 {
  return depths * pitch;
}

// Four depths of four rows that have them all, found at `at`: a vector of rows for each depth.
fn whole_block_TENSOR(at: u32, pitch: u32, item: u32, row: u32, depth: u32) -> mat4x4<f32> {
  let d0 = load4_TENSOR(at);
  let d1 = load4_TENSOR(at + pitch);
  let d2 = load4_TENSOR(at + 2u * pitch);
  let d3 = load4_TENSOR(at + 3u * pitch);
  var zeros = vec4<f32>(0.0);
  if (TENSOR_HAS_ZERO) {
    zeros = vec4<f32>(zero_TENSOR(item, row, depth), zero_TENSOR(item, row + 1u, depth),
                      zero_TENSOR(item, row + 2u, depth), zero_TENSOR(item, row + 3u, depth));
    return mat4x4<f32>(d0 - zeros, d1 - zeros, d2 - zeros, d3 - zeros);
  }
  return mat4x4<f32>(d0, d1, d2, d3);
}

// Four neighbours in memory.
fn line_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> {
  if (row >= p.TENSOR_rows || depth >= end) {
    return vec4<f32>(0.0);
  }
  return select(vec4<f32>(0.0), whole_rows_TENSOR(item, row, depth), below(row, p.TENSOR_rows));
}

fn block_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> {
  return mat4x4<f32>(line_TENSOR(item, row, depth, end), line_TENSOR(item, row, depth + 1u, end),
                     line_TENSOR(item, row, depth + 2u, end), line_TENSOR(item, row, depth + 3u, end));
}
