// Writes single words of a tensor by their bits: infinity cannot be written as a number. TENSOR stands for its name.
// @stand-in begin
@group(0) @binding(1) var<storage, read_write> TENSOR: array<u32>;
// @stand-in end
fn store_bits_TENSOR(i: u32, bits: u32) {
  TENSOR[i] = bits;
}
