// The inputs of a convolution as a factor of a product, channels last: its rows are outputs. TENSOR stands for the factor.
// Depths from `end` on, and rows past the last one, count as zero.
// @stand-in begin
const WHOLE_CHANNELS = false;
struct Params { m: u32, phase_width: u32, x_item: u32, x_group: u32, x_z: u32, x_y: u32, x_x: u32 }
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
fn neighbours(item: Item, row: u32, column: u32) -> Quad { return Quad(); }
struct Depth { z: u32, y: u32, x: u32, channel: u32 }
fn depth_of(depth: u32) -> Depth { return Depth(); }
fn load_x(i: u32) -> f32 { return f32(i); }
fn load4_x(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
// @stand-in end
// Where an output reads at one tap, in the first channel of its group.
struct Patch { at: u32, inside: bool, around: f32 }

fn patch_of(item: u32, row: u32, depth: Depth) -> Patch {
  let place = item_of(item);
  let output = neighbours(place, row / p.phase_width, row % p.phase_width);
  let from_z = source_depth(window_depth(output.z), depth.z);
  let from_y = source_height(window_height(output.y), depth.y);
  let from_x = source_width(window_width(output.x.x), depth.x);
  let inside = from_z != NOWHERE && from_y != NOWHERE && from_x != NOWHERE;
  let first = place.item * p.x_item + place.group * p.x_group;
  // Outside, some element is read and not used.
  let at = first + select(0u, from_z * p.x_z + from_y * p.x_y + from_x * p.x_x, inside);
  return Patch(at, inside, outside(from_y, vec4<u32>(from_x)).x);
}

fn value_of(item: u32, row: u32, depth: u32, end: u32) -> f32 {
  if (depth >= end) {
    return 0.0;
  }
  let place = depth_of(depth);
  let part = patch_of(item, row, place);
  return select(part.around, load_x(part.at + place.channel), part.inside);
}

// Four depths of a row.
fn line_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> vec4<f32> {
  if (row >= p.m || depth >= end) {
    return vec4<f32>(0.0);
  }
  if (WHOLE_CHANNELS) {
    let place = depth_of(depth);
    let part = patch_of(item, row, place);
    return select(vec4<f32>(part.around), load4_x(part.at + place.channel), part.inside);
  }
  return vec4<f32>(value_of(item, row, depth, end), value_of(item, row, depth + 1u, end),
                   value_of(item, row, depth + 2u, end), value_of(item, row, depth + 3u, end));
}

// A vector of four rows for each of four depths.
fn block_TENSOR(item: u32, row: u32, depth: u32, end: u32) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(line_TENSOR(item, row, depth, end), line_TENSOR(item, row + 1u, depth, end),
                               line_TENSOR(item, row + 2u, depth, end), line_TENSOR(item, row + 3u, depth, end)));
}
