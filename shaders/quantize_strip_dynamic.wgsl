// The scales and zero points of four columns, from their extremes.
// @stand-in begin
struct FourExtremes { positive: vec4<u32>, negative: vec4<u32> }
struct Affine { scale: u32, zero: i32, plain: bool }
alias Extremes = vec3<u32>;
fn extremes_of(strip: u32, unit: u32) -> FourExtremes { return FourExtremes(vec4<u32>(strip), vec4<u32>(unit)); }
fn publishes(strip: u32) -> bool { return true; }
fn affine_from(extremes: Extremes) -> Affine { return Affine(extremes.x, 0, true); }
fn publish(index: u32, affine: Affine) { }
fn existing(unit: u32) -> vec4<bool> { return vec4<bool>(true); }
// @stand-in end
fn affine_of(extremes: FourExtremes, column: u32) -> Affine {
  return affine_from(Extremes(extremes.positive[column], extremes.negative[column], 0u));
}

// `index`: that of the first column's scale.
fn affines_of(strip: u32, unit: u32, index: u32) -> array<Affine, 4> {
  let found = extremes_of(strip, unit);
  let affines = array<Affine, 4>(affine_of(found, 0u), affine_of(found, 1u), affine_of(found, 2u), affine_of(found, 3u));
  if (publishes(strip)) {
    let exists = existing(unit);
    publish(index, affines[0]);
    if (exists.y) { publish(index + 1u, affines[1]); }
    if (exists.z) { publish(index + 2u, affines[2]); }
    if (exists.w) { publish(index + 3u, affines[3]); }
  }
  return affines;
}
