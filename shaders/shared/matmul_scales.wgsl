// The scales and zero points of a factor of a product. TENSOR stands for its name, TENSOR_PER says whose they are: 0 none
// (a zero point is the tensor's), 1 the tensor's, 2 a row's, 3 a row's for a group of neighbours along k.
// @stand-in begin
const TENSOR_PER = 3u;
const TENSOR_BY_DEPTH = true;
struct Params { TENSOR_group: u32, TENSOR_scale_stride: u32, TENSOR_scale_pitch: u32, TENSOR_scale_start: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_TENSOR_scale(i: u32) -> f32 { return 1.0; }
fn load_TENSOR_zero(i: u32) -> f32 { return 0.0; }
// @stand-in end
fn scale_index_TENSOR(item: u32, row: u32, depth: u32) -> u32 {
  if (TENSOR_PER < 2u) {
    return 0u;
  }
  let first = item * p.TENSOR_scale_stride + p.TENSOR_scale_start;
  if (TENSOR_PER == 2u) {
    return first + row;
  }
  let group = depth / p.TENSOR_group;
  if (TENSOR_BY_DEPTH) {
    return first + row * p.TENSOR_scale_pitch + group;
  }
  return first + group * p.TENSOR_scale_pitch + row;
}

fn scale_TENSOR(item: u32, row: u32, depth: u32) -> f32 {
  return load_TENSOR_scale(scale_index_TENSOR(item, row, depth));
}

fn zero_TENSOR(item: u32, row: u32, depth: u32) -> f32 {
  return load_TENSOR_zero(scale_index_TENSOR(item, row, depth));
}

fn scale4_TENSOR(item: u32, row: u32, depth: u32) -> vec4<f32> {
  return vec4<f32>(scale_TENSOR(item, row, depth), scale_TENSOR(item, row + 1u, depth),
                   scale_TENSOR(item, row + 2u, depth), scale_TENSOR(item, row + 3u, depth));
}
