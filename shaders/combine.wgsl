// A sampler's step: rows of state, prediction and noise, combined element by element.
// workgroup -> 256 numbers of every row; invocation -> four.
// @stand-in begin
const STATES = 1u;
const PREDICTIONS = 1u;
const NOISES = 1u;
struct Params { elements: u32, groups: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read_write> state: array<u32>;
fn decode_f32(code: u32) -> f32 { return bitcast<f32>(code); }
fn encode_f32(x: f32) -> u32 { return bitcast<u32>(x); }
fn load4_prediction(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load4_noise(i: u32) -> vec4<f32> { return vec4<f32>(f32(i)); }
fn load_factors(i: u32) -> f32 { return f32(i); }
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
const INPUTS = STATES + PREDICTIONS + NOISES;

// The first `count` numbers from i on. No more are read: behind a row's end stands the next row, which another invocation
// writes.
fn load4_state(i: u32, count: u32) -> vec4<f32> {
  var v = vec4<f32>(decode_f32(state[i]), 0.0, 0.0, 0.0);
  if (count > 1u) { v.y = decode_f32(state[i + 1u]); }
  if (count > 2u) { v.z = decode_f32(state[i + 2u]); }
  if (count > 3u) { v.w = decode_f32(state[i + 3u]); }
  return v;
}

fn store4_state(i: u32, v: vec4<f32>, count: u32) {
  state[i] = encode_f32(v.x);
  if (count > 1u) { state[i + 1u] = encode_f32(v.y); }
  if (count > 2u) { state[i + 2u] = encode_f32(v.z); }
  if (count > 3u) { state[i + 3u] = encode_f32(v.w); }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let i = (unfold(group, groups) * 64u + local) * 4u;
  if (i >= p.elements) {
    return;
  }
  let count = min(4u, p.elements - i);
  // @repeat J STATES
  let state_J = load4_state(J * p.elements + i, count);
  // @end
  // @repeat J PREDICTIONS
  let prediction_J = load4_prediction(J * p.elements + i);
  // @end
  // @repeat J NOISES
  let noise_J = load4_noise(i);
  // @end
  // @repeat R STATES
  var sum_R = vec4<f32>(0.0);
  // @repeat J STATES
  sum_R += load_factors(R * INPUTS + J) * state_J;
  // @end
  // @repeat J PREDICTIONS
  sum_R += load_factors(R * INPUTS + STATES + J) * prediction_J;
  // @end
  // @repeat J NOISES
  sum_R += load_factors(R * INPUTS + STATES + PREDICTIONS + J) * noise_J;
  // @end
  store4_state(R * p.elements + i, sum_R, count);
  // @end
}
