// Convolution of up to three axes, portable: every output is summed directly, the boundary is an index.
// workgroup -> CHANNELS output channels of one group and batch item, 64 quads of outputs;
// invocation -> one quad: four neighbours along the last axis, of each of these channels.
// Addresses into w depend on the workgroup and the loops alone.
// @stand-in begin
const CHANNELS = 8u;
const HAS_BIAS = true;
struct Params { channels: u32, in_channels: u32, group_outputs: u32, out_channels: u32, channel_blocks: u32,
  blocks_per_group: u32, quad_blocks: u32, quads: u32, quads_x: u32, depth: u32, height: u32, width: u32,
  kernel_z: u32, kernel_y: u32, kernel_x: u32, stride_z: u32, stride_y: u32, stride_x: u32,
  dilation_z: u32, dilation_y: u32, dilation_x: u32, before_z: u32, before_y: u32, before_x: u32,
  shift_z: u32, shift_y: u32, shift_x: u32, boundary_z: u32, boundary_y: u32, boundary_x: u32,
  out_depth: u32, out_height: u32, out_width: u32, x_pitch: u32, w_pitch: u32, out_pitch: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_x(i: u32) -> f32 { return f32(i); }
fn load_w(i: u32) -> f32 { return f32(i); }
fn load_bias(i: u32) -> f32 { return f32(i); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
const NOWHERE = 0xffffffffu;

// Where an element of the padded axis comes from. `boundary`: 0 zero, 1 circular, 2 reflect, 3 replicate; `shift` makes
// the offset plus it a multiple of the extent at the first element.
fn source(offset: u32, before: u32, extent: u32, shift: u32, boundary: u32) -> u32 {
  let is_before = offset < before;
  if (!is_before && offset - before < extent) {
    return offset - before;
  }
  if (boundary == 1u) {
    return (offset + shift) % extent;
  }
  if (boundary == 2u) {
    return select(2u * (extent - 1u) - (offset - before), before - offset, is_before);
  }
  if (boundary == 3u) {
    return select(extent - 1u, 0u, is_before);
  }
  return NOWHERE;
}

fn source_x(column: u32, k: u32) -> u32 {
  return source(column * p.stride_x + k * p.dilation_x, p.before_x, p.width, p.shift_x, p.boundary_x);
}

fn finish(item: u32, channel: u32, row: u32, column: u32, sums: vec4<f32>) {
  var y = sums;
  if (HAS_BIAS) { y += load_bias(channel); }
  let plane = (item * p.out_channels + channel) * p.out_depth * p.out_height;
  store4_out((plane + row) * p.out_pitch + column, y, min(4u, p.out_width - column));
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
  let first_channel = group * p.group_outputs + block % p.blocks_per_group * CHANNELS;
  let last_channel = (group + 1u) * p.group_outputs - 1u;

  // Quads from the last on repeat it and are not stored, so that the loops run without divergence.
  let own_quad = tile % p.quad_blocks * 64u + local;
  let quad = min(own_quad, p.quads - 1u);
  let column = quad % p.quads_x * 4u;
  let row = quad / p.quads_x;
  let y = row % p.out_height;
  let z = row / p.out_height;
  // Columns from out_width on repeat the last one; they are never stored. So do channels beyond the group's.
  let columns = min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(p.out_width - 1u));
  let w_plane = p.kernel_z * p.kernel_y * p.w_pitch;
  let w0 = first_channel * p.channels * w_plane;
  let w1 = min(first_channel + 1u, last_channel) * p.channels * w_plane;
  let w2 = min(first_channel + 2u, last_channel) * p.channels * w_plane;
  let w3 = min(first_channel + 3u, last_channel) * p.channels * w_plane;
  let w4 = min(first_channel + 4u, last_channel) * p.channels * w_plane;
  let w5 = min(first_channel + 5u, last_channel) * p.channels * w_plane;
  let w6 = min(first_channel + 6u, last_channel) * p.channels * w_plane;
  let w7 = min(first_channel + 7u, last_channel) * p.channels * w_plane;
  let x_plane = p.depth * p.height * p.x_pitch;
  let x0 = (item * p.in_channels + group * p.channels) * x_plane;

  var sums0 = vec4<f32>(0.0);
  var sums1 = vec4<f32>(0.0);
  var sums2 = vec4<f32>(0.0);
  var sums3 = vec4<f32>(0.0);
  var sums4 = vec4<f32>(0.0);
  var sums5 = vec4<f32>(0.0);
  var sums6 = vec4<f32>(0.0);
  var sums7 = vec4<f32>(0.0);
  for (var kz = 0u; kz < p.kernel_z; kz += 1u) {
    let from_z = source(z * p.stride_z + kz * p.dilation_z, p.before_z, p.depth, p.shift_z, p.boundary_z);
    for (var ky = 0u; ky < p.kernel_y; ky += 1u) {
      let from_y = source(y * p.stride_y + ky * p.dilation_y, p.before_y, p.height, p.shift_y, p.boundary_y);
      // Outside, some element is read and not used.
      let row_inside = from_z != NOWHERE && from_y != NOWHERE;
      let x_row = x0 + select(0u, (from_z * p.height + from_y) * p.x_pitch, row_inside);
      for (var kx = 0u; kx < p.kernel_x; kx += 1u) {
        let sources = vec4<u32>(source_x(columns.x, kx), source_x(columns.y, kx), source_x(columns.z, kx),
                                source_x(columns.w, kx));
        let inside = (sources != vec4<u32>(NOWHERE)) & vec4<bool>(row_inside);
        var i = x_row + select(vec4<u32>(0u), sources, inside);
        var w_at = (kz * p.kernel_y + ky) * p.w_pitch + kx;
        for (var c = 0u; c < p.channels; c += 1u) {
          let x = select(vec4<f32>(0.0), vec4<f32>(load_x(i.x), load_x(i.y), load_x(i.z), load_x(i.w)), inside);
          sums0 = fma(vec4<f32>(load_w(w0 + w_at)), x, sums0);
          if (CHANNELS > 1u) {
            sums1 = fma(vec4<f32>(load_w(w1 + w_at)), x, sums1);
            sums2 = fma(vec4<f32>(load_w(w2 + w_at)), x, sums2);
            sums3 = fma(vec4<f32>(load_w(w3 + w_at)), x, sums3);
          }
          if (CHANNELS > 4u) {
            sums4 = fma(vec4<f32>(load_w(w4 + w_at)), x, sums4);
            sums5 = fma(vec4<f32>(load_w(w5 + w_at)), x, sums5);
            sums6 = fma(vec4<f32>(load_w(w6 + w_at)), x, sums6);
            sums7 = fma(vec4<f32>(load_w(w7 + w_at)), x, sums7);
          }
          i += vec4<u32>(x_plane);
          w_at += w_plane;
        }
      }
    }
  }
  if (own_quad >= p.quads) {
    return;
  }
  let last = last_channel - first_channel;
  finish(item, first_channel, row, column, sums0);
  if (CHANNELS > 1u) {
    if (last >= 1u) { finish(item, first_channel + 1u, row, column, sums1); }
    if (last >= 2u) { finish(item, first_channel + 2u, row, column, sums2); }
    if (last >= 3u) { finish(item, first_channel + 3u, row, column, sums3); }
  }
  if (CHANNELS > 4u) {
    if (last >= 4u) { finish(item, first_channel + 4u, row, column, sums4); }
    if (last >= 5u) { finish(item, first_channel + 5u, row, column, sums5); }
    if (last >= 6u) { finish(item, first_channel + 6u, row, column, sums6); }
    if (last >= 7u) { finish(item, first_channel + 7u, row, column, sums7); }
  }
}
