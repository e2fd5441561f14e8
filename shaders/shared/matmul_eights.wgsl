// Eight neighbours in memory of a factor of a product as f16: depths of a row, or rows at a depth. TENSOR stands for its
// name. They are read as they are stored and decoded where they are used: whoever decodes waits for the memory.
// @stand-in begin
enable f16;
const TENSOR_HAS_ZERO = false;
const TENSOR_BY_DEPTH = true;
struct Params { TENSOR_rows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
alias Raw_TENSOR = vec2<u32>;
fn raw_TENSOR(i: u32) -> Raw_TENSOR { return Raw_TENSOR(i); }
fn halves_TENSOR(raw: Raw_TENSOR) -> mat2x4<f16> { return mat2x4<f16>(); }
fn at_TENSOR(item: u32, row: u32, depth: u32) -> u32 { return row + depth; }
fn zero_TENSOR(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
fn below(first: u32, end: u32) -> vec4<bool> { return vec4<bool>(first < end); }
// @stand-in end
// Past the last row or depth, too, where something else is read, or nothing, and not used: an H200 multiplies a quarter
// faster than with a condition here.
fn raw_eight_TENSOR(item: u32, row: u32, depth: u32) -> Raw_TENSOR {
  return raw_TENSOR(at_TENSOR(item, row, depth));
}

fn zeros_TENSOR(item: u32, row: u32, depth: u32) -> vec4<f32> {
  if (TENSOR_BY_DEPTH) {
    return vec4<f32>(zero_TENSOR(item, row, depth));
  }
  return vec4<f32>(zero_TENSOR(item, row, depth), zero_TENSOR(item, row + 1u, depth),
                   zero_TENSOR(item, row + 2u, depth), zero_TENSOR(item, row + 3u, depth));
}

// All of them are there.
fn eight_TENSOR(raw: Raw_TENSOR, item: u32, row: u32, depth: u32) -> mat2x4<f16> {
  let eight = halves_TENSOR(raw);
  if (!TENSOR_HAS_ZERO) {
    return eight;
  }
  let second = select(4u, 0u, TENSOR_BY_DEPTH);
  return mat2x4<f16>(vec4<f16>(vec4<f32>(eight[0]) - zeros_TENSOR(item, row, depth)),
                     vec4<f16>(vec4<f32>(eight[1]) - zeros_TENSOR(item, row + second, depth)));
}

// Depths from `end` on, and rows past the last one, count as zero whatever lies there.
fn some_of_eight_TENSOR(eight: mat2x4<f16>, row: u32, depth: u32, end: u32) -> mat2x4<f16> {
  if (row >= p.TENSOR_rows || depth >= end) {
    return mat2x4<f16>();
  }
  let first = select(row, depth, TENSOR_BY_DEPTH);
  let last = select(p.TENSOR_rows, end, TENSOR_BY_DEPTH);
  return mat2x4<f16>(select(vec4<f16>(0.0), eight[0], below(first, last)),
                     select(vec4<f16>(0.0), eight[1], below(first + 4u, last)));
}
