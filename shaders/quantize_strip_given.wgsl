// The scales and zero points of four columns come from the caller.
// @stand-in begin
@group(0) @binding(1) var<storage, read> scale: array<u32>;
fn load_zero_point(i: u32) -> f32 { return f32(i); }
struct Affine { scale: u32, zero: i32, plain: bool }
fn existing(unit: u32) -> vec4<bool> { return vec4<bool>(true); }
// @stand-in end
fn affine_at(index: u32, exists: bool) -> Affine {
  if (!exists) {
    return Affine(0x3f800000u, 0, false);
  }
  return Affine(scale[index], i32(load_zero_point(index)), false);
}

// `index`: that of the first column's scale.
fn affines_of(strip: u32, unit: u32, index: u32) -> array<Affine, 4> {
  let exists = existing(unit);
  return array<Affine, 4>(affine_at(index, exists.x), affine_at(index + 1u, exists.y),
                          affine_at(index + 2u, exists.z), affine_at(index + 3u, exists.w));
}
