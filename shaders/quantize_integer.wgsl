// The code of a product, given by its bits, as I8: rounded to nearest, ties to even, then moved by the zero point.
// @stand-in begin
const ASYMMETRIC = true;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
// @stand-in end
const TWO_TO_20 = 0x49800000u;

fn encode_product(product: u32, zero: i32) -> u32 {
  let magnitude = product & MAGNITUDE;
  // NaN counts as 0. What is beyond 2^20 saturates with any zero point of 8 bits.
  let bounded = select(min(magnitude, TWO_TO_20), 0u, magnitude > INFINITY);
  let nearest = i32(round(bitcast<f32>(bounded)));
  let code = select(nearest, -nearest, product != magnitude) + zero;
  return bitcast<u32>(clamp(code, select(-127, -128, ASYMMETRIC), 127)) & 0xffu;
}
