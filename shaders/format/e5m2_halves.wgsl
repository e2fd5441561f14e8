// E5M2 as f16: a code is its upper byte.
// @stand-in begin
enable f16;
// @stand-in end
// The four of a word.
fn halves4_e5m2(word: u32) -> vec4<f16> {
  let even = vec2<f16>(unpack2x16float((word << 8u) & 0xff00ff00u));
  let odd = vec2<f16>(unpack2x16float(word & 0xff00ff00u));
  return vec4<f16>(even.x, odd.x, even.y, odd.y);
}
