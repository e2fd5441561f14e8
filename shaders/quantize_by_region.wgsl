// Scale and zero point come from the team's region; its first invocation writes them.
// @stand-in begin
struct Affine { scale: u32, zero: i32, plain: bool }
struct Region { start: u32, end: u32, row: u32, row_end: u32 }
alias Extremes = vec3<u32>;
fn extremes_of(region: Region) -> Extremes { return Extremes(region.start); }
fn team_extremes(local: u32, own: Extremes) -> Extremes { return own; }
fn affine_from(extremes: Extremes) -> Affine { return Affine(extremes.x, 0, true); }
fn publish(index: u32, affine: Affine) { }
// @stand-in end
fn affine_of(index: u32, exists: bool, first: bool, local: u32, region: Region) -> Affine {
  let affine = affine_from(team_extremes(local, extremes_of(region)));
  if (exists && first) {
    publish(index, affine);
  }
  return affine;
}
