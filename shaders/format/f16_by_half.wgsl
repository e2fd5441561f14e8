// F16 by the adapter's own conversion, which keeps subnormals on the adapters that take it.
// @stand-in begin
enable f16;
// @stand-in end
// The two of a word.
fn decode2_f16(word: u32) -> vec2<f32> {
  return unpack2x16float(word);
}
