// A convolution as a matrix product: its depths are the taps of a window, each with all channels of a group, and its items
// are the groups and phases of the batch. Channels first, rows are output channels and columns outputs, in quads; channels
// last, rows are outputs and columns output channels.
// @stand-in begin
alias Total = vec4<f32>;
const CHANNELS_LAST = true;
struct Params { m: u32, n: u32, channels: u32, group_outputs: u32, height_taps: u32, width_taps: u32, out_channel: u32,
  phase_width: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Scales { left: f32, right: vec4<f32> }
struct Item { item: u32, group: u32, phase: vec3<u32> }
fn item_of(index: u32) -> Item { return Item(); }
struct Quad { z: u32, y: u32, x: vec4<u32>, count: u32, at: u32 }
fn neighbours(item: Item, row: u32, column: u32) -> Quad { return Quad(); }
fn quad_of(item: Item, quad: u32) -> Quad { return Quad(); }
fn conclude(at: u32, channel: u32, total: Total, count: u32) { }
// @stand-in end
// The slice of the depths that this workgroup sums over.
var<private> slice: u32;

// No sums have scales of their own.
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales {
  return Scales(1.0, vec4<f32>(1.0));
}

// A depth's tap along each axis, and its channel.
struct Depth { z: u32, y: u32, x: u32, channel: u32 }

fn depth_of(depth: u32) -> Depth {
  let tap = depth / p.channels;
  return Depth(tap / p.width_taps / p.height_taps, tap / p.width_taps % p.height_taps, tap % p.width_taps,
               depth % p.channels);
}

fn finish(item: u32, row: u32, column: u32, total: Total) {
  if (row >= p.m || column >= p.n) {
    return;
  }
  let place = item_of(item);
  if (CHANNELS_LAST) {
    let channel = place.group * p.group_outputs + column;
    let output = neighbours(place, row / p.phase_width, row % p.phase_width);
    if (output.count > 0u) { conclude(output.at + channel, channel, total, min(4u, p.n - column)); }
  } else {
    let channel = place.group * p.group_outputs + row;
    let quad = quad_of(place, column / 4u);
    if (quad.count > 0u) { conclude(quad.at + channel * p.out_channel, channel, total, quad.count); }
  }
}
