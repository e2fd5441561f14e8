// The code of a product, given by its bits, in a floating format. FORMAT stands for its name.
// @stand-in begin
const SATURATE = true;
const MAX_FINITE = 0x43e00000u;
const MAGNITUDE = 0x7fffffffu;
fn encode_FORMAT_bits(bits: u32, saturate_overflow: bool) -> u32 { return bits; }
fn encode_FORMAT_magnitude(magnitude: u32) -> u32 { return magnitude; }
// @stand-in end
fn encode_product(product: u32, zero: i32) -> u32 {
  return encode_FORMAT_bits(product, SATURATE);
}

// The same of a product that is finite and not above the largest number, but for the rounding of scale and inverse.
// The minimum also keeps a compiler from fusing the product with the sum in which it is rounded.
fn encode_plain(product: f32, zero: i32) -> u32 {
  let bits = bitcast<u32>(product);
  return encode_FORMAT_magnitude(min(bits & MAGNITUDE, MAX_FINITE)) | ((bits >> 24u) & 0x80u);
}
