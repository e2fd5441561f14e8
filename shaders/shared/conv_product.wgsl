// A convolution as a matrix product: its depths are the taps of a window, each with all channels of a group up to
// `patch_channels`, its items are groups, and what it sums is in the scratch with channels last. Channels first, its rows are
// output channels and its columns outputs, whose lines are filled up to quads; channels last, the other way round.
// @stand-in begin
alias Total = vec4<f32>;
const CHANNELS_LAST = true;
struct Params { m: u32, n: u32, group_outputs: u32, depth_out: u32, height_out: u32, width_out: u32, line: u32, out_item: u32,
  out_channel: u32, out_z: u32, out_y: u32, out_x: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Scales { left: f32, right: vec4<f32> }
fn conclude(at: u32, channel: u32, total: Total, count: u32) { }
// @stand-in end
struct Place { item: u32, z: u32, y: u32, x: u32 }

// Of all outputs of a channel, line by line.
fn place_of(output: u32) -> Place {
  let y = output / p.line;
  let z = y / p.height_out;
  return Place(z / p.depth_out, z % p.depth_out, y % p.height_out, output % p.line);
}

// No sums have scales of their own.
fn group_scales(item: u32, row: u32, column: u32, depth: u32) -> Scales {
  return Scales(1.0, vec4<f32>(1.0));
}

fn finish(item: u32, row: u32, column: u32, total: Total) {
  if (row >= p.m || column >= p.n) {
    return;
  }
  let place = place_of(select(column, row, CHANNELS_LAST));
  let channel = item * p.group_outputs + select(row, column, CHANNELS_LAST);
  let at = place.item * p.out_item + place.z * p.out_z + place.y * p.out_y + place.x * p.out_x;
  let count = min(4u, select(p.width_out - place.x, p.n - column, CHANNELS_LAST));
  conclude(at + channel * p.out_channel, channel, total, count);
}
