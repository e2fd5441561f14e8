// The weights of a convolution as a factor of a product: its rows are the output channels of a group. TENSOR stands for the
// factor. Depths from `end` on, and rows past the last one, count as zero.
// @stand-in begin
const TRANSPOSED = true;
const WHOLE_CHANNELS = false;
const W_BY_FOUR = false;
struct Params { group_outputs: u32, depth_tap_step: u32, height_tap_step: u32, width_tap_step: u32, w_group: u32, w_out: u32,
  w_channel: u32, w_z: u32, w_y: u32, w_x: u32 }
@group(0) @binding(0) var<uniform> p: Params;
const NOWHERE = 0xffffffffu;
struct Window { first: i32, tap: u32, taps: u32 }
fn window_depth(out: u32) -> Window { return Window(); }
fn window_height(out: u32) -> Window { return Window(); }
fn window_width(out: u32) -> Window { return Window(); }
struct Item { item: u32, group: u32, phase: vec3<u32> }
fn item_of(index: u32) -> Item { return Item(); }
struct Depth { z: u32, y: u32, x: u32, channel: u32 }
fn depth_of(depth: u32) -> Depth { return Depth(); }
fn load_w(i: u32) -> f32 { return f32(i); }
fn load4_w(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
// @stand-in end
// Where the weight of a depth is in its row; of a transposed convolution a phase may have fewer taps than another.
fn weight_of(place: Item, depth: Depth) -> u32 {
  if (!TRANSPOSED) {
    return place.group * p.w_group + depth.z * p.w_z + depth.y * p.w_y + depth.x * p.w_x + depth.channel * p.w_channel;
  }
  let z = window_depth(place.phase.x);
  let y = window_height(place.phase.y);
  let x = window_width(place.phase.z);
  let at = (z.tap + depth.z * p.depth_tap_step) * p.w_z + (y.tap + depth.y * p.height_tap_step) * p.w_y
         + (x.tap + depth.x * p.width_tap_step) * p.w_x;
  let is_met = depth.z < z.taps && depth.y < y.taps && depth.x < x.taps;
  return select(NOWHERE, place.group * p.w_group + at + depth.channel * p.w_channel, is_met);
}

// Where four depths are in their row.
fn weights_of(item: u32, depth: u32, end: u32) -> vec4<u32> {
  let place = item_of(item);
  if (WHOLE_CHANNELS) {
    let first = weight_of(place, depth_of(depth));
    let at = vec4<u32>(first) + vec4<u32>(0u, 1u, 2u, 3u) * p.w_channel;
    return select(at, vec4<u32>(NOWHERE), vec4<bool>(first == NOWHERE));
  }
  let at = vec4<u32>(weight_of(place, depth_of(depth)), weight_of(place, depth_of(depth + 1u)),
                     weight_of(place, depth_of(depth + 2u)), weight_of(place, depth_of(depth + 3u)));
  return select(vec4<u32>(NOWHERE), at, vec4<u32>(depth) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(end));
}

fn weights_in(row: u32, at: vec4<u32>) -> vec4<f32> {
  if (row >= p.group_outputs) {
    return vec4<f32>(0.0);
  }
  let first = row * p.w_out;
  if (W_BY_FOUR) {
    return load4_w(first + at.x);
  }
  let counts = at != vec4<u32>(NOWHERE);
  let i = first + select(vec4<u32>(0u), at, counts);
  return select(vec4<f32>(0.0), vec4<f32>(load_w(i.x), load_w(i.y), load_w(i.z), load_w(i.w)), counts);
}

fn line_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> {
  if (depth >= end) {
    return vec4<f32>(0.0);
  }
  return weights_in(row, weights_of(item, depth, end));
}

// A vector of four rows for each of four depths.
fn block_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> {
  if (depth >= end) {
    return mat4x4<f32>();
  }
  let at = weights_of(item, depth, end);
  return transpose(mat4x4<f32>(weights_in(row, at), weights_in(row + 1u, at), weights_in(row + 2u, at),
                               weights_in(row + 3u, at)));
}
