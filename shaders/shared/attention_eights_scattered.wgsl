// Eight neighbours of a row of q, k or v as f16, wherever its view stands. TENSOR stands for its name.
// @stand-in begin
enable f16;
fn load_TENSOR(i: u32) -> f32 { return 0.0; }
// @stand-in end
// What Raw_TENSOR and raw_TENSOR are where eight fill whole words.
alias Raw_TENSOR = mat2x4<f16>;

fn four_TENSOR(i: u32) -> vec4<f16> {
  return vec4<f16>(vec4<f32>(load_TENSOR(i), load_TENSOR(i + 1u), load_TENSOR(i + 2u), load_TENSOR(i + 3u)));
}

fn raw_TENSOR(i: u32) -> Raw_TENSOR {
  return mat2x4<f16>(four_TENSOR(i), four_TENSOR(i + 4u));
}

fn halves_TENSOR(raw: Raw_TENSOR) -> mat2x4<f16> {
  return raw;
}
