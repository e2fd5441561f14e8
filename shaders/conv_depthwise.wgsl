// Convolution with one input channel to a group, channels first, of stride and dilation 1.
// workgroup -> 64 blocks of one output channel; invocation -> ROWS rows of four neighbours along the last axis, so that
// what is read of the input serves several outputs.
// @stand-in begin
alias Total = vec4<f32>;
const TAPS_Y = 3u;
const TAPS_X = 3u;
const ROWS = 4u;
const ROWS_READ = 6u;
const COLUMNS_READ = 6u;
const NOWHERE = 0xffffffffu;
struct Params { group_outputs: u32, out_channels: u32, blocks: u32, block_groups: u32, blocks_x: u32, blocks_y: u32,
  depth_taps: u32, height_out: u32, width_out: u32, x_item: u32, x_group: u32, x_z: u32, x_y: u32, w_out: u32, w_z: u32,
  w_y: u32, out_item: u32, out_channel: u32, out_z: u32, out_y: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Window { first: i32, tap: u32, taps: u32 }
fn window_depth(out: u32) -> Window { return Window(); }
fn window_height(out: u32) -> Window { return Window(); }
fn window_width(out: u32) -> Window { return Window(); }
fn source_depth(window: Window, t: u32) -> u32 { return t; }
fn source_height(window: Window, t: u32) -> u32 { return t; }
fn source_width(window: Window, t: u32) -> u32 { return t; }
fn outside(from_y: u32, from_x: vec4<u32>) -> vec4<f32> { return vec4<f32>(); }
fn accumulate(total: Total, a: vec4<f32>, b: vec4<f32>) -> Total { return fma(a, b, total); }
fn load_x(i: u32) -> f32 { return f32(i); }
fn load_w(i: u32) -> f32 { return f32(i); }
fn conclude(at: u32, channel: u32, total: Total, count: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group_id, groups);
  let block = tile % p.block_groups * 64u + local;
  if (tile >= p.groups || block >= p.blocks) {
    return;
  }
  let channel = tile / p.block_groups % p.out_channels;
  let item = tile / p.block_groups / p.out_channels;
  let column = block % p.blocks_x * 4u;
  let row0 = block / p.blocks_x % p.blocks_y * ROWS;
  let z = block / p.blocks_x / p.blocks_y;
  let window_z = window_depth(z);
  let window_y = window_height(row0);
  let window_x = window_width(column);
  let x0 = item * p.x_item + channel / p.group_outputs * p.x_group;
  // @repeat J COLUMNS_READ
  let from_x_J = source_width(window_x, J);
  // @end
  // @repeat R ROWS_READ
  let from_y_R = source_height(window_y, R);
  // @end
  // @repeat O ROWS
  var sum_O = Total();
  // @end
  for (var tz = 0u; tz < p.depth_taps; tz += 1u) {
    let from_z = source_depth(window_z, tz);
    let w_plane = channel * p.w_out + tz * p.w_z;
    // @repeat Y TAPS_Y
    // @repeat X TAPS_X
    let w_Y_X = vec4<f32>(load_w(w_plane + Y * p.w_y + X));
    // @end
    // @end
    // @repeat R ROWS_READ
    let inside_R = from_z != NOWHERE && from_y_R != NOWHERE;
    let x_row_R = x0 + from_z * p.x_z + from_y_R * p.x_y;
    // Outside, some element is read and not used.
    // @repeat J COLUMNS_READ
    let inside_R_J = inside_R && from_x_J != NOWHERE;
    let x_R_J = select(outside(from_y_R, vec4<u32>(from_x_J)).x, load_x(select(x0, x_row_R + from_x_J, inside_R_J)), inside_R_J);
    // @end
    // @end
    // @repeat O ROWS
    // @repeat Y TAPS_Y
    // @let R = O + Y
    // @repeat X TAPS_X
    // @let B = X + 1
    // @let C = X + 2
    // @let D = X + 3
    sum_O = accumulate(sum_O, w_Y_X, vec4<f32>(x_R_X, x_R_B, x_R_C, x_R_D));
    // @end
    // @end
    // @end
  }
  let at = item * p.out_item + channel * p.out_channel + z * p.out_z + column;
  let count = min(4u, p.width_out - column);
  // @repeat O ROWS
  if (row0 + O < p.height_out) { conclude(at + (row0 + O) * p.out_y, channel, sum_O, count); }
  // @end
}
