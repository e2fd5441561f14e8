// Reads and writes 16 bytes at a time. Invocation -> UNROLL vectors, a stride of all invocations apart, so that
// neighbours read neighbours.

// @stand-in begin
const UNROLL = 1u;
struct Params {
  vectors: u32,
  row: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> source: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read_write> destination: array<vec4<u32>>;
// @stand-in end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let first = id.y * p.row + id.x;
  let stride = p.vectors / UNROLL;
  for (var i = 0u; i < UNROLL; i += 1u) {
    destination[first + i * stride] = source[first + i * stride];
  }
}
