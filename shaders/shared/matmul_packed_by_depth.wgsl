// Words of four depths of a factor of I8 whose neighbours in memory are neighbours along k. TENSOR stands for its name.
// @stand-in begin
struct Params { TENSOR_rows: u32, TENSOR_pitch: u32, TENSOR_stride: u32, TENSOR_start: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> TENSOR: array<u32>;
// @stand-in end
fn word_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> u32 {
  if (row >= p.TENSOR_rows || depth >= end) {
    return 0u;
  }
  let word = TENSOR[(item * p.TENSOR_stride + row * p.TENSOR_pitch + p.TENSOR_start + depth) / 4u];
  // Keeps the bytes before the end; a shift by 32 is not one.
  let kept = min(end - depth, 4u);
  return word & (0xffffffffu >> ((4u - kept) * 8u));
}

// A word for each of four rows. Depths from `end` on, and rows past the last one, count as zero.
fn packed_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> vec4<u32> {
  return vec4<u32>(word_TENSOR(item, row, depth, end), word_TENSOR(item, row + 1u, depth, end),
                   word_TENSOR(item, row + 2u, depth, end), word_TENSOR(item, row + 3u, depth, end));
}
