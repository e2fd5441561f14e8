// The code of a product, given by its bits, as I8: rounded to nearest, ties to even, then moved by the zero point.
// @stand-in begin
const ASYMMETRIC = true;
const STOCHASTIC = true;
const MAGNITUDE = 0x7fffffffu;
const INFINITY = 0x7f800000u;
// @stand-in end
const TWO_TO_20 = 0x49800000u;
// 1.5 * 2^23: the low bits of its sum with an integer are that integer, in two's complement.
const ONES = 12582912.0;
const ONES_BITS = 0x4b400000u;

fn encode_product(product: u32, zero: i32, random: u32) -> u32 {
  let magnitude = product & MAGNITUDE;
  // NaN counts as 0. What is beyond 2^20 saturates with any zero point of 8 bits.
  let bounded = select(min(magnitude, TWO_TO_20), 0u, magnitude > INFINITY);
  if (STOCHASTIC) {
    // Away from zero where a multiple of 2^-24 is below the fraction; all of it is exact.
    let whole = trunc(bitcast<f32>(bounded));
    let up = f32(random >> 8u) < (bitcast<f32>(bounded) - whole) * 16777216.0;
    let raised = bitcast<u32>(whole + select(0.0, 1.0, up));
    return moved(bitcast<f32>(raised | (product & ~MAGNITUDE)), zero);
  }
  return moved(bitcast<f32>(bounded | (product & ~MAGNITUDE)), zero);
}

fn moved(product: f32, zero: i32) -> u32 {
  let code = bitcast<i32>(bitcast<u32>(round(product) + ONES) - ONES_BITS) + zero;
  return bitcast<u32>(clamp(code, select(-127, -128, ASYMMETRIC), 127)) & 0xffu;
}

// The same of a product that is finite and in the range of the codes, but for the rounding of scale and inverse.
fn encode_plain(product: f32, zero: i32) -> u32 {
  if (ASYMMETRIC) {
    return moved(product, zero);
  }
  return bitcast<u32>(round(product) + ONES) & 0xffu;
}
