// A strip's columns have scales of their own.
// @stand-in begin
struct FourExtremes { positive: vec4<u32>, negative: vec4<u32> }
fn strip_extremes(strip: u32, unit: u32) -> FourExtremes { return FourExtremes(vec4<u32>(strip), vec4<u32>(unit)); }
// @stand-in end
fn extremes_of(strip: u32, unit: u32) -> FourExtremes {
  return strip_extremes(strip, unit);
}

// Which strip's invocations write the scales.
fn publishes(strip: u32) -> bool {
  return true;
}
