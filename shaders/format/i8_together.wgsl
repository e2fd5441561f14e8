// I8, four codes at once.
// The four of a word.
fn decode4_i8(word: u32) -> vec4<f32> {
  return vec4<f32>(vec4<i32>(bitcast<i32>(word << 24u), bitcast<i32>(word << 16u), bitcast<i32>(word << 8u), bitcast<i32>(word))
                   >> vec4<u32>(24u));
}
