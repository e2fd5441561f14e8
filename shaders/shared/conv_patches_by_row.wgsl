// The inputs of a convolution as a factor of a product, channels first: its rows are outputs, four of which are neighbours
// along the last axis. TENSOR stands for the factor. Depths from `end` on, and rows past the last one, count as zero.
// @stand-in begin
const WHOLE_CHANNELS = false;
struct Params { n: u32, x_item: u32, x_group: u32, x_channel: u32, x_z: u32, x_y: u32 }
@group(0) @binding(0) var<uniform> p: Params;
const NOWHERE = 0xffffffffu;
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
struct Depth { z: u32, y: u32, x: u32, channel: u32 }
fn depth_of(depth: u32) -> Depth { return Depth(); }
fn load_x(i: u32) -> f32 { return f32(i); }
// @stand-in end
// Where four outputs read at one tap, in the first channel of their group.
struct Patch { at: vec4<u32>, inside: vec4<bool>, around: vec4<f32> }

fn patch_of(item: u32, row: u32, depth: Depth) -> Patch {
  let place = item_of(item);
  let quad = quad_of(place, row / 4u);
  let from_z = source_depth(window_depth(quad.z), depth.z);
  let from_y = source_height(window_height(quad.y), depth.y);
  let from_x = vec4<u32>(source_width(window_width(quad.x.x), depth.x), source_width(window_width(quad.x.y), depth.x),
                         source_width(window_width(quad.x.z), depth.x), source_width(window_width(quad.x.w), depth.x));
  let inside = (from_x != vec4<u32>(NOWHERE)) & vec4<bool>(from_z != NOWHERE && from_y != NOWHERE);
  let first = place.item * p.x_item + place.group * p.x_group;
  // Outside, some element is read and not used.
  let at = vec4<u32>(first) + select(vec4<u32>(0u), from_z * p.x_z + from_y * p.x_y + from_x, inside);
  return Patch(at, inside, outside(from_y, from_x));
}

fn values_of(part: Patch, channel: u32) -> vec4<f32> {
  let i = part.at + channel * p.x_channel;
  return select(part.around, vec4<f32>(load_x(i.x), load_x(i.y), load_x(i.z), load_x(i.w)), part.inside);
}

// Four rows at one depth.
fn line_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> {
  if (row >= p.n || depth >= end) {
    return vec4<f32>(0.0);
  }
  let place = depth_of(depth);
  return values_of(patch_of(item, row, place), place.channel);
}

// A vector of four rows for each of four depths.
fn block_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> {
  if (WHOLE_CHANNELS) {
    if (row >= p.n || depth >= end) {
      return mat4x4<f32>();
    }
    let place = depth_of(depth);
    let part = patch_of(item, row, place);
    return mat4x4<f32>(values_of(part, place.channel), values_of(part, place.channel + 1u),
                       values_of(part, place.channel + 2u), values_of(part, place.channel + 3u));
  }
  return mat4x4<f32>(line_TENSOR(item, row, depth, end), line_TENSOR(item, row, depth + 1u, end),
                     line_TENSOR(item, row, depth + 2u, end), line_TENSOR(item, row, depth + 3u, end));
}
