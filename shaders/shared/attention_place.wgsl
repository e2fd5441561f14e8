// Where a workgroup of attention works. A row is a query of one of the heads that share a kv head:
// row = query * group + head within the group, counted from the sequence's first query.
// @stand-in begin
const FOLDS = true;
const SPLITS = true;
const HAS_LOW = true;
const HAS_HIGH = true;
const ALIGN_ENDS = true;
const TILE_ROWS = 32u;
const TILE_KEYS = 32u;
struct Params { kv_heads: u32, group: u32, tiles: u32, slices: u32, splits: u32, split_keys: u32, low: i32, high: i32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Sequence { tile: u32, query0: u32, queries: u32, key0: u32, keys: u32 }
fn sequence_of(tile: u32) -> Sequence { return Sequence(tile, 0u, 1u, 0u, 1u); }
// @stand-in end
struct Place {
  item: u32,
  kv_head: u32,
  // Of the columns of the values, and of the keys.
  slice: u32,
  split: u32,
  // The tile's first row, and the rows of the sequence.
  row0: u32,
  rows: u32,
  // Where the sequence's first query lies.
  query0: u32,
  // The keys that some row of the tile sees by its place, as they lie; the first is a whole number of TILE_KEYS behind the
  // sequence's first one, so that a query's blocks of keys do not depend on its tile.
  key_begin: u32,
  key_end: u32,
  // A query sees the keys with low <= key - query <= high, as they lie.
  low: i32,
  high: i32,
}

struct Row {
  // Counted in the sequence; rows from the end on repeat the last one, see no key and are never stored.
  index: u32,
  exists: bool,
  query: u32,
  head: u32,
}

fn place_of(index: u32) -> Place {
  let tile = index / (p.slices * p.splits);
  let both = tile / p.tiles;
  let sequence = sequence_of(tile % p.tiles);
  let rows = sequence.queries * p.group;
  let row0 = sequence.tile * TILE_ROWS;
  var first_query = row0;
  var last_query = max(min(row0 + TILE_ROWS, rows), 1u) - 1u;
  if (FOLDS) {
    first_query /= p.group;
    last_query /= p.group;
  }
  let keys = i32(sequence.keys);
  var low = p.low;
  var high = p.high;
  if (ALIGN_ENDS) {
    let ends = keys - i32(sequence.queries);
    low = clamp(low + ends, -i32(sequence.queries), keys);
    high = clamp(high + ends, -i32(sequence.queries), keys);
  }
  var begin = 0u;
  var end = sequence.keys;
  if (HAS_LOW) { begin = u32(clamp(i32(first_query) + low, 0, keys)) / TILE_KEYS * TILE_KEYS; }
  if (HAS_HIGH) { end = u32(clamp(i32(last_query) + high + 1, 0, keys)); }
  let split = index / p.slices % p.splits;
  if (SPLITS) {
    begin = max(begin, split * p.split_keys);
    end = min(end, split * p.split_keys + p.split_keys);
  }
  let shift = i32(sequence.key0) - i32(sequence.query0);
  return Place(both / p.kv_heads, both % p.kv_heads, index % p.slices, split, row0, rows, sequence.query0,
               sequence.key0 + begin, sequence.key0 + end, low + shift, high + shift);
}

fn row_of(place: Place, row: u32) -> Row {
  let index = min(row, place.rows - 1u);
  var query = index;
  var head = 0u;
  if (FOLDS) {
    query = index / p.group;
    head = index - query * p.group;
  }
  return Row(index, row < place.rows, place.query0 + query, place.kv_head * p.group + head);
}
