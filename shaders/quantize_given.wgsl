// Scale and zero point come from the caller.
// @stand-in begin
@group(0) @binding(1) var<storage, read> scale: array<u32>;
fn load_zero_point(i: u32) -> f32 { return f32(i); }
struct Affine { scale: u32, zero: i32, plain: bool }
struct Region { start: u32, end: u32, row: u32, row_end: u32 }
// @stand-in end
fn affine_of(index: u32, exists: bool, first: bool, local: u32, region: Region) -> Affine {
  if (!exists) {
    return Affine(0x3f800000u, 0, false);
  }
  return Affine(scale[index], i32(load_zero_point(index)), false);
}
