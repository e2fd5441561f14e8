// Writes the codes of a unit, a word.
// @stand-in begin
@group(0) @binding(1) var<storage, read_write> q: array<u32>;
fn word_of(row: u32, unit: u32) -> u32 { return unit; }
// @stand-in end
fn put(row: u32, unit: u32, codes: vec4<u32>, scale: vec4<u32>, zero: vec4<i32>) {
  q[word_of(row, unit)] = codes.x | (codes.y << 8u) | (codes.z << 16u) | (codes.w << 24u);
}
