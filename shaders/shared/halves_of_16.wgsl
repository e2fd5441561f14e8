// Eight neighbours of a tensor of F16, read as words: an H200 multiplies a tenth faster so than by loads of its own type.
// TENSOR stands for its name.
// @stand-in begin
enable f16;
@group(0) @binding(1) var<storage, read> TENSOR: array<vec4<u32>>;
// @stand-in end
alias Raw_TENSOR = vec4<u32>;

// Elements i to i + 7 as they are stored; i is a multiple of 8.
fn raw_TENSOR(i: u32) -> Raw_TENSOR {
  return TENSOR[i >> 3u];
}

// What was read so, as f16.
fn halves_TENSOR(raw: Raw_TENSOR) -> mat2x4<f16> {
  return mat2x4<f16>(vec4<f16>(vec4<f32>(unpack2x16float(raw.x), unpack2x16float(raw.y))),
                     vec4<f16>(vec4<f32>(unpack2x16float(raw.z), unpack2x16float(raw.w))));
}
