// E4M3 as f16, without a detour through f32 where the compiler sees that what is unpacked is packed again.
// @stand-in begin
enable f16;
// @stand-in end
// The four of a word: see e4m3_by_half.wgsl.
fn halves4_e4m3(word: u32) -> vec4<f16> {
  let plain = word & 0x7f7f7f7fu;
  let magnitudes = plain | ((plain + 0x01010101u) & 0x80808080u);
  let even = vec2<f16>(unpack2x16float(((magnitudes << 7u) & 0x7f807f80u) | ((word << 8u) & 0x80008000u)));
  let odd = vec2<f16>(unpack2x16float(((magnitudes >> 1u) & 0x7f807f80u) | (word & 0x80008000u)));
  return vec4<f16>(even.x, odd.x, even.y, odd.y) * 256.0h;
}
