// What of cooperative attention passes through workgroup memory, by fours: Vulkan loads and stores cooperative matrices
// there.
// @stand-in begin
enable f16;
const ROWS = 8u;
const LINE = 40u;
// @stand-in end
// Numbers to an element of the strip.
const STRIP_CELL = 4u;
// Sums of ROWS rows and 32 keys or columns.
var<workgroup> strip: array<vec4<f32>, ROWS * LINE / 4u>;
// The weights, f16(weight) first, then what that leaves.
var<workgroup> weights: array<vec4<f16>, 2u * ROWS * LINE / 4u>;

fn strip4(i: u32) -> vec4<f32> { return strip[i / 4u]; }
fn put_strip4(i: u32, x: vec4<f32>) { strip[i / 4u] = x; }
fn put_weights4(i: u32, x: vec4<f16>) { weights[i / 4u] = x; }
fn half_weight(i: u32) -> f32 { return f32(weights[i / 4u][i % 4u]); }
