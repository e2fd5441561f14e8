// Words of four depths of a factor of I8 whose neighbours in memory are neighbouring rows. TENSOR stands for its name.
// @stand-in begin
struct Params { TENSOR_rows: u32, TENSOR_pitch: u32, TENSOR_stride: u32, TENSOR_start: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> TENSOR: array<u32>;
// @stand-in end
fn word_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> u32 {
  if (row >= p.TENSOR_rows || depth >= end) {
    return 0u;
  }
  return TENSOR[(item * p.TENSOR_stride + depth * p.TENSOR_pitch + p.TENSOR_start + row) / 4u];
}

// A word for each of four rows: four words of four rows, with bytes exchanged. Depths from `end` on count as zero; what
// rows past the last one hold is not stored.
fn packed_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> vec4<u32> {
  let w0 = word_TENSOR(item, row, depth, end);
  let w1 = word_TENSOR(item, row, depth + 1u, end);
  let w2 = word_TENSOR(item, row, depth + 2u, end);
  let w3 = word_TENSOR(item, row, depth + 3u, end);
  let even = vec4<u32>(w0, w1, w2, w3) & vec4<u32>(0x00ff00ffu);
  let odd = (vec4<u32>(w0, w1, w2, w3) >> vec4<u32>(8u)) & vec4<u32>(0x00ff00ffu);
  return vec4<u32>(
    (even.x & 0xffffu) | ((even.y & 0xffffu) << 8u) | (even.z << 16u) | (even.w << 24u),
    (odd.x & 0xffffu) | ((odd.y & 0xffffu) << 8u) | (odd.z << 16u) | (odd.w << 24u),
    (even.x >> 16u) | ((even.y >> 16u) << 8u) | (even.z & 0xff0000u) | ((even.w & 0xff0000u) << 8u),
    (odd.x >> 16u) | ((odd.y >> 16u) << 8u) | (odd.z & 0xff0000u) | ((odd.w & 0xff0000u) << 8u));
}
