// E4M3 by the adapter's conversion of F16, which keeps subnormals on the adapters that take it.
// @stand-in begin
enable f16;
// @stand-in end
// Two codes in the low bytes of the halves. Shifted into F16's fields they are 2^-8 of the value, and NaN, whose magnitude
// alone carries into the eighth bit when 1 is added, gets F16's exponent of NaN.
fn decode2_e4m3(codes: u32) -> vec2<f32> {
  let magnitudes = codes & 0x007f007fu;
  let nan = (magnitudes + 0x00010001u) & 0x00800080u;
  return unpack2x16float(((magnitudes | nan) << 7u) | ((codes & 0x00800080u) << 8u)) * 256.0;
}

// The four of a word.
fn decode4_e4m3(word: u32) -> vec4<f32> {
  let even = decode2_e4m3(word);
  let odd = decode2_e4m3(word >> 8u);
  return vec4<f32>(even.x, odd.x, even.y, odd.y);
}
