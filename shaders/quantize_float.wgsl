// The code of a product, given by its bits, in a floating format. FORMAT stands for its name.
// @stand-in begin
const SATURATE = true;
const STOCHASTIC = true;
const FRACTION_BITS = 3u;
const LARGEST = 0x7eu;
const MIN_EXPONENT = 121u;
const INFINITY = 0x7f800000u;
const MAX_FINITE = 0x43e00000u;
const MAGNITUDE = 0x7fffffffu;
fn encode_FORMAT_bits(bits: u32, saturate_overflow: bool) -> u32 { return bits; }
fn encode_FORMAT_magnitude(magnitude: u32) -> u32 { return magnitude; }
// @stand-in end
fn encode_product(product: u32, zero: i32, random: u32) -> u32 {
  if (STOCHASTIC) {
    return encode_random(product, random);
  }
  return encode_FORMAT_bits(product, SATURATE);
}

// The same of a product that is finite and not above the largest number, but for the rounding of scale and inverse.
// The minimum also keeps a compiler from fusing the product with the sum in which it is rounded.
fn encode_plain(product: f32, zero: i32) -> u32 {
  let bits = bitcast<u32>(product);
  return encode_FORMAT_magnitude(min(bits & MAGNITUDE, MAX_FINITE)) | ((bits >> 24u) & 0x80u);
}

// Rounds up where as many of the upper random bits as are cut off, at most 31, carry into the code.
fn encode_random(product: u32, random: u32) -> u32 {
  let magnitude = product & MAGNITUDE;
  let sign = (product >> 24u) & 0x80u;
  let exponent = magnitude >> 23u;
  let base = max(exponent, MIN_EXPONENT);
  let cut = 23u - FRACTION_BITS + (base - exponent);
  let shift = min(cut, 31u);
  let significand = ((magnitude & 0x7fffffu) | 0x800000u) >> min(cut - shift, 31u);
  let code = ((significand + (random >> (32u - shift))) >> shift) + ((base - MIN_EXPONENT) << FRACTION_BITS);
  let bounded = min(code, select(LARGEST + 1u, LARGEST, SATURATE));
  // Subnormals of f32 count as zero, NaN stays.
  return sign | select(select(bounded, 0u, exponent == 0u), 0x7fu, magnitude > INFINITY);
}
