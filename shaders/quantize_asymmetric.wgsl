// The scale and the zero point that spread the range from the least to the largest element over the codes -128 to 127.
// extremes.x is the largest element, or 0; extremes.y is the least one negated, or 0: the range contains 0.
// @stand-in begin
const MIN_NORMAL = 0x00800000u;
@group(0) @binding(1) var<storage, read_write> scale: array<u32>;
@group(0) @binding(2) var<storage, read_write> zero_point: array<u32>;
struct Affine { scale: u32, zero: i32, plain: bool }
alias Extremes = vec3<u32>;
fn exact_add(a: u32, b: u32) -> u32 { return a + b; }
fn exact_divide(a: u32, b: u32) -> u32 { return a / b; }
// @stand-in end
const STEPS = 0x437f0000u;       // 255
const HALF_STEPS = 0x42ff0000u;  // 127.5
const TWO_TO_127 = 0x7f000000u;
const TWO_TO_MINUS_100 = 0x0d800000u;

fn affine_from(extremes: Extremes) -> Affine {
  var larger = max(extremes.x, extremes.y);
  var smaller = min(extremes.x, extremes.y);
  if (larger == 0u) {
    return Affine(0x3f800000u, -128, extremes.z == 0u);
  }
  // Where their sum may leave f32 it is taken of their halves. A half that would be subnormal does not count in it.
  var steps = STEPS;
  if (larger >= TWO_TO_127) {
    steps = HALF_STEPS;
    larger -= MIN_NORMAL;
    smaller = select(0u, smaller - MIN_NORMAL, smaller >= 2u * MIN_NORMAL);
  }
  let scale = max(exact_divide(exact_add(larger, smaller), steps), MIN_NORMAL);
  var below = 0u;
  if (extremes.y > 0u) {
    below = exact_divide(extremes.y, scale);
  }
  let plain = extremes.z == 0u && scale >= TWO_TO_MINUS_100;
  return Affine(scale, i32(round(bitcast<f32>(below))) - 128, plain);
}

fn publish(index: u32, affine: Affine) {
  scale[index] = affine.scale;
  zero_point[index] = bitcast<u32>(affine.zero);
}
