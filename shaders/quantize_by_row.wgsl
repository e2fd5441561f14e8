// Scale and zero point come from the team's row; its first invocation writes them.
// @stand-in begin
struct Affine { scale: u32, zero: i32 }
struct Stretch { start: u32, end: u32, step: u32 }
fn extremes_of(stretch: Stretch) -> vec2<u32> { return vec2<u32>(stretch.start); }
fn team_extremes(local: u32, own: vec2<u32>) -> vec2<u32> { return own; }
fn affine_from(extremes: vec2<u32>) -> Affine { return Affine(extremes.x, 0); }
fn publish(index: u32, affine: Affine) { }
// @stand-in end
fn affine_of(index: u32, exists: bool, first: bool, local: u32, stretch: Stretch) -> Affine {
  let affine = affine_from(team_extremes(local, extremes_of(stretch)));
  if (exists && first) {
    publish(index, affine);
  }
  return affine;
}
