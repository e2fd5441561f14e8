// Where the elements of a factor of a product are, whose neighbours in memory are neighbours along k. TENSOR stands for its
// name; its rows are what is not summed over.
// @stand-in begin
const TENSOR_HAS_ZERO = false;
struct Params { TENSOR_pitch: u32, TENSOR_stride: u32, TENSOR_start: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_TENSOR(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn zero_TENSOR(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
// @stand-in end
fn at_TENSOR(item: u32, row: u32, depth: u32) -> u32 {
  return item * p.TENSOR_stride + row * p.TENSOR_pitch + p.TENSOR_start + depth;
}

// How far that many depths lie apart.
fn step_TENSOR(depths: u32, pitch: u32) -> u32 {
  return depths;
}

// Four depths of four rows that have them all, found at `at`: a vector of rows for each depth.
fn whole_block_TENSOR(at: u32, pitch: u32, item: u32, row: u32, depth: u32) -> mat4x4<f32> {
  var r0 = load4_TENSOR(at);
  var r1 = load4_TENSOR(at + pitch);
  var r2 = load4_TENSOR(at + 2u * pitch);
  var r3 = load4_TENSOR(at + 3u * pitch);
  if (TENSOR_HAS_ZERO) {
    r0 -= zero_TENSOR(item, row, depth);
    r1 -= zero_TENSOR(item, row + 1u, depth);
    r2 -= zero_TENSOR(item, row + 2u, depth);
    r3 -= zero_TENSOR(item, row + 3u, depth);
  }
  return transpose(mat4x4<f32>(r0, r1, r2, r3));
}
