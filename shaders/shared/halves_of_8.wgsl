// Eight neighbours of a tensor of 8 bits as f16. TENSOR and FORMAT stand for its names.
// @stand-in begin
enable f16;
@group(0) @binding(1) var<storage, read> TENSOR: array<vec2<u32>>;
fn halves4_FORMAT(word: u32) -> vec4<f16> { return vec4<f16>(f16(word)); }
// @stand-in end
alias Raw_TENSOR = vec2<u32>;

// Elements i to i + 7 as they are stored; i is a multiple of 8.
fn raw_TENSOR(i: u32) -> Raw_TENSOR {
  return TENSOR[i >> 3u];
}

// What was read so, as f16.
fn halves_TENSOR(raw: Raw_TENSOR) -> mat2x4<f16> {
  return mat2x4<f16>(halves4_FORMAT(raw.x), halves4_FORMAT(raw.y));
}
