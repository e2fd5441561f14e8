// What becomes of four sums of a row where another dispatch finishes them: they go to the scratch. Where earlier depths
// have left theirs there, they are added to.
// @stand-in begin
alias Total = vec4<f32>;
struct Params { m: u32, n: u32, batch: u32, scratch_pitch: u32, slice_depth: u32, adds: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scratch: array<vec4<u32>>;
fn total_bits(total: Total) -> vec4<u32> { return bitcast<vec4<u32>>(total); }
fn total_of(bits: vec4<u32>) -> Total { return bitcast<vec4<f32>>(bits); }
var<private> slice: u32;
// @stand-in end
fn leave(item: u32, row: u32, column: u32, total: Total) {
  let at = ((slice * p.batch + item) * p.m + row) * p.scratch_pitch + column / 4u;
  var sum = total;
  if (p.adds != 0u) { sum = total_of(scratch[at]) + total; }
  scratch[at] = total_bits(sum);
}

fn finish(item: u32, row: u32, column: u32, total: Total) {
  if (row < p.m && column < p.n) {
    leave(item, row, column, total);
  }
}

fn finish_pair(item: u32, row: u32, column: u32, first: Total, second: Total) {
  if (row < p.m && column < p.n) {
    leave(item, row, column, first);
    leave(item, row, column + p.n, second);
  }
}
