// The parts that attention has left in the scratch, one for each split of the keys.
// @stand-in begin
const IN_LOG2 = true;
struct Params { kv_heads: u32, seq_q: u32, group: u32, rows_in_all: u32, quads: u32, totals_at: u32, mixes_at: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scratch: array<u32>;
struct Place { item: u32, kv_head: u32 }
struct Row { index: u32, exists: bool, query: u32, head: u32 }
fn power(x: vec4<f32>) -> vec4<f32> { return exp2(x); }
fn out_factor(place: Place, row: Row, largest: f32, sum: f32) -> f32 { return 1.0 / sum; }
fn finish(place: Place, row: Row, column: u32, sums: vec4<f32>, factor: f32) { }
fn finish_row(place: Place, row: Row, largest: f32, sum: f32) { }
// @stand-in end
struct Total {
  largest: f32,
  sum: f32,
}

fn total_of_part(part: u32, row: u32) -> Total {
  let at = p.totals_at + (part * p.rows_in_all + row) * 2u;
  return Total(bitcast<f32>(scratch[at]), bitcast<f32>(scratch[at + 1u]));
}

fn mix_of_part(part: u32, row: u32, quad: u32) -> vec4<f32> {
  let at = p.mixes_at + ((part * p.rows_in_all + row) * p.quads + quad) * 4u;
  return bitcast<vec4<f32>>(vec4<u32>(scratch[at], scratch[at + 1u], scratch[at + 2u], scratch[at + 3u]));
}

fn part_weight(x: f32, largest: f32) -> f32 {
  return power(vec4<f32>(x - largest)).x;
}

fn finish_merged(row: u32, quad: u32, mix: vec4<f32>, total: Total) {
  let rows = p.seq_q * p.group;
  let both = row / rows;
  let index = row % rows;
  let kv_head = both % p.kv_heads;
  var place = Place();
  place.item = both / p.kv_heads;
  place.kv_head = kv_head;
  let merged = Row(index, true, index / p.group, kv_head * p.group + index % p.group);
  finish(place, merged, quad * 4u, mix, out_factor(place, merged, total.largest, total.sum));
  if (quad == 0u) {
    finish_row(place, merged, total.largest, total.sum);
  }
}
