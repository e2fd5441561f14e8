// Lists the sequences of attention: for each, its first tile, where its queries start, how many there are, and the same of
// its keys. Offsets that break their rules still give rows that exist.
// workgroup -> all sequences; invocation -> as many as the others, one behind the other.
// @stand-in begin
const TILE_ROWS = 32u;
struct Params { seq_q: u32, seq_kv: u32, sequences: u32, group: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> q_offsets: array<u32>;
@group(0) @binding(2) var<storage, read> kv_offsets: array<u32>;
@group(0) @binding(3) var<storage, read_write> scratch: array<u32>;
// @stand-in end
const LANES = 64u;
var<workgroup> tiles_of_lane: array<u32, LANES>;

// Rows between two offsets: where they start, and how many.
struct Span {
  start: u32,
  count: u32,
}

fn span(from_offset: u32, to_offset: u32, rows: u32) -> Span {
  let start = min(from_offset, rows);
  return Span(start, max(min(to_offset, rows), start) - start);
}

fn queries_of(sequence: u32) -> Span {
  return span(q_offsets[sequence], q_offsets[sequence + 1u], p.seq_q);
}

fn tiles_of(sequence: u32) -> u32 {
  return (queries_of(sequence).count * p.group + TILE_ROWS - 1u) / TILE_ROWS;
}

@compute @workgroup_size(LANES)
fn main(@builtin(local_invocation_index) local: u32) {
  let each = (p.sequences + LANES - 1u) / LANES;
  let begin = min(local * each, p.sequences);
  let end = min(begin + each, p.sequences);
  var tiles = 0u;
  for (var s = begin; s < end; s += 1u) { tiles += tiles_of(s); }
  tiles_of_lane[local] = tiles;
  // Publishes how many tiles each invocation's sequences have.
  workgroupBarrier();
  var tile = 0u;
  for (var lane = 0u; lane < local; lane += 1u) { tile += tiles_of_lane[lane]; }
  for (var s = begin; s < end; s += 1u) {
    let queries = queries_of(s);
    let keys = span(kv_offsets[s], kv_offsets[s + 1u], p.seq_kv);
    scratch[s * 5u] = tile;
    scratch[s * 5u + 1u] = queries.start;
    scratch[s * 5u + 2u] = queries.count;
    scratch[s * 5u + 3u] = keys.start;
    scratch[s * 5u + 4u] = keys.count;
    tile += tiles_of(s);
  }
}
