// What attention does with the sums of a query when it has seen one part of the keys: leaves them in the scratch.
// @stand-in begin
struct Params { kv_heads: u32, seq_q: u32, group: u32, v_dim: u32, rows_in_all: u32, quads: u32, totals_at: u32, mixes_at: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<u32>;
struct Place { item: u32, kv_head: u32, split: u32 }
struct Row { index: u32, exists: bool }
// @stand-in end
// A row's number among those of all splits.
fn part_of(place: Place, row: Row) -> u32 {
  let head = place.item * p.kv_heads + place.kv_head;
  return place.split * p.rows_in_all + head * p.seq_q * p.group + row.index;
}

// The sums are divided when all parts have been added.
fn out_factor(place: Place, row: Row, largest: f32, sum: f32) -> f32 {
  return 1.0;
}

fn finish(place: Place, row: Row, column: u32, sums: vec4<f32>, factor: f32) {
  if (!row.exists || column >= p.v_dim) {
    return;
  }
  let at = p.mixes_at + (part_of(place, row) * p.quads + column / 4u) * 4u;
  let words = bitcast<vec4<u32>>(sums);
  scratch[at] = words.x;
  scratch[at + 1u] = words.y;
  scratch[at + 2u] = words.z;
  scratch[at + 3u] = words.w;
}

fn finish_row(place: Place, row: Row, largest: f32, sum: f32) {
  if (row.exists) {
    let at = p.totals_at + part_of(place, row) * 2u;
    scratch[at] = bitcast<u32>(largest);
    scratch[at + 1u] = bitcast<u32>(sum);
  }
}
