// A tensor that the descriptor leaves out: never read, but its reads must compile. TENSOR stands for its name.
fn load_TENSOR(i: u32) -> f32 {
  return 0.0;
}

fn load4_TENSOR(i: u32) -> vec4<f32> {
  return vec4<f32>(0.0);
}
