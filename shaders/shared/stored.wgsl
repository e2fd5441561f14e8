// What becomes of numbers that are stored and read again. FORMAT stands for the format's name.
// @stand-in begin
fn decode_FORMAT(code: u32) -> f32 { return bitcast<f32>(code); }
fn encode_FORMAT(x: f32) -> u32 { return bitcast<u32>(x); }
// @stand-in end
fn stored(v: vec4<f32>) -> vec4<f32> {
  return vec4<f32>(decode_FORMAT(encode_FORMAT(v.x)), decode_FORMAT(encode_FORMAT(v.y)),
                   decode_FORMAT(encode_FORMAT(v.z)), decode_FORMAT(encode_FORMAT(v.w)));
}
