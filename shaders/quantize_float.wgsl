// The code of a product, given by its bits, in a floating format. FORMAT stands for its name.
// @stand-in begin
const SATURATE = true;
fn encode_FORMAT_bits(bits: u32, saturate_overflow: bool) -> u32 { return bits; }
// @stand-in end
fn encode_product(product: u32, zero: i32) -> u32 {
  return encode_FORMAT_bits(product, SATURATE);
}
