// Writes a word of scales: those of the blocks that exist, and zeros.
// @stand-in begin
const BLOCK_UNITS = 8u;
struct Params { row_units: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> scale: array<u32>;
// @stand-in end
fn write_scales(strip: u32, column: u32, codes: vec4<u32>) {
  let exist = (vec4<u32>(column * 4u) + vec4<u32>(0u, 1u, 2u, 3u)) * BLOCK_UNITS < vec4<u32>(p.row_units);
  let kept = select(vec4<u32>(0u), codes, exist);
  scale[strip] = kept.x | (kept.y << 8u) | (kept.z << 16u) | (kept.w << 24u);
}
