// Eight neighbours of a row of q, k or v as f16, where eight fill whole words. TENSOR stands for its name.
// @stand-in begin
enable f16;
const TENSOR_IS_WHOLE = false;
alias Raw_TENSOR = vec2<u32>;
fn raw_TENSOR(i: u32) -> Raw_TENSOR { return Raw_TENSOR(i); }
fn halves_TENSOR(raw: Raw_TENSOR) -> mat2x4<f16> { return mat2x4<f16>(); }
// @stand-in end
alias Fetched_TENSOR = Raw_TENSOR;

// As they are stored; `dim` is a multiple of eight.
fn fetch_TENSOR(row_start: u32, dim: u32) -> Fetched_TENSOR {
  return raw_TENSOR(row_start + dim);
}

// Elements from `end` on count as zero whatever lies there.
fn eight_TENSOR(fetched: Fetched_TENSOR, dim: u32, end: u32) -> mat2x4<f16> {
  let eight = halves_TENSOR(fetched);
  if (TENSOR_IS_WHOLE) { return eight; }
  let dims = vec4<u32>(dim) + vec4<u32>(0u, 1u, 2u, 3u);
  return mat2x4<f16>(select(vec4<f16>(0.0), eight[0], dims < vec4<u32>(end)),
                     select(vec4<f16>(0.0), eight[1], dims + vec4<u32>(4u) < vec4<u32>(end)));
}
