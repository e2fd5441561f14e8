// The small tensors of attention as attention_gather.wgsl has joined them.
// @stand-in begin
struct Params { sinks_at: u32, q_scale_at: u32, k_scale_at: u32, v_scale_at: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scratch: array<u32>;
// @stand-in end
fn load_sinks(i: u32) -> f32 { return bitcast<f32>(scratch[p.sinks_at + i]); }
fn load_q_scale(i: u32) -> f32 { return bitcast<f32>(scratch[p.q_scale_at + i]); }
fn load_k_scale(i: u32) -> f32 { return bitcast<f32>(scratch[p.k_scale_at + i]); }
fn load_v_scale(i: u32) -> f32 { return bitcast<f32>(scratch[p.v_scale_at + i]); }
