// One step of any stencil on a grid of up to three axes, with media and sources.
// workgroup -> 64 quads of cells; invocation -> four columns of a row. Of each slice the rows from `y_first` on are written, of
// each item of the batch the slices from `z_first` on.
// A cell outside is a multiple (`scale`) of a cell inside (`source`) and a constant (`offset`), which the host works out for
// the two cells before and after every axis. Rows are continued along x first, then along y, then along z.
// @stand-in begin
const AXES = 3u;
const REACH = 2u;
const BOX = true;
const HAS_MEDIUM = true;
const HARMONIC = false;
const HAS_SOURCE = true;
struct Params { depth: u32, height: u32, width: u32, u_pitch: u32, medium_pitch: u32, source_pitch: u32, out_pitch: u32,
  u_shift: u32, medium_shift: u32, source_shift: u32, out_shift: u32,
  quads: u32, quads_x: u32, y_first: u32, y_count: u32, z_first: u32, z_count: u32, rate: f32,
  weight_x: f32, weight_y: f32, weight_z: f32, far_x: f32, far_y: f32, far_z: f32,
  weight_xy: f32, weight_xz: f32, weight_yz: f32, weight_xyz: f32,
  source_x_0: u32, source_x_1: u32, source_x_2: u32, source_x_3: u32,
  source_y_0: u32, source_y_1: u32, source_y_2: u32, source_y_3: u32,
  source_z_0: u32, source_z_1: u32, source_z_2: u32, source_z_3: u32,
  scale_x_0: f32, scale_x_1: f32, scale_x_2: f32, scale_x_3: f32,
  scale_y_0: f32, scale_y_1: f32, scale_y_2: f32, scale_y_3: f32,
  scale_z_0: f32, scale_z_1: f32, scale_z_2: f32, scale_z_3: f32,
  offset_x_0: f32, offset_x_1: f32, offset_x_2: f32, offset_x_3: f32,
  offset_y_0: f32, offset_y_1: f32, offset_y_2: f32, offset_y_3: f32,
  offset_z_0: f32, offset_z_1: f32, offset_z_2: f32, offset_z_3: f32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
fn load_u(i: u32) -> f32 { return f32(i); }
fn load_medium(i: u32) -> f32 { return f32(i); }
fn load4_source(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn result(row: u32, x: u32, centre: vec4<f32>, change: vec4<f32>) -> vec4<f32> { return change; }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
struct Ghost {
  source: u32,
  scale: f32,
  offset: f32,
}

// Which of the four cells outside a position is.
fn outside(position: i32, extent: u32) -> u32 {
  if (position < 0) {
    return u32(position + 2);
  }
  return select(3u, 2u, u32(position) == extent);
}

fn along_x(position: i32) -> Ghost {
  if (position >= 0 && u32(position) < p.width) {
    return Ghost(u32(position), 1.0, 0.0);
  }
  switch (outside(position, p.width)) {
    case 0u: { return Ghost(p.source_x_0, p.scale_x_0, p.offset_x_0); }
    case 1u: { return Ghost(p.source_x_1, p.scale_x_1, p.offset_x_1); }
    case 2u: { return Ghost(p.source_x_2, p.scale_x_2, p.offset_x_2); }
    default: { return Ghost(p.source_x_3, p.scale_x_3, p.offset_x_3); }
  }
}

fn along_y(position: i32) -> Ghost {
  if (position >= 0 && u32(position) < p.height) {
    return Ghost(u32(position), 1.0, 0.0);
  }
  switch (outside(position, p.height)) {
    case 0u: { return Ghost(p.source_y_0, p.scale_y_0, p.offset_y_0); }
    case 1u: { return Ghost(p.source_y_1, p.scale_y_1, p.offset_y_1); }
    case 2u: { return Ghost(p.source_y_2, p.scale_y_2, p.offset_y_2); }
    default: { return Ghost(p.source_y_3, p.scale_y_3, p.offset_y_3); }
  }
}

fn along_z(position: i32) -> Ghost {
  if (position >= 0 && u32(position) < p.depth) {
    return Ghost(u32(position), 1.0, 0.0);
  }
  switch (outside(position, p.depth)) {
    case 0u: { return Ghost(p.source_z_0, p.scale_z_0, p.offset_z_0); }
    case 1u: { return Ghost(p.source_z_1, p.scale_z_1, p.offset_z_1); }
    case 2u: { return Ghost(p.source_z_2, p.scale_z_2, p.offset_z_2); }
    default: { return Ghost(p.source_z_3, p.scale_z_3, p.offset_z_3); }
  }
}

// Where only the edge decides, whatever lies inside does not matter.
fn extended(ghost: Ghost, cells: vec4<f32>) -> vec4<f32> {
  return select(ghost.scale * cells + ghost.offset, vec4<f32>(ghost.offset), ghost.scale == 0.0);
}

// Four cells of a row, and two of the cells before and after them; those further than REACH are anything.
struct Window {
  before: vec2<f32>,
  cells: vec4<f32>,
  after: vec2<f32>,
}

var<private> ghosts: array<Ghost, 8>;

fn u_at(row: u32, column: u32) -> f32 {
  let ghost = ghosts[column];
  return extended(ghost, vec4<f32>(load_u(row * p.u_pitch + p.u_shift + ghost.source))).x;
}

fn u_quad(row: u32) -> vec4<f32> {
  return vec4<f32>(u_at(row, 2u), u_at(row, 3u), u_at(row, 4u), u_at(row, 5u));
}

fn u_window(row: u32) -> Window {
  var window = Window(vec2<f32>(u_at(row, 1u)), u_quad(row), vec2<f32>(u_at(row, 6u)));
  if (REACH > 1u) {
    window.before.x = u_at(row, 0u);
    window.after.y = u_at(row, 7u);
  }
  return window;
}

// The shares of the diffusivity of four cells, `step` columns on; an edge's is that of the cell beside it.
fn shares(row: u32, step: u32) -> vec4<f32> {
  if (!HAS_MEDIUM) {
    return vec4<f32>(1.0);
  }
  let start = row * p.medium_pitch + p.medium_shift;
  return vec4<f32>(load_medium(start + ghosts[1u + step].source), load_medium(start + ghosts[2u + step].source),
                   load_medium(start + ghosts[3u + step].source), load_medium(start + ghosts[4u + step].source));
}

// What flows for a difference between cells of these shares.
fn flow(difference: vec4<f32>, here: vec4<f32>, there: vec4<f32>) -> vec4<f32> {
  if (!HAS_MEDIUM) {
    return difference;
  }
  if (HARMONIC) {
    let sum = here + there;
    let some = sum > vec4<f32>(0.0);
    return select(vec4<f32>(0.0), 2.0 * here * there / select(vec4<f32>(1.0), sum, some), some) * difference;
  }
  return 0.5 * (here + there) * difference;
}

// The differences to both sides along x.
fn sides(window: Window, row: u32, here: vec4<f32>) -> vec4<f32> {
  let left = vec4<f32>(window.before.y, window.cells.xyz) - window.cells;
  let right = vec4<f32>(window.cells.yzw, window.after.x) - window.cells;
  return flow(left, here, shares(row, 0u)) + flow(right, here, shares(row, 2u));
}

// Cells along the axes.
fn star(item: u32, slice: i32, y: i32) -> vec4<f32> {
  let row = (item + u32(slice)) * p.height + u32(y);
  let window = u_window(row);
  let centre = window.cells;
  let here = shares(row, 1u);
  var change = p.weight_x * sides(window, row, here);
  if (REACH > 1u) {
    change += p.far_x * ((vec4<f32>(window.before, centre.xy) - centre) + (vec4<f32>(centre.zw, window.after) - centre));
  }
  if (AXES > 1u) {
    for (var k = 1; k <= i32(REACH); k += 1) {
      let low = along_y(y - k);
      let high = along_y(y + k);
      let low_row = row - u32(y) + low.source;
      let high_row = row - u32(y) + high.source;
      let both = flow(extended(low, u_quad(low_row)) - centre, here, shares(low_row, 1u))
        + flow(extended(high, u_quad(high_row)) - centre, here, shares(high_row, 1u));
      change += select(p.far_y, p.weight_y, k == 1) * both;
    }
  }
  if (AXES > 2u) {
    for (var k = 1; k <= i32(REACH); k += 1) {
      let low = along_z(slice - k);
      let high = along_z(slice + k);
      let low_row = (item + low.source) * p.height + u32(y);
      let high_row = (item + high.source) * p.height + u32(y);
      let both = flow(extended(low, u_quad(low_row)) - centre, here, shares(low_row, 1u))
        + flow(extended(high, u_quad(high_row)) - centre, here, shares(high_row, 1u));
      change += select(p.far_z, p.weight_z, k == 1) * both;
    }
  }
  return change;
}

// The weights of the cells straight on and of those to the left and right of them.
fn weights(is_y: bool, is_z: bool) -> vec2<f32> {
  if (is_z) {
    return select(vec2<f32>(p.weight_z, p.weight_xz), vec2<f32>(p.weight_yz, p.weight_xyz), is_y);
  }
  return select(vec2<f32>(0.0, p.weight_x), vec2<f32>(p.weight_y, p.weight_xy), is_y);
}

// All cells around.
fn box(item: u32, slice: i32, y: i32) -> vec4<f32> {
  let centre = u_quad((item + u32(slice)) * p.height + u32(y));
  var change = vec4<f32>(0.0);
  for (var dz = select(0, -1, AXES > 2u); dz <= select(0, 1, AXES > 2u); dz += 1) {
    let z = along_z(slice + dz);
    for (var dy = select(0, -1, AXES > 1u); dy <= select(0, 1, AXES > 1u); dy += 1) {
      let ghost = along_y(y + dy);
      let window = u_window((item + z.source) * p.height + ghost.source);
      let left = extended(z, extended(ghost, vec4<f32>(window.before.y, window.cells.xyz)));
      let cells = extended(z, extended(ghost, window.cells));
      let right = extended(z, extended(ghost, vec4<f32>(window.cells.yzw, window.after.x)));
      let weight = weights(dy != 0, dz != 0);
      change += weight.x * (cells - centre) + weight.y * ((left - centre) + (right - centre));
    }
  }
  return change;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let quad = tile * 64u + local;
  if (quad >= p.quads) {
    return;
  }
  let x = quad % p.quads_x * 4u;
  let written = quad / p.quads_x;
  let y = written % p.y_count + p.y_first;
  let slice = written / p.y_count % p.z_count + p.z_first;
  // The item's first slice.
  let item = written / p.y_count / p.z_count * p.depth;
  let row = (item + slice) * p.height + y;
  for (var column = 0u; column < 8u; column += 1u) {
    ghosts[column] = along_x(i32(x + column) - 2);
  }
  var change = vec4<f32>(0.0);
  if (BOX) {
    change = box(item, i32(slice), i32(y));
  } else {
    change = star(item, i32(slice), i32(y));
  }
  if (HAS_SOURCE) {
    change += p.rate * load4_source(row * p.source_pitch + p.source_shift + x);
  }
  store4_out(row * p.out_pitch + p.out_shift + x, result(row, x, u_quad(row), change), min(4u, p.width - x));
}
