// Which tile a workgroup takes: workgroups that run at once lie in a band of 8 rows of tiles, column by column, so that they
// share few rows of A and few columns of B, which stay in the cache.
// @stand-in begin
struct Params { tiles_m: u32, tiles_n: u32 }
@group(0) @binding(0) var<uniform> p: Params;
// @stand-in end
const BAND = 8u;

// The row and the column of tiles.
fn tile_at(index: u32) -> vec2<u32> {
  let first = index / (BAND * p.tiles_n) * BAND;
  let rows = min(BAND, p.tiles_m - first);
  let within = index - first * p.tiles_n;
  return vec2<u32>(first + within % rows, within / rows);
}
