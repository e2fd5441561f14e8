// A factor of a product whose neighbours in memory are neighbours along k. TENSOR stands for its name; its rows are what
// is not summed over. Depths from `end` on, and rows past the last one, count as zero whatever lies there.
// @stand-in begin
const TENSOR_HAS_ZERO = false;
struct Params { TENSOR_rows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_TENSOR(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn zero_TENSOR(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
fn below(first: u32, end: u32) -> vec4<bool> { return vec4<bool>(first < end); }
fn at_TENSOR(item: u32, row: u32, depth: u32) -> u32 { return row + depth; }
// @stand-in end
// Four depths of a row that has them all.
fn whole_depths_TENSOR(item: u32, row: u32, depth: u32) -> vec4<f32> {
  var depths = load4_TENSOR(at_TENSOR(item, row, depth));
  if (TENSOR_HAS_ZERO) { depths -= zero_TENSOR(item, row, depth); }
  return depths;
}

fn depths_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> {
  if (row >= p.TENSOR_rows || depth >= end) {
    return vec4<f32>(0.0);
  }
  return select(vec4<f32>(0.0), whole_depths_TENSOR(item, row, depth), below(depth, end));
}

// Four depths of four rows: a vector of rows for each depth.
fn block_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(depths_TENSOR(item, row, depth, end), depths_TENSOR(item, row + 1u, depth, end),
                               depths_TENSOR(item, row + 2u, depth, end), depths_TENSOR(item, row + 3u, depth, end)));
}

// Four neighbours in memory.
fn line_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> {
  return depths_TENSOR(item, row, depth, end);
}
