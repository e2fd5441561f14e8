// Convolution of up to three axes, portable: every output is summed directly, the boundary is an index. Channels first.
// workgroup -> CHANNELS output channels of one group and batch item, 64 quads of outputs;
// invocation -> one quad: four neighbours along the last axis, of each of these channels.
// Addresses into w depend on the workgroup and the loops alone, unless it is transposed.
// @stand-in begin
alias Total = vec4<f32>;
const CHANNELS = 8u;
const TRANSPOSED = true;
const NOWHERE = 0xffffffffu;
struct Params { channels: u32, group_outputs: u32, channel_blocks: u32, blocks_per_group: u32, quad_blocks: u32, quads: u32,
  quads_x: u32, height_out: u32, width_out: u32, depth_taps: u32, height_taps: u32, width_taps: u32, depth_tap_step: u32,
  height_tap_step: u32, width_tap_step: u32, depth_kernel: u32, height_kernel: u32, width_kernel: u32,
  x_item: u32, x_group: u32, x_channel: u32, x_z: u32, x_y: u32, w_group: u32, w_out: u32, w_channel: u32, w_z: u32,
  w_y: u32, w_x: u32, out_item: u32, out_channel: u32, out_z: u32, out_y: u32, groups: u32 }
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
// The weights at one tap of four outputs: one for all, or one for each, some of which have fewer taps.
fn weights(at: vec4<u32>, met: vec4<bool>) -> vec4<f32> {
  if (!TRANSPOSED) {
    return vec4<f32>(load_w(at.x));
  }
  return select(vec4<f32>(0.0), vec4<f32>(load_w(at.x), load_w(at.y), load_w(at.z), load_w(at.w)), met);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group_id, groups);
  if (tile >= p.groups) {
    return;
  }
  let block = tile / p.quad_blocks % p.channel_blocks;
  let item = tile / p.quad_blocks / p.channel_blocks;
  let group = block / p.blocks_per_group;
  let channel0 = block % p.blocks_per_group * CHANNELS;
  let last_channel = p.group_outputs - 1u;

  // Quads from the last on repeat it and are not stored, so that the loops run without divergence.
  let own_quad = tile % p.quad_blocks * 64u + local;
  let quad = min(own_quad, p.quads - 1u);
  let column = quad % p.quads_x * 4u;
  let y = quad / p.quads_x % p.height_out;
  let z = quad / p.quads_x / p.height_out;
  let window_z = window_depth(z);
  let window_y = window_height(y);
  // Columns from the width on repeat the last one; they are never stored. So do channels beyond the group's.
  // @repeat E 4
  let window_E = window_width(min(column + E, p.width_out - 1u));
  // @end
  let taps_x = vec4<u32>(window_0.taps, window_1.taps, window_2.taps, window_3.taps);
  let first_x = vec4<u32>(window_0.tap, window_1.tap, window_2.tap, window_3.tap);
  let x0 = item * p.x_item + group * p.x_group;
  // @repeat C CHANNELS
  let w_C = group * p.w_group + min(channel0 + C, last_channel) * p.w_out;
  var sum_C = Total();
  // @end
  for (var tz = 0u; tz < p.depth_taps; tz += 1u) {
    let from_z = source_depth(window_z, tz);
    for (var ty = 0u; ty < p.height_taps; ty += 1u) {
      let from_y = source_height(window_y, ty);
      let row_inside = from_z != NOWHERE && from_y != NOWHERE;
      let x_row = x0 + from_z * p.x_z + from_y * p.x_y;
      let w_row = min(window_z.tap + tz * p.depth_tap_step, p.depth_kernel - 1u) * p.w_z
                + min(window_y.tap + ty * p.height_tap_step, p.height_kernel - 1u) * p.w_y;
      for (var tx = 0u; tx < p.width_taps; tx += 1u) {
        let sources = vec4<u32>(source_width(window_0, tx), source_width(window_1, tx), source_width(window_2, tx),
                                source_width(window_3, tx));
        let inside = (sources != vec4<u32>(NOWHERE)) & vec4<bool>(row_inside);
        let around = outside(from_y, sources);
        let met = (vec4<u32>(tx) < taps_x) & vec4<bool>(tz < window_z.taps && ty < window_y.taps);
        // Outside, some element is read and not used.
        var i = select(vec4<u32>(x0), x_row + sources, inside);
        var w_at = w_row + min(first_x + tx * p.width_tap_step, vec4<u32>(p.width_kernel - 1u)) * p.w_x;
        for (var c = 0u; c < p.channels; c += 1u) {
          let x = select(around, vec4<f32>(load_x(i.x), load_x(i.y), load_x(i.z), load_x(i.w)), inside);
          // @repeat C CHANNELS
          sum_C = accumulate(sum_C, weights(w_C + w_at, met), x);
          // @end
          i += vec4<u32>(p.x_channel);
          w_at += vec4<u32>(p.w_channel);
        }
      }
    }
  }
  if (own_quad >= p.quads) {
    return;
  }
  let at = item * p.out_item + z * p.out_z + y * p.out_y + column;
  let count = min(4u, p.width_out - column);
  // @repeat C CHANNELS
  if (channel0 + C <= last_channel) {
    let channel = group * p.group_outputs + channel0 + C;
    conclude(at + channel * p.out_channel, channel, sum_C, count);
  }
  // @end
}
