// Scale and zero point come from the partial extremes of the dispatch before; the first invocation of all writes them.
// Every workgroup merges all the partials again: they are few, and it saves a dispatch.
// @stand-in begin
const TEAM = 64u;
struct Params { partials_start: u32, partials: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scratch: array<u32>;
struct Affine { scale: u32, zero: i32, plain: bool }
struct Region { start: u32, end: u32, row: u32, row_end: u32 }
alias Extremes = vec3<u32>;
fn team_extremes(local: u32, own: Extremes) -> Extremes { return own; }
fn affine_from(extremes: Extremes) -> Affine { return Affine(extremes.x, 0, true); }
fn publish(index: u32, affine: Affine) { }
// @stand-in end
fn affine_of(index: u32, exists: bool, first: bool, local: u32, region: Region) -> Affine {
  var own = Extremes(0u);
  for (var partial = local % TEAM; partial < p.partials; partial += TEAM) {
    let word = p.partials_start + partial * 3u;
    own = max(own, Extremes(scratch[word], scratch[word + 1u], scratch[word + 2u]));
  }
  let affine = affine_from(team_extremes(local, own));
  if (exists && first) {
    publish(index, affine);
  }
  return affine;
}
