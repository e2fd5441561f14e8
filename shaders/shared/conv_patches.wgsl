// Where the elements of a window are in the scratch, as a factor of a product: its rows are outputs. TENSOR stands for the
// factor. Any row and any depth gives a place that is there.
// @stand-in begin
struct Params { patch_channels: u32, patch_item: u32, conv_groups: u32, conv_items: u32, outside_at: u32, patch_height: u32, patch_width: u32, height_taps: u32,
  width_taps: u32, width_out: u32 }
@group(0) @binding(0) var<uniform> p: Params;
const NOWHERE = 0xffffffffu;
struct Window { first: i32, tap: u32, taps: u32 }
fn window_depth(out: u32) -> Window { return Window(); }
fn window_height(out: u32) -> Window { return Window(); }
fn window_width(out: u32) -> Window { return Window(); }
fn source_depth(window: Window, t: u32) -> u32 { return t; }
fn source_height(window: Window, t: u32) -> u32 { return t; }
fn source_width(window: Window, t: u32) -> u32 { return t; }
struct Place { item: u32, z: u32, y: u32, x: u32 }
fn place_of(output: u32) -> Place { return Place(); }
fn load4_TENSOR(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
// @stand-in end
// Rows past the last one belong to no item; they read of the first.
fn at_TENSOR(item: u32, row: u32, depth: u32) -> u32 {
  let tap = depth / p.patch_channels;
  let place = place_of(row);
  let z = source_depth(window_depth(place.z), tap / p.width_taps / p.height_taps);
  let y = source_height(window_height(place.y), tap / p.width_taps % p.height_taps);
  let x = source_width(window_width(min(place.x, p.width_out - 1u)), tap % p.width_taps);
  let first = select(0u, place.item * p.conv_groups + item, place.item < p.conv_items) * p.patch_item;
  let inside = first + ((z * p.patch_height + y) * p.patch_width + x) * p.patch_channels;
  // As `outside`: the last axis along which it is says what lies there.
  let axis = select(select(0u, 1u, y == NOWHERE), 2u, x == NOWHERE);
  let is_inside = z != NOWHERE && y != NOWHERE && x != NOWHERE;
  return select(p.outside_at + axis * p.patch_channels, inside, is_inside) + depth % p.patch_channels;
}

// Four depths of four rows: a vector of rows for each depth.
fn whole_block_TENSOR(at: u32, pitch: u32, item: u32, row: u32, depth: u32) -> mat4x4<f32> {
  return transpose(mat4x4<f32>(load4_TENSOR(at), load4_TENSOR(at_TENSOR(item, row + 1u, depth)),
                               load4_TENSOR(at_TENSOR(item, row + 2u, depth)), load4_TENSOR(at_TENSOR(item, row + 3u, depth))));
}
