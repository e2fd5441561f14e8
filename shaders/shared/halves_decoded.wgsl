// Eight neighbours of a tensor whose elements f16 holds. TENSOR stands for its name.
// @stand-in begin
enable f16;
fn load_eight_TENSOR(i: u32) -> mat2x4<f32> { return mat2x4<f32>(); }
// @stand-in end
alias Raw_TENSOR = mat2x4<f16>;

// Elements i to i + 7; i is where load_eight may start.
fn raw_TENSOR(i: u32) -> Raw_TENSOR {
  let eight = load_eight_TENSOR(i);
  return mat2x4<f16>(vec4<f16>(eight[0]), vec4<f16>(eight[1]));
}

fn halves_TENSOR(raw: Raw_TENSOR) -> mat2x4<f16> {
  return raw;
}
