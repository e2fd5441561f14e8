// Chains of matrix multiply-adds on tiles that stay in registers. Workgroup -> one subgroup, eight chains.

// @stand-in begin
enable f16;
enable wgpu_cooperative_matrix;
alias Left = coop_mat16x16<f16, A>;
alias Right = coop_mat16x16<f16, B>;
alias Sum = coop_mat16x16<f32, C>;
const LANES = 32u;
const SIZE = 16u;
struct Params {
  iterations: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;
// @stand-in end

// Two left and two right operands.
var<workgroup> tiles: array<f16, 4u * SIZE * SIZE>;
var<workgroup> total: array<f32, SIZE * SIZE>;

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
  // Numbers around 1: zeros are multiplied faster on some GPUs.
  for (var i = local; i < 4u * SIZE * SIZE; i += LANES) {
    tiles[i] = f16(0.75 + f32((i + group.x) % 7u) / 16.0);
  }
  // Publishes the tiles.
  workgroupBarrier();
  let a0 = coopLoadT<Left>(&tiles[0u], SIZE);
  let a1 = coopLoadT<Left>(&tiles[SIZE * SIZE], SIZE);
  let b0 = coopLoadT<Right>(&tiles[2u * SIZE * SIZE], SIZE);
  let b1 = coopLoadT<Right>(&tiles[3u * SIZE * SIZE], SIZE);
  var x0 = Sum();
  var x1 = Sum();
  var x2 = Sum();
  var x3 = Sum();
  var x4 = Sum();
  var x5 = Sum();
  var x6 = Sum();
  var x7 = Sum();
  for (var i = 0u; i < p.iterations; i += 1u) {
    x0 = coopMultiplyAdd(a0, b0, x0);
    x1 = coopMultiplyAdd(a0, b1, x1);
    x2 = coopMultiplyAdd(a1, b0, x2);
    x3 = coopMultiplyAdd(a1, b1, x3);
    x4 = coopMultiplyAdd(a0, b0, x4);
    x5 = coopMultiplyAdd(a0, b1, x5);
    x6 = coopMultiplyAdd(a1, b0, x6);
    x7 = coopMultiplyAdd(a1, b1, x7);
  }
  let sum = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7;
  // naga writes a store only where its place and stride are named before.
  let place = 0u;
  let stride = SIZE;
  coopStoreT(sum, &total[place], stride);
  // Publishes the total.
  workgroupBarrier();
  result[group.x * LANES + local] = bitcast<u32>(total[local]);
}
