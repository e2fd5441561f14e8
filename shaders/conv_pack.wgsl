// A tensor of a convolution with its channels last, exactly, for a product to read several at once. TENSOR stands for its
// name. Channels that fill up the last unit are zero. Behind the last place, with OUTSIDE, three more hold what is outside
// along each axis.
// unit: 4 QUADS neighbouring channels of a place. workgroup -> LANES times UNITS of them; invocation -> every LANES-th:
// neighbours read neighbouring places.
// @stand-in begin
const LANES = 64u;
const UNITS = 1u;
const QUADS = 2u;
const OUTSIDE = true;
struct Params { units: u32, channel_units: u32, places: u32, items: u32, inner: u32, height: u32, width: u32, channels: u32,
  outer_step: u32, inner_step: u32, channel_step: u32, z_step: u32, y_step: u32, x_step: u32, depth_outside: f32,
  height_outside: f32, width_outside: f32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_TENSOR(i: u32) -> f32 { return f32(i); }
fn store4_packed(i: u32, v: vec4<f32>, count: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
fn channel_of(at: u32, channel: u32) -> f32 {
  return select(0.0, load_TENSOR(at + min(channel, p.channels - 1u) * p.channel_step), channel < p.channels);
}

fn pack(item: u32, place: u32, channel: u32, to: u32) {
  let at = item / p.inner * p.outer_step + item % p.inner * p.inner_step + place / p.width / p.height * p.z_step
         + place / p.width % p.height * p.y_step + place % p.width * p.x_step;
  // @repeat Q QUADS
  let c_Q = channel + 4u * Q;
  store4_packed(to + 4u * Q, vec4<f32>(channel_of(at, c_Q), channel_of(at, c_Q + 1u), channel_of(at, c_Q + 2u),
                                       channel_of(at, c_Q + 3u)), 4u);
  // @end
}

fn pack_outside(axis: u32, channel: u32, to: u32) {
  let value = select(select(p.width_outside, p.height_outside, axis == 1u), p.depth_outside, axis == 0u);
  // @repeat Q QUADS
  let is_channel_Q = vec4<u32>(channel + 4u * Q) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(p.channels);
  store4_packed(to + 4u * Q, select(vec4<f32>(0.0), vec4<f32>(value), is_channel_Q), 4u);
  // @end
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let pitch = p.channel_units * (4u * QUADS);
  // @repeat U UNITS
  let unit_U = (tile * UNITS + U) * LANES + local;
  let place_U = unit_U % p.places;
  let channel_U = unit_U / p.places % p.channel_units * (4u * QUADS);
  let item_U = unit_U / p.places / p.channel_units;
  let further_U = unit_U - p.items * p.places * p.channel_units;
  if (item_U < p.items) {
    pack(item_U, place_U, channel_U, (item_U * p.places + place_U) * pitch + channel_U);
  } else if (OUTSIDE && unit_U < p.units) {
    pack_outside(further_U / p.channel_units, further_U % p.channel_units * (4u * QUADS),
                 p.items * p.places * pitch + further_U * (4u * QUADS));
  }
  // @end
}
