// Every axis of a token turns by the row of the table that its position gives.
// @stand-in begin
const AXES = 2u;
const POSITIONS_BY_ITEM = true;
struct Params { seq: u32, table_rows: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> positions: array<u32>;
// @stand-in end
fn table_row(item: u32, token: u32, axis: u32) -> u32 {
  let tokens = select(0u, item * p.seq, POSITIONS_BY_ITEM) + token;
  // A position outside the table, also a negative one, which is large here, turns by the last row: it reads nothing else.
  return min(positions[tokens * AXES + axis], p.table_rows - 1u);
}
