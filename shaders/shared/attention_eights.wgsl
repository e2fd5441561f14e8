// Eight neighbours of a row of q, k or v as f16, wherever its view stands. TENSOR stands for its name.
// @stand-in begin
enable f16;
const TENSOR_ON_WORDS = true;
const TENSOR_IS_WHOLE = false;
alias Raw_TENSOR = vec2<u32>;
fn raw_TENSOR(i: u32) -> Raw_TENSOR { return Raw_TENSOR(i); }
fn halves_TENSOR(raw: Raw_TENSOR) -> mat2x4<f16> { return mat2x4<f16>(); }
fn load_TENSOR(i: u32) -> f32 { return 0.0; }
// @stand-in end
fn four_TENSOR(i: u32) -> vec4<f16> {
  return vec4<f16>(vec4<f32>(load_TENSOR(i), load_TENSOR(i + 1u), load_TENSOR(i + 2u), load_TENSOR(i + 3u)));
}

// `dim` is a multiple of eight. Elements from `end` on count as zero whatever lies there.
fn eight_TENSOR(row_start: u32, dim: u32, end: u32) -> mat2x4<f16> {
  let i = row_start + dim;
  var eight: mat2x4<f16>;
  if (TENSOR_ON_WORDS) { eight = halves_TENSOR(raw_TENSOR(i)); }
  else { eight = mat2x4<f16>(four_TENSOR(i), four_TENSOR(i + 4u)); }
  if (TENSOR_IS_WHOLE) { return eight; }
  let dims = vec4<u32>(dim) + vec4<u32>(0u, 1u, 2u, 3u);
  return mat2x4<f16>(select(vec4<f16>(0.0), eight[0], dims < vec4<u32>(end)),
                     select(vec4<f16>(0.0), eight[1], dims + vec4<u32>(4u) < vec4<u32>(end)));
}
