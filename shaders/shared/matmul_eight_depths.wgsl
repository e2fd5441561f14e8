// Eight depths of a row of a factor of a product, from f16. TENSOR stands for its name.
// @stand-in begin
enable f16;
const TENSOR_HAS_ZERO = false;
alias Raw_TENSOR = vec2<u32>;
fn raw_TENSOR(i: u32) -> Raw_TENSOR { return Raw_TENSOR(i); }
fn halves_TENSOR(raw: Raw_TENSOR) -> mat2x4<f16> { return mat2x4<f16>(); }
fn at_TENSOR(item: u32, row: u32, depth: u32) -> u32 { return row + depth; }
fn zero_TENSOR(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
// @stand-in end
fn eight_TENSOR(item: u32, row: u32, depth: u32) -> mat2x4<f32> {
  let halves = halves_TENSOR(raw_TENSOR(at_TENSOR(item, row, depth)));
  var zero = 0.0;
  if (TENSOR_HAS_ZERO) { zero = zero_TENSOR(item, row, depth); }
  return mat2x4<f32>(vec4<f32>(halves[0]) - zero, vec4<f32>(halves[1]) - zero);
}
