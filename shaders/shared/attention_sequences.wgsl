// The rows are those of several sequences, each with tiles of its own, as attention_gather.wgsl has listed them.
// @stand-in begin
struct Params { sequences: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scratch: array<u32>;
// @stand-in end
struct Sequence {
  // The tile's number within the sequence.
  tile: u32,
  // Where its queries and its keys start, and how many there are.
  query0: u32,
  queries: u32,
  key0: u32,
  keys: u32,
}

// There may be more tiles than the sequences fill: those come after the last row of the last sequence.
fn sequence_of(tile: u32) -> Sequence {
  // The last sequence whose first tile is not behind this one; a table entry is five words, the first tile first.
  var found = 0u;
  for (var step = 1u << (31u - countLeadingZeros(p.sequences)); step > 0u; step /= 2u) {
    let next = found + step;
    if (next < p.sequences && scratch[next * 5u] <= tile) { found = next; }
  }
  let at = found * 5u;
  return Sequence(tile - scratch[at], scratch[at + 1u], scratch[at + 2u], scratch[at + 3u], scratch[at + 4u]);
}
