// All rows are those of one sequence.
// @stand-in begin
struct Params { seq_q: u32, seq_kv: u32 }
@group(0) @binding(0) var<uniform> p: Params;
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

fn sequence_of(tile: u32) -> Sequence {
  return Sequence(tile, 0u, p.seq_q, 0u, p.seq_kv);
}
