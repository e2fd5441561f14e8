// The parts are results of attention, each with the logarithm of the sum of its exponentials; so is what they merge to.
// @stand-in begin
struct Params { rows_in_all: u32, dim: u32, part_pitch: u32, out_pitch: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> part_lse: array<u32>;
fn load4_parts(i: u32) -> vec4<f32> { return vec4<f32>(); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn store_bits_lse(i: u32, bits: u32) { }
// @stand-in end
struct Total {
  largest: f32,
  sum: f32,
}

// Less than any sum of parts is.
const SPOILT = -1e30;

// A part is its own mean: as if of one key that has all its weight; minus infinity, by its bits, is a part without keys, and NaN
// or plus infinity spoils what it is merged with.
fn total_of_part(part: u32, row: u32) -> Total {
  let bits = part_lse[part * p.rows_in_all + row];
  let finite = (bits & 0x7f800000u) != 0x7f800000u;
  return Total(bitcast<f32>(bits), select(select(SPOILT, 0.0, bits == 0xff800000u), 1.0, finite));
}

fn mix_of_part(part: u32, row: u32, quad: u32) -> vec4<f32> {
  return load4_parts((part * p.rows_in_all + row) * p.part_pitch + quad * 4u);
}

// Halves differ by an f32 whatever they are halves of; below exp(-100) the weight is none.
fn part_weight(x: f32, largest: f32) -> f32 {
  return exp(2.0 * max(0.5 * x - 0.5 * largest, -50.0));
}

fn finish_merged(row: u32, quad: u32, mix: vec4<f32>, total: Total) {
  let any = total.sum > 0.0;
  let spoilt = total.sum < 0.0;
  let sum = select(1.0, total.sum, any);
  // No constant: WGSL refuses those of NaN.
  let nan = bitcast<f32>(0x7fc00000u | min(row, 1u));
  if (quad * 4u < p.dim) {
    let mean = select(select(vec4<f32>(0.0), mix / sum, vec4<bool>(any)), vec4<f32>(nan), vec4<bool>(spoilt));
    store4_out(row * p.out_pitch + quad * 4u, mean, min(4u, p.dim - quad * 4u));
  }
  if (quad == 0u) {
    let lse = select(0xff800000u, bitcast<u32>(total.largest + log(sum)), any);
    store_bits_lse(row, select(lse, 0x7fc00000u, spoilt));
  }
}
