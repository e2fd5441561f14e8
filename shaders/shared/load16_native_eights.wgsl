// Reads a tensor of F16 by the adapter's own type, 16 bytes at a time: its rows and offsets are multiples of eight elements.
// TENSOR stands for its name.
// @stand-in begin
enable f16;
@group(0) @binding(1) var<storage, read> TENSOR: array<mat2x4<f16>>;
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return f32(TENSOR[i >> 3u][(i >> 2u) & 1u][i & 3u]);
}

// Elements i to i + 3; i is a multiple of 4.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  return vec4<f32>(TENSOR[i >> 3u][(i >> 2u) & 1u]);
}

// Elements i to i + 7 as they are stored; i is a multiple of 8.
fn halves_TENSOR(i: u32) -> mat2x4<f16> {
  return TENSOR[i >> 3u];
}
