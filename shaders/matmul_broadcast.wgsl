// Matrix multiplication for adapters that are CPUs: no barriers, no workgroup memory.
// workgroup -> 16 rows x 32 columns of one batch item's product; invocation -> 16 rows x 4 columns.
// Addresses into A depend on the workgroup and the loop alone: one scalar load serves all lanes.
// @stand-in begin
const A_HAS_ZERO = false;
const B_HAS_ZERO = false;
struct Params { m: u32, k: u32, n: u32, a_pitch: u32, b_pitch: u32, b_stride: u32, tiles_m: u32, tiles_n: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_a(i: u32) -> f32 { return f32(i); }
fn load4_a(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_b(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load_a_zero(i: u32) -> f32 { return 0.0; }
fn load_b_zero(i: u32) -> f32 { return 0.0; }
fn finish(item: u32, row: u32, column: u32, sums: vec4<f32>) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let item = tile / (p.tiles_m * p.tiles_n);
  let row0 = (tile / p.tiles_n) % p.tiles_m * 16u;
  let column = (tile % p.tiles_n * 8u + local) * 4u;
  var a_zero = 0.0;
  var b_zero = 0.0;
  if (A_HAS_ZERO) { a_zero = load_a_zero(0u); }
  if (B_HAS_ZERO) { b_zero = load_b_zero(0u); }

  // Rows from m on repeat the last one; their sums are never stored. So do columns from n on.
  let last = p.m - 1u;
  let a0 = item * p.m * p.a_pitch;
  let row0_start = a0 + row0 * p.a_pitch;
  let row1_start = a0 + min(row0 + 1u, last) * p.a_pitch;
  let row2_start = a0 + min(row0 + 2u, last) * p.a_pitch;
  let row3_start = a0 + min(row0 + 3u, last) * p.a_pitch;
  let row4_start = a0 + min(row0 + 4u, last) * p.a_pitch;
  let row5_start = a0 + min(row0 + 5u, last) * p.a_pitch;
  let row6_start = a0 + min(row0 + 6u, last) * p.a_pitch;
  let row7_start = a0 + min(row0 + 7u, last) * p.a_pitch;
  let row8_start = a0 + min(row0 + 8u, last) * p.a_pitch;
  let row9_start = a0 + min(row0 + 9u, last) * p.a_pitch;
  let row10_start = a0 + min(row0 + 10u, last) * p.a_pitch;
  let row11_start = a0 + min(row0 + 11u, last) * p.a_pitch;
  let row12_start = a0 + min(row0 + 12u, last) * p.a_pitch;
  let row13_start = a0 + min(row0 + 13u, last) * p.a_pitch;
  let row14_start = a0 + min(row0 + 14u, last) * p.a_pitch;
  let row15_start = a0 + min(row0 + 15u, last) * p.a_pitch;
  var b_at = item * p.b_stride + min(column, (p.n - 1u) / 4u * 4u);
  var sums0 = vec4<f32>(0.0);
  var sums1 = vec4<f32>(0.0);
  var sums2 = vec4<f32>(0.0);
  var sums3 = vec4<f32>(0.0);
  var sums4 = vec4<f32>(0.0);
  var sums5 = vec4<f32>(0.0);
  var sums6 = vec4<f32>(0.0);
  var sums7 = vec4<f32>(0.0);
  var sums8 = vec4<f32>(0.0);
  var sums9 = vec4<f32>(0.0);
  var sums10 = vec4<f32>(0.0);
  var sums11 = vec4<f32>(0.0);
  var sums12 = vec4<f32>(0.0);
  var sums13 = vec4<f32>(0.0);
  var sums14 = vec4<f32>(0.0);
  var sums15 = vec4<f32>(0.0);

  // Four depths at a time, so that A is read four elements at once.
  let whole = p.k / 4u * 4u;
  for (var depth = 0u; depth < whole; depth += 4u) {
    let b0 = load4_b(b_at) - b_zero;
    let b1 = load4_b(b_at + p.b_pitch) - b_zero;
    let b2 = load4_b(b_at + 2u * p.b_pitch) - b_zero;
    let b3 = load4_b(b_at + 3u * p.b_pitch) - b_zero;
    b_at += 4u * p.b_pitch;
    let left0 = load4_a(row0_start + depth) - a_zero;
    sums0 = fma(vec4<f32>(left0.x), b0, sums0);
    sums0 = fma(vec4<f32>(left0.y), b1, sums0);
    sums0 = fma(vec4<f32>(left0.z), b2, sums0);
    sums0 = fma(vec4<f32>(left0.w), b3, sums0);
    let left1 = load4_a(row1_start + depth) - a_zero;
    sums1 = fma(vec4<f32>(left1.x), b0, sums1);
    sums1 = fma(vec4<f32>(left1.y), b1, sums1);
    sums1 = fma(vec4<f32>(left1.z), b2, sums1);
    sums1 = fma(vec4<f32>(left1.w), b3, sums1);
    let left2 = load4_a(row2_start + depth) - a_zero;
    sums2 = fma(vec4<f32>(left2.x), b0, sums2);
    sums2 = fma(vec4<f32>(left2.y), b1, sums2);
    sums2 = fma(vec4<f32>(left2.z), b2, sums2);
    sums2 = fma(vec4<f32>(left2.w), b3, sums2);
    let left3 = load4_a(row3_start + depth) - a_zero;
    sums3 = fma(vec4<f32>(left3.x), b0, sums3);
    sums3 = fma(vec4<f32>(left3.y), b1, sums3);
    sums3 = fma(vec4<f32>(left3.z), b2, sums3);
    sums3 = fma(vec4<f32>(left3.w), b3, sums3);
    let left4 = load4_a(row4_start + depth) - a_zero;
    sums4 = fma(vec4<f32>(left4.x), b0, sums4);
    sums4 = fma(vec4<f32>(left4.y), b1, sums4);
    sums4 = fma(vec4<f32>(left4.z), b2, sums4);
    sums4 = fma(vec4<f32>(left4.w), b3, sums4);
    let left5 = load4_a(row5_start + depth) - a_zero;
    sums5 = fma(vec4<f32>(left5.x), b0, sums5);
    sums5 = fma(vec4<f32>(left5.y), b1, sums5);
    sums5 = fma(vec4<f32>(left5.z), b2, sums5);
    sums5 = fma(vec4<f32>(left5.w), b3, sums5);
    let left6 = load4_a(row6_start + depth) - a_zero;
    sums6 = fma(vec4<f32>(left6.x), b0, sums6);
    sums6 = fma(vec4<f32>(left6.y), b1, sums6);
    sums6 = fma(vec4<f32>(left6.z), b2, sums6);
    sums6 = fma(vec4<f32>(left6.w), b3, sums6);
    let left7 = load4_a(row7_start + depth) - a_zero;
    sums7 = fma(vec4<f32>(left7.x), b0, sums7);
    sums7 = fma(vec4<f32>(left7.y), b1, sums7);
    sums7 = fma(vec4<f32>(left7.z), b2, sums7);
    sums7 = fma(vec4<f32>(left7.w), b3, sums7);
    let left8 = load4_a(row8_start + depth) - a_zero;
    sums8 = fma(vec4<f32>(left8.x), b0, sums8);
    sums8 = fma(vec4<f32>(left8.y), b1, sums8);
    sums8 = fma(vec4<f32>(left8.z), b2, sums8);
    sums8 = fma(vec4<f32>(left8.w), b3, sums8);
    let left9 = load4_a(row9_start + depth) - a_zero;
    sums9 = fma(vec4<f32>(left9.x), b0, sums9);
    sums9 = fma(vec4<f32>(left9.y), b1, sums9);
    sums9 = fma(vec4<f32>(left9.z), b2, sums9);
    sums9 = fma(vec4<f32>(left9.w), b3, sums9);
    let left10 = load4_a(row10_start + depth) - a_zero;
    sums10 = fma(vec4<f32>(left10.x), b0, sums10);
    sums10 = fma(vec4<f32>(left10.y), b1, sums10);
    sums10 = fma(vec4<f32>(left10.z), b2, sums10);
    sums10 = fma(vec4<f32>(left10.w), b3, sums10);
    let left11 = load4_a(row11_start + depth) - a_zero;
    sums11 = fma(vec4<f32>(left11.x), b0, sums11);
    sums11 = fma(vec4<f32>(left11.y), b1, sums11);
    sums11 = fma(vec4<f32>(left11.z), b2, sums11);
    sums11 = fma(vec4<f32>(left11.w), b3, sums11);
    let left12 = load4_a(row12_start + depth) - a_zero;
    sums12 = fma(vec4<f32>(left12.x), b0, sums12);
    sums12 = fma(vec4<f32>(left12.y), b1, sums12);
    sums12 = fma(vec4<f32>(left12.z), b2, sums12);
    sums12 = fma(vec4<f32>(left12.w), b3, sums12);
    let left13 = load4_a(row13_start + depth) - a_zero;
    sums13 = fma(vec4<f32>(left13.x), b0, sums13);
    sums13 = fma(vec4<f32>(left13.y), b1, sums13);
    sums13 = fma(vec4<f32>(left13.z), b2, sums13);
    sums13 = fma(vec4<f32>(left13.w), b3, sums13);
    let left14 = load4_a(row14_start + depth) - a_zero;
    sums14 = fma(vec4<f32>(left14.x), b0, sums14);
    sums14 = fma(vec4<f32>(left14.y), b1, sums14);
    sums14 = fma(vec4<f32>(left14.z), b2, sums14);
    sums14 = fma(vec4<f32>(left14.w), b3, sums14);
    let left15 = load4_a(row15_start + depth) - a_zero;
    sums15 = fma(vec4<f32>(left15.x), b0, sums15);
    sums15 = fma(vec4<f32>(left15.y), b1, sums15);
    sums15 = fma(vec4<f32>(left15.z), b2, sums15);
    sums15 = fma(vec4<f32>(left15.w), b3, sums15);
  }
  for (var depth = whole; depth < p.k; depth += 1u) {
    let b = load4_b(b_at) - b_zero;
    b_at += p.b_pitch;
    sums0 = fma(vec4<f32>(load_a(row0_start + depth) - a_zero), b, sums0);
    sums1 = fma(vec4<f32>(load_a(row1_start + depth) - a_zero), b, sums1);
    sums2 = fma(vec4<f32>(load_a(row2_start + depth) - a_zero), b, sums2);
    sums3 = fma(vec4<f32>(load_a(row3_start + depth) - a_zero), b, sums3);
    sums4 = fma(vec4<f32>(load_a(row4_start + depth) - a_zero), b, sums4);
    sums5 = fma(vec4<f32>(load_a(row5_start + depth) - a_zero), b, sums5);
    sums6 = fma(vec4<f32>(load_a(row6_start + depth) - a_zero), b, sums6);
    sums7 = fma(vec4<f32>(load_a(row7_start + depth) - a_zero), b, sums7);
    sums8 = fma(vec4<f32>(load_a(row8_start + depth) - a_zero), b, sums8);
    sums9 = fma(vec4<f32>(load_a(row9_start + depth) - a_zero), b, sums9);
    sums10 = fma(vec4<f32>(load_a(row10_start + depth) - a_zero), b, sums10);
    sums11 = fma(vec4<f32>(load_a(row11_start + depth) - a_zero), b, sums11);
    sums12 = fma(vec4<f32>(load_a(row12_start + depth) - a_zero), b, sums12);
    sums13 = fma(vec4<f32>(load_a(row13_start + depth) - a_zero), b, sums13);
    sums14 = fma(vec4<f32>(load_a(row14_start + depth) - a_zero), b, sums14);
    sums15 = fma(vec4<f32>(load_a(row15_start + depth) - a_zero), b, sums15);
  }
  finish(item, row0, column, sums0);
  finish(item, row0 + 1u, column, sums1);
  finish(item, row0 + 2u, column, sums2);
  finish(item, row0 + 3u, column, sums3);
  finish(item, row0 + 4u, column, sums4);
  finish(item, row0 + 5u, column, sums5);
  finish(item, row0 + 6u, column, sums6);
  finish(item, row0 + 7u, column, sums7);
  finish(item, row0 + 8u, column, sums8);
  finish(item, row0 + 9u, column, sums9);
  finish(item, row0 + 10u, column, sums10);
  finish(item, row0 + 11u, column, sums11);
  finish(item, row0 + 12u, column, sums12);
  finish(item, row0 + 13u, column, sums13);
  finish(item, row0 + 14u, column, sums14);
  finish(item, row0 + 15u, column, sums15);
}
