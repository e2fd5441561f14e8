// Where the outputs are that a workgroup computes together: those of a batch item, a group, and of a transposed convolution
// a phase, whose outputs are as far apart as its strides and meet the same elements of the kernel.
// @stand-in begin
const TRANSPOSED = true;
struct Params { conv_groups: u32, depth_phases: u32, height_phases: u32, width_phases: u32, phase_height: u32, phase_width: u32,
  depth_out: u32, height_out: u32, width_out: u32, out_item: u32, out_z: u32, out_y: u32, out_x: u32 }
@group(0) @binding(0) var<uniform> p: Params;
// @stand-in end
struct Item { item: u32, group: u32, phase: vec3<u32> }

fn item_of(index: u32) -> Item {
  if (!TRANSPOSED) {
    return Item(index / p.conv_groups, index % p.conv_groups, vec3<u32>(0u));
  }
  let phase = vec3<u32>(index / p.width_phases / p.height_phases % p.depth_phases, index / p.width_phases % p.height_phases,
                        index % p.width_phases);
  let rest = index / p.width_phases / p.height_phases / p.depth_phases;
  return Item(rest / p.conv_groups, rest % p.conv_groups, phase);
}

// Four neighbours of a phase along the last axis. The first `count` of them are outputs, and the first is at element `at` of
// its channel; the others repeat the last output.
struct Quad { z: u32, y: u32, x: vec4<u32>, count: u32, at: u32 }

// Neighbour `column` and the next three of row `row`, counted over all slices.
fn neighbours(item: Item, row: u32, column: u32) -> Quad {
  let x = (vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u)) * p.width_phases + item.phase.z;
  let y = row % p.phase_height * p.height_phases + item.phase.y;
  let z = row / p.phase_height * p.depth_phases + item.phase.x;
  let is_output = y < p.height_out && z < p.depth_out;
  let counted = select(vec4<u32>(0u), vec4<u32>(1u), (x < vec4<u32>(p.width_out)) & vec4<bool>(is_output));
  let at = item.item * p.out_item + z * p.out_z + y * p.out_y + x.x * p.out_x;
  return Quad(z, y, min(x, vec4<u32>(p.width_out - 1u)), counted.x + counted.y + counted.z + counted.w, at);
}

// Rows of a phase in quads.
fn quad_of(item: Item, quad: u32) -> Quad {
  let quads_x = (p.phase_width + 3u) / 4u;
  return neighbours(item, quad / quads_x, quad % quads_x * 4u);
}
