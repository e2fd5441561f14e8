// Reads a tensor of F16 by the adapter's own type. TENSOR stands for its name.
// @stand-in begin
enable f16;
@group(0) @binding(1) var<storage, read> TENSOR: array<vec2<f16>>;
// @stand-in end
fn load_TENSOR(i: u32) -> f32 {
  return f32(TENSOR[i >> 1u][i & 1u]);
}

// Elements i to i + 3; i is even.
fn load4_TENSOR(i: u32) -> vec4<f32> {
  return vec4<f32>(vec4<f16>(TENSOR[i >> 1u], TENSOR[(i >> 1u) + 1u]));
}
