// Sums of neighbour differences on a cell-centred grid of up to three axes, for every operation that is one step of it.
// Beyond an edge that is not periodic, neighbour - centre is a multiple (`slope`) of the centre and a constant
// (`offset`).
// @stand-in begin
const AXES = 3u;
struct Params { depth: u32, height: u32, width: u32, u_pitch: u32, out_pitch: u32, quads: u32, quads_x: u32,
  row_blocks: u32, weight_x: f32, weight_y: f32, weight_z: f32, periodic_x: u32, periodic_y: u32, periodic_z: u32,
  slope_x_low: f32, offset_x_low: f32, slope_x_high: f32, offset_x_high: f32,
  slope_y_low: f32, offset_y_low: f32, slope_y_high: f32, offset_y_high: f32,
  slope_z_low: f32, offset_z_low: f32, slope_z_high: f32, offset_z_high: f32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_u(i: u32) -> f32 { return f32(i); }
fn load4_u(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn finish(centre: vec4<f32>, change: vec4<f32>) -> vec4<f32> { return change; }
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

// Both differences along z of the four cells at element i of slice z.
fn along_z(i: u32, z: u32, centre: vec4<f32>) -> vec4<f32> {
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
  return low + high;
}

// Writes four columns of ROWS rows. Quads are counted along x, then by blocks of rows, then by slices.
fn walk(quad: u32) {
  let x = quad % p.quads_x * 4u;
  let y0 = quad / p.quads_x % p.row_blocks * ROWS;
  let slice = quad / p.quads_x / p.row_blocks;
  let slice_row = slice * p.height;
  let top = slice_row * p.u_pitch + x;
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
  for (var y = y0; y < min(y0 + ROWS, p.height); y += 1u) {
    let row = (slice_row + y) * p.u_pitch;
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
      change += p.weight_y * (up + down);
      up = -down;
    }
    if (AXES > 2u) {
      change += p.weight_z * along_z(row + x, slice % p.depth, centre);
    }
    store4_out((slice_row + y) * p.out_pitch + x, finish(centre, change), min(4u, p.width - x));
    centre = next;
  }
}
