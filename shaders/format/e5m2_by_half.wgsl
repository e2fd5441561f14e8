// E5M2 by the adapter's conversion of F16, which keeps subnormals on the adapters that take it: a code is F16's upper byte.
// @stand-in begin
enable f16;
// @stand-in end
// The four of a word.
fn decode4_e5m2(word: u32) -> vec4<f32> {
  let even = unpack2x16float((word << 8u) & 0xff00ff00u);
  let odd = unpack2x16float(word & 0xff00ff00u);
  return vec4<f32>(even.x, odd.x, even.y, odd.y);
}
