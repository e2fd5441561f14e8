// I8 by the adapter's conversion of F16: the code's upper bit flipped, behind the exponent of 1024, is 1024 + 128 + the code.
// The four of a word.
fn decode4_i8_by_half(word: u32) -> vec4<f32> {
  let flipped = word ^ 0x80808080u;
  let even = unpack2x16float((flipped & 0x00ff00ffu) | 0x64006400u);
  let odd = unpack2x16float(((flipped >> 8u) & 0x00ff00ffu) | 0x64006400u);
  return vec4<f32>(even.x, odd.x, even.y, odd.y) - 1152.0;
}
