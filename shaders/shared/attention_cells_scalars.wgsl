// What of cooperative attention passes through workgroup memory, one by one: Metal loads and stores cooperative matrices
// nowhere else.
// @stand-in begin
enable f16;
const ROWS = 8u;
const LINE = 40u;
// @stand-in end
// Numbers to an element of the strip.
const STRIP_CELL = 1u;
// Sums of ROWS rows and 32 keys or columns.
var<workgroup> strip: array<f32, ROWS * LINE>;
// The weights, f16(weight) first, then what that leaves.
var<workgroup> weights: array<f16, 2u * ROWS * LINE>;

fn strip4(i: u32) -> vec4<f32> {
  return vec4<f32>(strip[i], strip[i + 1u], strip[i + 2u], strip[i + 3u]);
}
fn put_strip4(i: u32, x: vec4<f32>) {
  strip[i] = x.x;
  strip[i + 1u] = x.y;
  strip[i + 2u] = x.z;
  strip[i + 3u] = x.w;
}
fn put_weights4(i: u32, x: vec4<f16>) {
  weights[i] = x.x;
  weights[i + 1u] = x.y;
  weights[i + 2u] = x.z;
  weights[i + 3u] = x.w;
}
fn half_weight(i: u32) -> f32 { return f32(weights[i]); }
