// What becomes of four sums of a row where another dispatch finishes them: they go to the scratch.
// @stand-in begin
alias Total = vec4<f32>;
struct Params { m: u32, n: u32, batch: u32, scratch_pitch: u32, slice_depth: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<u32>>;
fn total_bits(total: Total) -> vec4<u32> { return bitcast<vec4<u32>>(total); }
var<private> slice: u32;
// @stand-in end
fn finish(item: u32, row: u32, column: u32, total: Total) {
  if (row < p.m && column < p.n) {
    scratch[((slice * p.batch + item) * p.m + row) * p.scratch_pitch + column / 4u] = total_bits(total);
  }
}

fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) {
  if (column < p.n) {
    finish(item, row, column, first);
    if (row < p.m) {
      scratch[((slice * p.batch + item) * p.m + row) * p.scratch_pitch + (column + p.n) / 4u] = total_bits(second);
    }
  }
}
