// Convolution of up to three axes, portable: every output is summed directly, the boundary is an index. Channels last.
// workgroup -> 64 quads of output channels; invocation -> four neighbouring channels of four neighbours along the last axis.
// Neighbouring invocations have neighbouring channels.
// @stand-in begin
alias Total = vec4<f32>;
const MIXED = true;
const TRANSPOSED = true;
const NOWHERE = 0xffffffffu;
struct Params { channels: u32, group_outputs: u32, out_channels: u32, channel_quads: u32, quads: u32, quads_x: u32,
  height_out: u32, width_out: u32, depth_out: u32, depth_taps: u32, height_taps: u32, width_taps: u32, depth_tap_step: u32,
  height_tap_step: u32, width_tap_step: u32, depth_kernel: u32, height_kernel: u32, width_kernel: u32, x_item: u32,
  x_group: u32, x_channel: u32, x_z: u32, x_y: u32, x_x: u32, w_group: u32, w_out: u32, w_channel: u32, w_z: u32, w_y: u32,
  w_x: u32, out_item: u32, out_z: u32, out_y: u32, out_x: u32, groups: u32 }
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
// One input for four channels of one group, or one for each.
fn inputs(at: u32, groups: vec4<u32>) -> vec4<f32> {
  if (!MIXED) {
    return vec4<f32>(load_x(at + groups.x));
  }
  return vec4<f32>(load_x(at + groups.x), load_x(at + groups.y), load_x(at + groups.z), load_x(at + groups.w));
}

fn weights(at: vec4<u32>) -> vec4<f32> {
  return vec4<f32>(load_w(at.x), load_w(at.y), load_w(at.z), load_w(at.w));
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group_id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group_id, groups);
  let quad = tile * 64u + local;
  if (tile >= p.groups || quad >= p.quads) {
    return;
  }
  let channel = quad % p.channel_quads * 4u;
  let place = quad / p.channel_quads;
  let column = place % p.quads_x * 4u;
  let y = place / p.quads_x % p.height_out;
  let z = place / p.quads_x / p.height_out % p.depth_out;
  let item = place / p.quads_x / p.height_out / p.depth_out;
  // Channels beyond the last one repeat it, and so do columns; they are never stored.
  let channels = min(vec4<u32>(channel) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.out_channels - 1u));
  let group = channels / p.group_outputs;
  let x_groups = group * p.x_group;
  let w0 = group * p.w_group + channels % p.group_outputs * p.w_out;
  let window_z = window_depth(z);
  let window_y = window_height(y);
  // @repeat E 4
  let window_E = window_width(min(column + E, p.width_out - 1u));
  var sum_E = Total();
  // @end
  let x0 = item * p.x_item;
  for (var tz = 0u; tz < p.depth_taps; tz += 1u) {
    let from_z = source_depth(window_z, tz);
    for (var ty = 0u; ty < p.height_taps; ty += 1u) {
      let from_y = source_height(window_y, ty);
      let row_inside = from_z != NOWHERE && from_y != NOWHERE;
      let x_row = x0 + from_z * p.x_z + from_y * p.x_y;
      let w_row = min(window_z.tap + tz * p.depth_tap_step, p.depth_kernel - 1u) * p.w_z
                + min(window_y.tap + ty * p.height_tap_step, p.height_kernel - 1u) * p.w_y;
      let row_met = tz < window_z.taps && ty < window_y.taps;
      for (var tx = 0u; tx < p.width_taps; tx += 1u) {
        let sources = vec4<u32>(source_width(window_0, tx), source_width(window_1, tx), source_width(window_2, tx),
                                source_width(window_3, tx));
        let inside = (sources != vec4<u32>(NOWHERE)) & vec4<bool>(row_inside);
        let around = outside(from_y, sources);
        // Outside, some element is read and not used.
        let i = select(vec4<u32>(x0), x_row + sources * p.x_x, inside);
        // @repeat E 4
        let w_at_E = w0 + w_row + min(window_E.tap + tx * p.width_tap_step, p.width_kernel - 1u) * p.w_x;
        let met_E = row_met && tx < window_E.taps;
        // @end
        for (var c = 0u; c < p.channels; c += 1u) {
          let w_all = weights(w_at_0 + vec4<u32>(c * p.w_channel));
          // @repeat E 4
          var w_E = w_all;
          if (TRANSPOSED) { w_E = select(vec4<f32>(0.0), weights(w_at_E + vec4<u32>(c * p.w_channel)), met_E); }
          let x_E = select(vec4<f32>(around[E]), inputs(i[E] + c * p.x_channel, x_groups), inside[E]);
          sum_E = accumulate(sum_E, w_E, x_E);
          // @end
        }
      }
    }
  }
  let at = item * p.out_item + z * p.out_z + y * p.out_y + channel;
  let count = min(4u, p.out_channels - channel);
  // @repeat E 4
  if (column + E < p.width_out) { conclude(at + (column + E) * p.out_x, channel, sum_E, count); }
  // @end
}
