// E4M3 as f16, without a detour through f32 where the compiler sees that what is unpacked is packed again.
// @stand-in begin
enable f16;
// @stand-in end
// Two codes in the low bytes of the halves: see e4m3_by_half.wgsl.
fn halves2_e4m3(codes: u32) -> vec2<f16> {
  let magnitudes = codes & 0x007f007fu;
  let nan = (magnitudes + 0x00010001u) & 0x00800080u;
  return vec2<f16>(unpack2x16float(((magnitudes | nan) << 7u) | ((codes & 0x00800080u) << 8u))) * 256.0h;
}

// The four of a word.
fn halves4_e4m3(word: u32) -> vec4<f16> {
  let even = halves2_e4m3(word);
  let odd = halves2_e4m3(word >> 8u);
  return vec4<f16>(even.x, odd.x, even.y, odd.y);
}
