// E4M3 by the adapter's conversion of F16, which keeps subnormals on the adapters that take it.
// @stand-in begin
enable f16;
// @stand-in end
// The four of a word. Shifted into F16's fields they are 2^-8 of the value, and NaN, whose magnitude alone carries into the
// eighth bit when 1 is added, gets F16's exponent of NaN.
fn decode4_e4m3(word: u32) -> vec4<f32> {
  let plain = word & 0x7f7f7f7fu;
  let magnitudes = plain | ((plain + 0x01010101u) & 0x80808080u);
  let even = unpack2x16float(((magnitudes << 7u) & 0x7f807f80u) | ((word << 8u) & 0x80008000u));
  let odd = unpack2x16float(((magnitudes >> 1u) & 0x7f807f80u) | (word & 0x80008000u));
  return vec4<f32>(even.x, odd.x, even.y, odd.y) * 256.0;
}
