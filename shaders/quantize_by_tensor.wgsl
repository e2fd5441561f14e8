// Scale and zero point come from the partial extremes of the dispatch before; the first invocation of all writes them.
// Every workgroup merges all the partials again: they are few, and it saves a dispatch.
// @stand-in begin
const TEAM = 64u;
struct Params { partials: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scratch: array<u32>;
struct Affine { scale: u32, zero: i32 }
struct Stretch { start: u32, end: u32, step: u32 }
fn team_extremes(local: u32, own: vec2<u32>) -> vec2<u32> { return own; }
fn affine_from(extremes: vec2<u32>) -> Affine { return Affine(extremes.x, 0); }
fn publish(index: u32, affine: Affine) { }
// @stand-in end
fn affine_of(index: u32, exists: bool, first: bool, local: u32, stretch: Stretch) -> Affine {
  var own = vec2<u32>(0u);
  for (var partial = local % TEAM; partial < p.partials; partial += TEAM) {
    own = max(own, vec2<u32>(scratch[partial * 2u], scratch[partial * 2u + 1u]));
  }
  let affine = affine_from(team_extremes(local, own));
  if (exists && first) {
    publish(index, affine);
  }
  return affine;
}
