// I8 as f16: the code's upper bit flipped, behind the exponent of 1024, is 1024 + 128 + the code.
// @stand-in begin
enable f16;
// @stand-in end
fn halves2_i8(codes: u32) -> vec2<f16> {
  return vec2<f16>(unpack2x16float((codes & 0x00ff00ffu) | 0x64006400u)) - 1152.0h;
}

// The four of a word.
fn halves4_i8(word: u32) -> vec4<f16> {
  let flipped = word ^ 0x80808080u;
  let even = halves2_i8(flipped);
  let odd = halves2_i8(flipped >> 8u);
  return vec4<f16>(even.x, odd.x, even.y, odd.y);
}
