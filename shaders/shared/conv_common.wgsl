// What all convolutions share: a window along an axis, and an output's place.
// @stand-in begin
struct Params { height_out: u32, width_out: u32, depth_outside: f32, height_outside: f32, width_outside: f32 }
@group(0) @binding(0) var<uniform> p: Params;
// @stand-in end
const NOWHERE = 0xffffffffu;

// The position of an output's first tap, which of the kernel's elements that is, and how many taps there are.
struct Window { first: i32, tap: u32, taps: u32 }

// What lies outside of the input: the last axis along which the position is outside says it.
fn outside(from_y: u32, from_x: vec4<u32>) -> vec4<f32> {
  let of_row = select(p.depth_outside, p.height_outside, from_y == NOWHERE);
  return select(vec4<f32>(of_row), vec4<f32>(p.width_outside), from_x == vec4<u32>(NOWHERE));
}

// What sums of groups are multiplied by in a matrix product; a convolution has no such groups.
struct Scales { left: f32, right: vec4<f32> }
