// Convolution for adapters that are CPUs with subgroups of 8: no barriers, no workgroup memory.
// workgroup -> ROWS output channels of one group, batch item and phase, and 8 HALVES quads of outputs; invocation -> HALVES
// quads, four neighbours along the last axis each, of these channels. The invocations' lanes are outputs of x and of the
// sums, and channels of w: one gather brings two rows of four weights to eight lanes, and a shuffle by a value spreads one
// to all, which costs an instruction where a load from a common address costs a dozen.
// Blocks of channels outside of the window keep what is read of x and w in the first cache; a window's addresses and
// boundaries are then computed once for a block.
// @stand-in begin
alias Total = vec4<f32>;
const ROWS = 4u;
const HALVES = 2u;
const GATHERS = 2u;
const GATHERED_ROWS = 2u;
const FLOATS = 1u;
const INTEGERS = 0u;
const ROWS_FIRST = 4u;
const QUADS_LAST = 0u;
const NOWHERE = 0xffffffffu;
struct Params { channels: u32, channel_block: u32, group_outputs: u32, row_tiles: u32, quad_blocks: u32, quads: u32,
  depth_tap_step: u32, height_tap_step: u32, width_tap_step: u32, x_item: u32, x_group: u32, x_channel: u32, x_z: u32,
  x_y: u32, x_x: u32, w_group: u32, w_out: u32, w_channel: u32, w_z: u32, w_y: u32, w_x: u32, out_channel: u32, quad_step: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Window { first: i32, tap: u32, taps: u32 }
fn window_depth(out: u32) -> Window { return Window(); }
fn window_height(out: u32) -> Window { return Window(); }
fn window_width(out: u32) -> Window { return Window(); }
fn source_depth(window: Window, t: u32) -> u32 { return t; }
fn source_height(window: Window, t: u32) -> u32 { return t; }
fn source_width(window: Window, t: u32) -> u32 { return t; }
fn outside(from_y: u32, from_x: vec4<u32>) -> vec4<f32> { return vec4<f32>(); }
struct Item { item: u32, group: u32, phase: vec3<u32> }
fn item_of(index: u32) -> Item { return Item(); }
struct Quad { z: u32, y: u32, x: vec4<u32>, count: u32, at: u32 }
fn quad_of(item: Item, quad: u32) -> Quad { return Quad(); }
fn load_x(i: u32) -> f32 { return f32(i); }
fn load_w(i: u32) -> f32 { return f32(i); }
fn conclude(at: u32, channel: u32, total: Total, count: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group_id, groups);
  if (tile >= p.groups) {
    return;
  }
  // Neighbouring workgroups read the same inputs.
  let row0 = tile % p.row_tiles * ROWS;
  let block = tile / p.row_tiles % p.quad_blocks;
  let item = item_of(tile / p.row_tiles / p.quad_blocks);
  let last_row = p.group_outputs - 1u;
  // Quads and rows past the last ones repeat them; their sums are never stored.
  // @repeat H HALVES
  let own_quad_H = block * 8u * HALVES + H * 8u + local;
  let quad_H = quad_of(item, min(own_quad_H, p.quads - 1u));
  let window_z_H = window_depth(quad_H.z);
  let window_y_H = window_height(quad_H.y);
  // @repeat E 4
  let window_x_H_E = window_width(quad_H.x[E]);
  // @end
  // @end
  // All outputs of a phase meet the same elements of w.
  let taps_z = window_depth(item.phase.x);
  let taps_y = window_height(item.phase.y);
  let taps_x = window_width(item.phase.z);
  // A lane's weights: four channels of a row, and of the next.
  let lane_channel = local % 4u;
  // @repeat G GATHERS
  let w_row_G = item.group * p.w_group + min(row0 + G * 2u + local / 4u, last_row) * p.w_out;
  // @end
  // Zero, which the compiler cannot know: a shuffle by a constant would be two instructions.
  let unknown_zero = local & (p.channels >> 31u);
  // @repeat L 8
  let lane_L = unknown_zero + L;
  // @end
  // @repeat R ROWS
  // @repeat H HALVES
  var part_R_H = vec4<f32>(0.0);
  // @repeat I INTEGERS
  var total_R_H = Total();
  // @end
  // @end
  // @end
  let x0 = item.item * p.x_item + item.group * p.x_group;
  let last_channel = p.channels - 1u;
  for (var c0 = 0u; c0 < p.channels; c0 += p.channel_block) {
    let c_end = min(c0 + p.channel_block, p.channels);
    for (var tz = 0u; tz < taps_z.taps; tz += 1u) {
      for (var ty = 0u; ty < taps_y.taps; ty += 1u) {
        // @repeat H HALVES
        let from_z_H = source_depth(window_z_H, tz);
        let from_y_H = source_height(window_y_H, ty);
        let row_inside_H = from_z_H != NOWHERE && from_y_H != NOWHERE;
        let x_row_H = x0 + from_z_H * p.x_z + from_y_H * p.x_y;
        // @end
        let w_plane = (taps_z.tap + tz * p.depth_tap_step) * p.w_z + (taps_y.tap + ty * p.height_tap_step) * p.w_y;
        for (var tx = 0u; tx < taps_x.taps; tx += 1u) {
          // @repeat H HALVES
          let sources_H = vec4<u32>(source_width(window_x_H_0, tx), source_width(window_x_H_1, tx),
                                    source_width(window_x_H_2, tx), source_width(window_x_H_3, tx));
          let inside_H = (sources_H != vec4<u32>(NOWHERE)) & vec4<bool>(row_inside_H);
          let around_H = outside(from_y_H, sources_H);
          // Outside, some element is read and not used.
          let x_at_H = select(vec4<u32>(x0), x_row_H + sources_H * p.x_x, inside_H);
          // @end
          let w_at = w_plane + (taps_x.tap + tx * p.width_tap_step) * p.w_x;
          for (var c = c0; c < c_end; c += 4u) {
            // Channels past the end repeat the last one, whose weights then count as zero.
            // @repeat D 4
            let channel_D = min(c + D, last_channel) * p.x_channel;
            // @repeat H HALVES
            let x_D_H = select(around_H, vec4<f32>(load_x(x_at_H.x + channel_D), load_x(x_at_H.y + channel_D),
                                                   load_x(x_at_H.z + channel_D), load_x(x_at_H.w + channel_D)), inside_H);
            // @end
            // @end
            let w_channel = w_at + min(c + lane_channel, last_channel) * p.w_channel;
            let lane_counts = c + lane_channel < c_end;
            // @repeat G GATHERS
            let w_G = select(0.0, load_w(w_row_G + w_channel), lane_counts);
            // @end
            // @repeat G GATHERS
            // @repeat S GATHERED_ROWS
            // @let R = G * 2 + S
            // @repeat D 4
            // @let L = S * 4 + D
            let weight_R_D = subgroupShuffle(w_G, lane_L);
            // @repeat H HALVES
            part_R_H += weight_R_D * x_D_H;
            // @end
            // @end
            // @end
            // @end
          }
          // Few enough products of I8 that f32 holds their sum.
          // @repeat I INTEGERS
          // @repeat R ROWS
          // @repeat H HALVES
          total_R_H += Total(part_R_H);
          part_R_H = vec4<f32>(0.0);
          // @end
          // @end
          // @end
        }
      }
    }
  }
  // @repeat R ROWS
  // @repeat H HALVES
  // @repeat I INTEGERS
  let sum_R_H = total_R_H;
  // @end
  // @repeat F FLOATS
  let sum_R_H = Total(part_R_H);
  // @end
  // @end
  // @end
  let channel0 = item.group * p.group_outputs + row0;
  // @repeat H HALVES
  if (own_quad_H < p.quads && quad_H.count > 0u) {
    // Channels first: four outputs of each channel.
    // @repeat R ROWS_FIRST
    if (row0 + R <= last_row) { conclude(quad_H.at + (channel0 + R) * p.out_channel, channel0 + R, sum_R_H, quad_H.count); }
    // @end
    // Channels last: four channels of each output.
    // @repeat Q QUADS_LAST
    // @let A = Q * 4
    // @let B = Q * 4 + 1
    // @let C = Q * 4 + 2
    // @let D = Q * 4 + 3
    if (row0 + A <= last_row) {
      let count = min(4u, last_row + 1u - row0 - A);
      // @repeat E 4
      if (E < quad_H.count) {
        conclude(quad_H.at + E * p.quad_step + channel0 + A, channel0 + A, Total(sum_A_H[E], sum_B_H[E], sum_C_H[E], sum_D_H[E]), count);
      }
      // @end
    }
    // @end
  }
  // @end
}
