// What becomes of four finished sums, neighbours in memory: scales, bias, activation, residual, store.
// @stand-in begin
alias Total = vec4<f32>;
const CHANNELS_LAST = true;
const HAS_X_SCALE = true;
const W_SCALES = 2u;
const HAS_BIAS = true;
const HAS_RESIDUAL = true;
fn load_x_scale(i: u32) -> f32 { return 1.0; }
fn load_w_scale(i: u32) -> f32 { return 1.0; }
fn load_bias(i: u32) -> f32 { return 1.0; }
fn load4_residual(i: u32) -> vec4<f32> { return vec4<f32>(0.0); }
fn store4_out(i: u32, v: vec4<f32>, count: u32) { }
fn activate(x: vec4<f32>) -> vec4<f32> { return x; }
// @stand-in end
// The four are outputs of one channel, or those of four channels.
fn scaled(channel: u32, total: Total) -> vec4<f32> {
  var y = vec4<f32>(total);
  if (HAS_X_SCALE) { y *= load_x_scale(0u); }
  if (W_SCALES == 1u) { y *= load_w_scale(0u); }
  if (W_SCALES == 2u) {
    if (CHANNELS_LAST) {
      y *= vec4<f32>(load_w_scale(channel), load_w_scale(channel + 1u), load_w_scale(channel + 2u), load_w_scale(channel + 3u));
    } else {
      y *= load_w_scale(channel);
    }
  }
  if (HAS_BIAS) {
    if (CHANNELS_LAST) {
      y += vec4<f32>(load_bias(channel), load_bias(channel + 1u), load_bias(channel + 2u), load_bias(channel + 3u));
    } else {
      y += load_bias(channel);
    }
  }
  return y;
}

// Stores the first `count`.
fn conclude(at: u32, channel: u32, total: Total, count: u32) {
  var y = activate(scaled(channel, total));
  if (HAS_RESIDUAL) { y += load4_residual(at); }
  store4_out(at, y, count);
}
