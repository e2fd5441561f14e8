// Chains of fused multiply-adds that touch no memory. Invocation -> CHAINS chains of four lanes; what is right for a
// GPU with many registers is wrong for a CPU, so several numbers of chains are tried.

// @stand-in begin
const CHAINS = 8u;
alias Real = f32;
struct Params {
  iterations: u32,
  factor: f32,
  term: f32,
}
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> result: array<u32>;
// @stand-in end

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let a = vec4<Real>(Real(p.factor));
  let b = vec4<Real>(Real(p.term));
  // No two chains and no two lanes may hold the same numbers: a compiler would compute them once.
  let seed = vec4<Real>(Real(f32(id.x & 7u)));
  let lanes = vec4<Real>(0.0, 0.125, 0.25, 0.375);
  var x0 = seed * Real(1) + lanes;
  var x1 = seed * Real(2) + lanes;
  var x2 = seed * Real(3) + lanes;
  var x3 = seed * Real(4) + lanes;
  var x4 = seed * Real(5) + lanes;
  var x5 = seed * Real(6) + lanes;
  var x6 = seed * Real(7) + lanes;
  var x7 = seed * Real(8) + lanes;
  for (var i = 0u; i < p.iterations; i += 1u) {
    x0 = fma(x0, a, b);
    if CHAINS >= 2u { x1 = fma(x1, a, b); }
    if CHAINS >= 4u { x2 = fma(x2, a, b); x3 = fma(x3, a, b); }
    if CHAINS >= 8u { x4 = fma(x4, a, b); x5 = fma(x5, a, b); x6 = fma(x6, a, b); x7 = fma(x7, a, b); }
    x0 = fma(x0, a, b);
    if CHAINS >= 2u { x1 = fma(x1, a, b); }
    if CHAINS >= 4u { x2 = fma(x2, a, b); x3 = fma(x3, a, b); }
    if CHAINS >= 8u { x4 = fma(x4, a, b); x5 = fma(x5, a, b); x6 = fma(x6, a, b); x7 = fma(x7, a, b); }
    x0 = fma(x0, a, b);
    if CHAINS >= 2u { x1 = fma(x1, a, b); }
    if CHAINS >= 4u { x2 = fma(x2, a, b); x3 = fma(x3, a, b); }
    if CHAINS >= 8u { x4 = fma(x4, a, b); x5 = fma(x5, a, b); x6 = fma(x6, a, b); x7 = fma(x7, a, b); }
    x0 = fma(x0, a, b);
    if CHAINS >= 2u { x1 = fma(x1, a, b); }
    if CHAINS >= 4u { x2 = fma(x2, a, b); x3 = fma(x3, a, b); }
    if CHAINS >= 8u { x4 = fma(x4, a, b); x5 = fma(x5, a, b); x6 = fma(x6, a, b); x7 = fma(x7, a, b); }
  }
  let sum = x0 + x1 + x2 + x3 + x4 + x5 + x6 + x7;
  result[id.x] = bitcast<u32>(f32(sum.x + sum.y + sum.z + sum.w));
}
