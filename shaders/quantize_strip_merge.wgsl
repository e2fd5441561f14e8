// The scales of a column are those of all strips together, whose extremes the dispatch before has left.
// @stand-in begin
struct Params { partials_start: u32, row_units: u32, strips: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> scratch: array<u32>;
struct FourExtremes { positive: vec4<u32>, negative: vec4<u32> }
// @stand-in end
fn extremes_of(strip: u32, unit: u32) -> FourExtremes {
  var found = FourExtremes(vec4<u32>(0u), vec4<u32>(0u));
  for (var other = 0u; other < p.strips; other += 1u) {
    let word = p.partials_start + (other * p.row_units + unit) * 8u;
    found.positive = max(found.positive, vec4<u32>(scratch[word], scratch[word + 1u], scratch[word + 2u], scratch[word + 3u]));
    found.negative = max(found.negative, vec4<u32>(scratch[word + 4u], scratch[word + 5u], scratch[word + 6u], scratch[word + 7u]));
  }
  return found;
}

// Which strip's invocations write the scales.
fn publishes(strip: u32) -> bool {
  return strip == 0u;
}
