// The scale that takes the largest magnitude to the format's largest number.
// @stand-in begin
const MAX_FINITE = 0x43e00000u;
const MIN_NORMAL = 0x00800000u;
@group(0) @binding(1) var<storage, read_write> scale: array<u32>;
struct Affine { scale: u32, zero: i32 }
fn exact_divide(a: u32, b: u32) -> u32 { return a / b; }
// @stand-in end
fn affine_from(extremes: vec2<u32>) -> Affine {
  if (extremes.x == 0u) {
    return Affine(0x3f800000u, 0);
  }
  // Positive floats order like their bits. A scale below 2^-126 would have no finite inverse.
  return Affine(max(exact_divide(extremes.x, MAX_FINITE), MIN_NORMAL), 0);
}

fn publish(index: u32, affine: Affine) {
  scale[index] = affine.scale;
}
