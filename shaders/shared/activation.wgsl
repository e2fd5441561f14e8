// Element-wise functions. ACTIVATION: 0 identity, 1 ReLU, 2 GELU (tanh form), 3 SiLU, 4 GELU (by erf).
// @stand-in begin
const ACTIVATION = 2u;
// @stand-in end
// 1 / (1 + exp(-t)). The argument is clamped: beyond 80 nothing changes in f32, and exp must not overflow.
fn sigmoid(t: vec4<f32>) -> vec4<f32> {
  return 1.0 / (1.0 + exp(-clamp(t, vec4<f32>(-80.0), vec4<f32>(80.0))));
}

// erfc(z) / 2 for z >= 0, by Abramowitz and Stegun 7.1.26. Beyond z = 10 it is zero in f32, and exp must not overflow.
fn half_erfc(z: vec4<f32>) -> vec4<f32> {
  let near = min(z, vec4<f32>(10.0));
  let t = 1.0 / (1.0 + 0.3275911 * near);
  let p = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
  return 0.5 * p * exp(-near * near);
}

// GELU's (1 + tanh(z)) / 2 is sigmoid(2 z): WGSL's tanh is only good to 1e-5.
fn activate(x: vec4<f32>) -> vec4<f32> {
  if (ACTIVATION == 1u) {
    return max(x, vec4<f32>(0.0));
  }
  if (ACTIVATION == 2u) {
    let z = 0.7978845608 * (x + 0.044715 * x * x * x);
    return x * sigmoid(2.0 * z);
  }
  if (ACTIVATION == 3u) {
    return x * sigmoid(x);
  }
  if (ACTIVATION == 4u) {
    let tail = half_erfc(abs(x) * 0.70710678);
    return x * select(1.0 - tail, tail, x < vec4<f32>(0.0));
  }
  return x;
}
