// The scale that takes the largest magnitude to the format's largest number.
// @stand-in begin
const MAX_FINITE = 0x43e00000u;
const MIN_NORMAL = 0x00800000u;
@group(0) @binding(1) var<storage, read_write> scale: array<u32>;
struct Affine { scale: u32, zero: i32, plain: bool }
alias Extremes = vec3<u32>;
fn exact_divide(a: u32, b: u32) -> u32 { return a / b; }
// @stand-in end
const TWO_TO_MINUS_100 = 0x0d800000u;

fn affine_from(extremes: Extremes) -> Affine {
  if (extremes.x == 0u) {
    return Affine(0x3f800000u, 0, extremes.z == 0u);
  }
  // Positive floats order like their bits. A scale below 2^-126 would have no finite inverse.
  let scale = max(exact_divide(extremes.x, MAX_FINITE), MIN_NORMAL);
  return Affine(scale, 0, extremes.z == 0u && scale >= TWO_TO_MINUS_100);
}

fn publish(index: u32, affine: Affine) {
  scale[index] = affine.scale;
}
