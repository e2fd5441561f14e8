// STEPS steps of a stencil of differences on two axes in workgroup memory.
// workgroup -> a tile of 4 TILE_QUADS columns and TILE_ROWS rows, of which the steps spoil HALO columns and STEPS rows at each
// side; what is left of the rows from `y_first` to `y_end` is written. invocation -> four columns of ROWS rows, which stay in
// its registers: neighbours find them in workgroup memory.
// @stand-in begin
const TILE_QUADS = 16u;
const TILE_ROWS = 64u;
const ROWS = 4u;
const STEPS = 2u;
const HALO = 4u;
const FACES_X = true;
const FACES_Y = true;
struct Params { width: u32, height: u32, u_pitch: u32, out_pitch: u32, u_shift: u32, out_shift: u32,
  y_first: u32, y_end: u32, tiles_x: u32, tiles_y: u32,
  shift_x: u32, shift_y: u32, weight_x: f32, weight_y: f32,
  slope_x_low: f32, offset_x_low: f32, slope_x_high: f32, offset_x_high: f32,
  slope_y_low: f32, offset_y_low: f32, slope_y_high: f32, offset_y_high: f32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_u(i: u32) -> f32 { return f32(i); }
fn load4_u(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn stored(v: vec4<f32>) -> vec4<f32> { return v; }
fn finish(centre: vec4<f32>, change: vec4<f32>) -> vec4<f32> { return change; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
var<workgroup> tile: array<vec4<f32>, TILE_QUADS * TILE_ROWS>;

// Where a position, which may lie outside, is read; beyond a face, whatever lies at the border.
fn inside(position: u32, extent: u32, shift: u32, has_faces: bool) -> u32 {
  if (has_faces) {
    return select(min(position, extent - 1u), 0u, position > 0x7fffffffu);
  }
  return (position + shift) % extent;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let index = unfold(group, groups);
  if (index >= p.groups) {
    return;
  }
  let kept_columns = 4u * TILE_QUADS - 2u * HALO;
  let kept_rows = TILE_ROWS - 2u * STEPS;
  let x_begin = index % p.tiles_x * kept_columns;
  let y_begin = index / p.tiles_x % p.tiles_y * kept_rows + p.y_first;
  let slice_row = index / p.tiles_x / p.tiles_y * p.height;
  let column = local % TILE_QUADS;
  let first = local / TILE_QUADS * ROWS;
  let x = x_begin - HALO + column * 4u;
  let columns = x + vec4<u32>(0u, 1u, 2u, 3u);
  let source = vec4<u32>(inside(columns.x, p.width, p.shift_x, FACES_X), inside(columns.y, p.width, p.shift_x, FACES_X),
                         inside(columns.z, p.width, p.shift_x, FACES_X), inside(columns.w, p.width, p.shift_x, FACES_X));
  let is_quad = source.w == source.x + 3u && source.x % 4u == 0u;
  let is_first = columns == vec4<u32>(0u);
  let is_last = columns == vec4<u32>(p.width - 1u);
  // @repeat R ROWS
  let y_R = y_begin - STEPS + first + R;
  let start_R = (slice_row + inside(y_R, p.height, p.shift_y, FACES_Y)) * p.u_pitch + p.u_shift;
  var cell_R = vec4<f32>(0.0);
  if (is_quad) {
    cell_R = load4_u(start_R + source.x);
  } else {
    cell_R = vec4<f32>(load_u(start_R + source.x), load_u(start_R + source.y),
                       load_u(start_R + source.z), load_u(start_R + source.w));
  }
  // @end
  for (var step = 1u; step <= STEPS; step += 1u) {
    // @repeat R ROWS
    tile[(first + R) * TILE_QUADS + column] = cell_R;
    // @end
    // Publishes the cells of the last step.
    workgroupBarrier();
    // Beyond a tile lies what is spoilt: the cell itself stands for it.
    let above = tile[max(first, 1u) * TILE_QUADS - TILE_QUADS + column];
    let below = tile[min(first + ROWS, TILE_ROWS - 1u) * TILE_QUADS + column];
    // @repeat R ROWS
    let left_R = tile[(first + R) * TILE_QUADS + max(column, 1u) - 1u].w;
    let right_R = tile[(first + R) * TILE_QUADS + min(column + 1u, TILE_QUADS - 1u)].x;
    // @end
    // The others' cells have been read before any is overwritten.
    workgroupBarrier();
    var before = above;
    // @repeat R ROWS
    let here_R = cell_R;
    var after_R = here_R - vec4<f32>(left_R, here_R.xyz);
    var ahead_R = vec4<f32>(here_R.yzw, right_R) - here_R;
    if (FACES_X) {
      after_R = select(after_R, -(p.slope_x_low * here_R + p.offset_x_low), is_first);
      ahead_R = select(ahead_R, p.slope_x_high * here_R + p.offset_x_high, is_last);
    }
    // Both differences of a row are its own, as in the variant that walks down rows: drivers that put terms in another order
    // where rows share them would give other bits.
    var up_R = before - here_R;
    if (FACES_Y && y_R == 0u) {
      up_R = p.slope_y_low * here_R + p.offset_y_low;
    }
    before = here_R;
    // @end
    // @let E = ROWS + 0
    let here_E = below;
    // @repeat R ROWS
    // @let M = R + 1
    var down_R = here_M - here_R;
    if (FACES_Y && y_R == p.height - 1u) {
      down_R = p.slope_y_high * here_R + p.offset_y_high;
    }
    let change_R = (p.weight_x * (ahead_R - after_R) + p.weight_y * up_R) + p.weight_y * down_R;
    cell_R = finish(here_R, change_R);
    if (step < STEPS) { cell_R = stored(cell_R); }
    // @end
  }
  let x_end = min(x_begin + kept_columns, p.width);
  if (x - x_begin < x_end - x_begin) {
    // @repeat R ROWS
    if (first + R >= STEPS && first + R < TILE_ROWS - STEPS && y_R < p.y_end) {
      store4_out((slice_row + y_R) * p.out_pitch + p.out_shift + x, cell_R, min(4u, x_end - x));
    }
    // @end
  }
}
