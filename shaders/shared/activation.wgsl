// Element-wise functions. ACTIVATION: 0 identity, 1 ReLU, 2 GELU (tanh form), 3 SiLU.
// @stand-in begin
const ACTIVATION = 2u;
// @stand-in end
// 1 / (1 + exp(-t)). The argument is clamped: beyond 80 nothing changes in f32, and exp must not overflow.
fn sigmoid(t: vec4<f32>) -> vec4<f32> {
  return 1.0 / (1.0 + exp(-clamp(t, vec4<f32>(-80.0), vec4<f32>(80.0))));
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
  return x;
}
