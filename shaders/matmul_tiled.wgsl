// Matrix multiplication, portable: both operands are staged in workgroup memory as f32.
// workgroup -> a 64 x 64 tile of one batch item's product; invocation -> 4 rows x 4 columns of it.
// @stand-in begin
const A_HAS_ZERO = false;
const B_HAS_ZERO = false;
struct Params { m: u32, k: u32, n: u32, a_pitch: u32, b_pitch: u32, b_stride: u32, tiles_m: u32, tiles_n: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load4_a(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_b(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load_a_zero(i: u32) -> f32 { return 0.0; }
fn load_b_zero(i: u32) -> f32 { return 0.0; }
fn finish(item: u32, row: u32, column: u32, sums: vec4<f32>) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
const TILE_K = 16u;

// Depth-major; 4 KiB each of WebGPU's 16. A is kept as scalars: an invocation brings one row's four depths, and two
// invocations must never write components of one vector.
var<workgroup> a_tile: array<array<f32, 64>, TILE_K>;
var<workgroup> b_tile: array<array<vec4<f32>, 16>, TILE_K>;

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let item = tile / (p.tiles_m * p.tiles_n);
  let row0 = (tile / p.tiles_n) % p.tiles_m * 64u;
  let column0 = tile % p.tiles_n * 64u;
  var a_zero = 0.0;
  var b_zero = 0.0;
  if (A_HAS_ZERO) { a_zero = load_a_zero(0u); }
  if (B_HAS_ZERO) { b_zero = load_b_zero(0u); }

  // Staging: an invocation brings four depths of one row of A, and four columns of one row of B.
  let a_row = row0 + local / 4u;
  let a_depth = local % 4u * 4u;
  let b_depth = local / 16u;
  let b_column = column0 + local % 16u * 4u;

  let rows = local / 16u * 4u;
  let columns = local % 16u;
  var sums0 = vec4<f32>(0.0);
  var sums1 = vec4<f32>(0.0);
  var sums2 = vec4<f32>(0.0);
  var sums3 = vec4<f32>(0.0);
  for (var depth0 = 0u; depth0 < p.k; depth0 += TILE_K) {
    // Depths from k on, and rows from m on, count as zero whatever lies there.
    var a = vec4<f32>(0.0);
    let depth = depth0 + a_depth;
    if (a_row < p.m && depth < p.k) {
      let loaded = load4_a((item * p.m + a_row) * p.a_pitch + depth) - a_zero;
      a = select(vec4<f32>(0.0), loaded, vec4<u32>(depth) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.k));
    }
    var b = vec4<f32>(0.0);
    if (depth0 + b_depth < p.k && b_column < p.n) {
      b = load4_b(item * p.b_stride + (depth0 + b_depth) * p.b_pitch + b_column) - b_zero;
    }
    // Publishes nothing: waits until the previous tiles have been read.
    workgroupBarrier();
    a_tile[a_depth][local / 4u] = a.x;
    a_tile[a_depth + 1u][local / 4u] = a.y;
    a_tile[a_depth + 2u][local / 4u] = a.z;
    a_tile[a_depth + 3u][local / 4u] = a.w;
    b_tile[b_depth][local % 16u] = b;
    // Publishes both tiles.
    workgroupBarrier();
    for (var d = 0u; d < TILE_K; d += 1u) {
      let right = b_tile[d][columns];
      sums0 += a_tile[d][rows] * right;
      sums1 += a_tile[d][rows + 1u] * right;
      sums2 += a_tile[d][rows + 2u] * right;
      sums3 += a_tile[d][rows + 3u] * right;
    }
  }
  let row = row0 + rows;
  let column = column0 + columns * 4u;
  finish(item, row, column, sums0);
  finish(item, row + 1u, column, sums1);
  finish(item, row + 2u, column, sums2);
  finish(item, row + 3u, column, sums3);
}
