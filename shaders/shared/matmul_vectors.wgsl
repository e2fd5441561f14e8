// What is taken off the elements of B that are read 16 bytes at a time. TENSOR stands for its name.
// @stand-in begin
const TENSOR_HAS_ZERO = false;
fn zero_TENSOR(item: u32, row: u32, depth: u32) -> f32 { return 0.0; }
// @stand-in end
fn zero_of_TENSOR(item: u32, row: u32, depth: u32) -> f32 {
  if (TENSOR_HAS_ZERO) { return zero_TENSOR(item, row, depth); }
  return 0.0;
}
