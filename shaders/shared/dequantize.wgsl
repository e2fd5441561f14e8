// (code - zero point) * scale, all by their bits.
// @stand-in begin
const HAS_ZERO = true;
const POWERS = true;
const HAS_NAN = true;
const HAS_SUBNORMAL = true;
const ONE_NAN = true;
const INFINITY = 0x7f800000u;
const MIN_NORMAL = 0x00800000u;
const MAGNITUDE = 0x7fffffffu;
// @stand-in end
const SIGN = 0x80000000u;

// POWERS: the scale is a power of two or NaN. HAS_NAN: codes may stand for NaN or infinity, HAS_SUBNORMAL: for f32 below
// 2^-126. ONE_NAN: all NaN are the same, whatever decodes them.
fn numbers_of(stored: vec4<u32>, zero: vec4<f32>, scale: vec4<u32>) -> vec4<u32> {
  var factor = scale & vec4<u32>(MAGNITUDE);
  var half = vec4<f32>(1.0);
  var lost = vec4<bool>(false);
  if (POWERS) {
    // The least power of two, a subnormal f32, is applied in two steps; NaN, which takes the whole block, by bits.
    half = select(vec4<f32>(1.0), vec4<f32>(0.5), factor < vec4<u32>(MIN_NORMAL));
    lost = factor > vec4<u32>(INFINITY);
    factor = select(max(factor, vec4<u32>(MIN_NORMAL)), vec4<u32>(MIN_NORMAL), lost);
  }
  let scale_sign = scale & vec4<u32>(SIGN);
  let magnitude = stored & vec4<u32>(MAGNITUDE);
  // NaN and infinity are not computed with, and subnormals count as zero: all three become zeros of their sign here.
  var ordinary = vec4<bool>(true);
  if (HAS_NAN) { ordinary = magnitude < vec4<u32>(INFINITY); }
  if (HAS_SUBNORMAL) { ordinary = ordinary & (magnitude >= vec4<u32>(MIN_NORMAL)); }
  var value = bitcast<vec4<f32>>(select(stored & vec4<u32>(SIGN), stored, ordinary));
  if (HAS_ZERO) {
    value -= zero;
  }
  // WGSL lets the sign of a zero go, so it is put on by bits.
  let bits = bitcast<vec4<u32>>(value);
  let product = bitcast<vec4<u32>>(bitcast<vec4<f32>>(bits & vec4<u32>(MAGNITUDE)) * bitcast<vec4<f32>>(factor) * half);
  var result = ((bits & vec4<u32>(SIGN)) ^ scale_sign) | (product & vec4<u32>(MAGNITUDE));
  // NaN stays as it is, infinity takes the scale's sign.
  if (HAS_NAN) {
    result = select(result, stored ^ scale_sign, magnitude == vec4<u32>(INFINITY));
    let nan = select(stored, (stored & vec4<u32>(SIGN)) | vec4<u32>(0x7fc00000u), vec4<bool>(ONE_NAN));
    result = select(result, nan, magnitude > vec4<u32>(INFINITY));
  }
  if (POWERS) {
    result = select(result, (stored & vec4<u32>(SIGN)) | vec4<u32>(0x7fc00000u), lost);
  }
  return result;
}
