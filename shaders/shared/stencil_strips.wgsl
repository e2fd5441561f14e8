// STEPS steps of a stencil of differences on one or two axes, for adapters that are CPUs with subgroups of 8: no barriers, no
// workgroup memory.
// workgroup -> `rows` of the rows from `y_first` to `y_end`, of a strip of 32 QUADS - 2 HALO columns; invocation -> 4 QUADS
// neighbouring columns, and the HALO columns to each side of a strip belong to its neighbours: every step spoils one more of
// them.
// A workgroup walks down its rows. Each row that is read becomes a row of the first step one line above, that one of the second
// step two lines above, and so on, all in registers: every step keeps the row before and that row's sum so far.
// @stand-in begin
const AXES = 2u;
const QUADS = 2u;
const UNROLL = 2u;
const STEPS = 2u;
const HALO = 4u;
const WHOLE = true;
const FACES_X = true;
const FACES_Y = true;
struct Params { width: u32, height: u32, u_pitch: u32, out_pitch: u32, u_shift: u32, out_shift: u32,
  y_first: u32, y_end: u32, strips: u32, row_blocks: u32, rows: u32,
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
// Rows that are read before the first one that is written is complete, half of them above it.
const LAG = select(0u, STEPS, AXES > 1u);

// Four cells of the row that starts at element `row`.
fn quad(row: u32, columns: vec4<u32>) -> vec4<f32> {
  if (WHOLE) {
    return load4_u(row + columns.x);
  }
  return vec4<f32>(load_u(row + columns.x), load_u(row + columns.y), load_u(row + columns.z), load_u(row + columns.w));
}

// Where a column, which may lie outside, is read; beyond a face, whatever lies at the border.
fn inside(columns: vec4<u32>) -> vec4<u32> {
  if (FACES_X) {
    return select(min(columns, vec4<u32>(p.width - 1u)), vec4<u32>(0u), columns > vec4<u32>(0x7fffffffu));
  }
  return (columns + p.shift_x) % p.width;
}

// A step's result as the next one finds it.
fn between(step: u32, v: vec4<f32>) -> vec4<f32> {
  if (step < STEPS) {
    return stored(v);
  }
  return v;
}

@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let tile = unfold(group, groups);
  if (tile >= p.groups) {
    return;
  }
  let strip_width = 32u * QUADS - 2u * HALO;
  let x_begin = tile % p.strips * strip_width;
  let y_begin = tile / p.strips % p.row_blocks * p.rows + p.y_first;
  let slice_row = tile / p.strips / p.row_blocks * p.height;
  let rows = min(p.rows, p.y_end - y_begin);
  let x_end = min(x_begin + strip_width, p.width);
  let at_face = x_begin < HALO || x_begin + strip_width + HALO > p.width;
  let left = (local + 7u) % 8u;
  let right = (local + 1u) % 8u;
  // @repeat Q QUADS
  let column_Q = x_begin - HALO + (local * QUADS + Q) * 4u;
  let columns_Q = column_Q + vec4<u32>(0u, 1u, 2u, 3u);
  let source_Q = inside(columns_Q);
  let is_kept_Q = column_Q - x_begin < x_end - x_begin;
  let count_Q = min(4u, x_end - column_Q);
  let before_low_Q = columns_Q == vec4<u32>(0xffffffffu);
  let before_high_Q = columns_Q == vec4<u32>(p.width - 1u);
  // @repeat K STEPS
  var old_K_Q = vec4<f32>(0.0);
  var part_K_Q = vec4<f32>(0.0);
  // @end
  // @end
  // Beyond a face there is nothing to read.
  var skipped = 0u;
  if (FACES_Y) { skipped = LAG - min(LAG, y_begin); }
  var row = (y_begin + skipped + p.shift_y - LAG) % p.height;
  for (var y = skipped; y < rows + 2u * LAG; y += UNROLL) {
    // @repeat N UNROLL
    let start_N = (slice_row + row) * p.u_pitch + p.u_shift;
    row += 1u;
    row = select(row, select(0u, p.height - 1u, FACES_Y), row == p.height);
    // @repeat Q QUADS
    let level_0_Q_N = quad(start_N, source_Q);
    // @end
    // @repeat K STEPS
    // @let L = K + 1
    // @let E = QUADS + 0
    let level_K_E_N = vec4<f32>(subgroupShuffle(level_K_0_N.x, right));
    // @repeat Q QUADS
    // @let M = Q + 1
    // The difference to the right of each cell.
    var step_K_M_N = vec4<f32>(level_K_Q_N.yzw, level_K_M_N.x) - level_K_Q_N;
    // @end
    if (FACES_X) {
      if (at_face) {
        // @repeat Q QUADS
        // @let M = Q + 1
        let next_K_Q_N = vec4<f32>(level_K_Q_N.yzw, level_K_M_N.x);
        step_K_M_N = select(step_K_M_N, -(p.slope_x_low * next_K_Q_N + p.offset_x_low), before_low_Q);
        step_K_M_N = select(step_K_M_N, p.slope_x_high * level_K_Q_N + p.offset_x_high, before_high_Q);
        // @end
      }
    }
    let step_K_0_N = vec4<f32>(subgroupShuffle(step_K_E_N.w, left));
    // @repeat Q QUADS
    // What flows from the row above.
    var down_K_Q_N = p.weight_y * (level_K_Q_N - old_K_Q);
    // @end
    if (AXES > 1u && FACES_Y) {
      // The row of this level.
      let y_K_N = y_begin + y + N - LAG - K;
      if (y_K_N == 0u || y_K_N == p.height) {
        // @repeat Q QUADS
        let low_K_Q_N = -(p.weight_y * (p.slope_y_low * level_K_Q_N + p.offset_y_low));
        let high_K_Q_N = p.weight_y * (p.slope_y_high * old_K_Q + p.offset_y_high);
        down_K_Q_N = select(high_K_Q_N, low_K_Q_N, y_K_N == 0u);
        // @end
      }
    }
    // @repeat Q QUADS
    // @let M = Q + 1
    let across_K_Q_N = p.weight_x * (step_K_M_N - vec4<f32>(step_K_Q_N.w, step_K_M_N.xyz));
    var centre_K_Q_N = level_K_Q_N;
    var change_K_Q_N = across_K_Q_N;
    if (AXES > 1u) {
      centre_K_Q_N = old_K_Q;
      change_K_Q_N = part_K_Q + down_K_Q_N;
      part_K_Q = across_K_Q_N - down_K_Q_N;
      old_K_Q = level_K_Q_N;
    }
    let level_L_Q_N = between(L, finish(centre_K_Q_N, change_K_Q_N));
    // @end
    // @end
    // @let L = STEPS + 0
    let y_out_N = y + N - 2u * LAG;
    if (y_out_N < rows) {
      let out_start_N = (slice_row + y_begin + y_out_N) * p.out_pitch + p.out_shift;
      // @repeat Q QUADS
      if (is_kept_Q) { store4_out(out_start_N + column_Q, level_L_Q_N, count_Q); }
      // @end
    }
    // @end
  }
}
