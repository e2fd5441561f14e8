// One step of a stencil of differences on a grid of up to three axes.
// workgroup -> LANES quads of cells; invocation -> four columns of four rows. Of each slice the rows from `y_first` to `y_end`
// are written, of each item of the batch `z_count` slices from `z_first` on.
// Beyond an edge that is not periodic, neighbour - centre is a multiple (`slope`) of the centre and a constant
// (`offset`). Sums are formed in the same order as those of the other variants.
// @stand-in begin
const AXES = 3u;
const LANES = 64u;
struct Params { depth: u32, height: u32, width: u32, u_pitch: u32, out_pitch: u32, u_shift: u32, out_shift: u32,
  quads: u32, quads_x: u32, row_blocks: u32, y_first: u32, y_end: u32, z_first: u32, z_count: u32,
  weight_x: f32, weight_y: f32, weight_z: f32, periodic_x: u32, periodic_y: u32, periodic_z: u32,
  slope_x_low: f32, offset_x_low: f32, slope_x_high: f32, offset_x_high: f32,
  slope_y_low: f32, offset_y_low: f32, slope_y_high: f32, offset_y_high: f32,
  slope_z_low: f32, offset_z_low: f32, slope_z_high: f32, offset_z_high: f32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_u(i: u32) -> f32 { return f32(i); }
fn load4_u(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn result(row: u32, x: u32, centre: vec4<f32>, change: vec4<f32>) -> vec4<f32> { return change; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
// Rows that one invocation walks down: it keeps the last two and reads each row once, and two more per block.
const ROWS = 4u;

// Both differences along x of four cells; `row` is where their row starts. Cells from the width on get anything.
fn along_x(row: u32, x: u32, centre: vec4<f32>) -> vec4<f32> {
  var left = centre.xxyz - centre;
  if (x > 0u) {
    left.x = load_u(row + x - 1u) - centre.x;
  } else if (p.periodic_x != 0u) {
    left.x = load_u(row + p.width - 1u) - centre.x;
  } else {
    left.x = p.slope_x_low * centre.x + p.offset_x_low;
  }
  var right = centre.yzww - centre;
  if (x + 4u < p.width) {
    right.w = load_u(row + x + 4u) - centre.w;
  } else {
    var outside = p.slope_x_high * centre + p.offset_x_high;
    if (p.periodic_x != 0u) {
      outside = load_u(row) - centre;
    }
    right = select(right, outside, vec4<u32>(0u, 1u, 2u, 3u) == vec4<u32>(p.width - 1u - x));
  }
  return left + right;
}

// Adds both differences along z of the four cells at element i of slice z.
fn with_z(change: vec4<f32>, i: u32, z: u32, centre: vec4<f32>) -> vec4<f32> {
  let slice = p.height * p.u_pitch;
  var low = p.slope_z_low * centre + p.offset_z_low;
  if (z > 0u) {
    low = load4_u(i - slice) - centre;
  } else if (p.periodic_z != 0u) {
    low = load4_u(i + (p.depth - 1u) * slice) - centre;
  }
  var high = p.slope_z_high * centre + p.offset_z_high;
  if (z + 1u < p.depth) {
    high = load4_u(i + slice) - centre;
  } else if (p.periodic_z != 0u) {
    high = load4_u(i - z * slice) - centre;
  }
  return (change + p.weight_z * low) + p.weight_z * high;
}

// Writes four columns of ROWS rows. Quads are counted along x, then by blocks of rows, then by slices.
fn walk(quad: u32) {
  let x = quad % p.quads_x * 4u;
  let y0 = quad / p.quads_x % p.row_blocks * ROWS + p.y_first;
  let written = quad / p.quads_x / p.row_blocks;
  let z = written % p.z_count + p.z_first;
  let slice_row = (written / p.z_count * p.depth + z) * p.height;
  let top = slice_row * p.u_pitch + p.u_shift + x;
  var centre = load4_u(top + y0 * p.u_pitch);
  var up = vec4<f32>(0.0);
  if (AXES > 1u) {
    up = p.slope_y_low * centre + p.offset_y_low;
    if (y0 > 0u) {
      up = load4_u(top + (y0 - 1u) * p.u_pitch) - centre;
    } else if (p.periodic_y != 0u) {
      up = load4_u(top + (p.height - 1u) * p.u_pitch) - centre;
    }
  }
  for (var y = y0; y < min(y0 + ROWS, p.y_end); y += 1u) {
    let row = (slice_row + y) * p.u_pitch + p.u_shift;
    var change = p.weight_x * along_x(row, x, centre);
    var next = centre;
    if (AXES > 1u) {
      var down = p.slope_y_high * centre + p.offset_y_high;
      if (y + 1u < p.height) {
        next = load4_u(row + p.u_pitch + x);
        down = next - centre;
      } else if (p.periodic_y != 0u) {
        down = load4_u(top) - centre;
      }
      change = (change + p.weight_y * up) + p.weight_y * down;
      up = -down;
    }
    if (AXES > 2u) {
      change = with_z(change, row + x, z, centre);
    }
    let becomes = result(slice_row + y, x, centre, change);
    store4_out((slice_row + y) * p.out_pitch + p.out_shift + x, becomes, min(4u, p.width - x));
    centre = next;
  }
}

@compute @workgroup_size(LANES)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let quad = tile * LANES + local;
  if (quad < p.quads) {
    walk(quad);
  }
}
