// What every quantizer that knows its scale does with a unit: four codes, a word.
// @stand-in begin
struct Affine { scale: u32, zero: i32, plain: bool }
struct Factor { inverse: u32, zero: i32 }
fn existing(unit: u32) -> vec4<bool> { return vec4<bool>(true); }
fn encode_plain(product: f32, zero: i32) -> u32 { return bitcast<u32>(product); }
fn put(row: u32, unit: u32, codes: vec4<u32>, scale: vec4<u32>, zero: vec4<i32>) { }
// @stand-in end
// The codes of four numbers of which the scale was made, under a scale that is `plain`.
fn plain_codes_of(bits: vec4<u32>, factor: Factor) -> vec4<u32> {
  let product = bitcast<vec4<f32>>(bits) * bitcast<f32>(factor.inverse);
  return vec4<u32>(encode_plain(product.x, factor.zero), encode_plain(product.y, factor.zero),
                   encode_plain(product.z, factor.zero), encode_plain(product.w, factor.zero));
}

fn store(row: u32, unit: u32, codes: vec4<u32>, affine: Affine) {
  let kept = select(vec4<u32>(0u), codes, existing(unit));
  put(row, unit, kept, vec4<u32>(affine.scale), vec4<i32>(affine.zero));
}
