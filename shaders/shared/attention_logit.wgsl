// What every attention variant does with dot products: scale, softcap, bias, and whether the query sees the key.
// @stand-in begin
const HAS_LOW = true;
const HAS_HIGH = true;
const HAS_SOFTCAP = true;
const HAS_MASK = true;
const HAS_BIAS = true;
const K_SCALE_BY_KEY = true;
struct Params {
  softcap: f32, softcap_inverse: f32,
  mask_batch: u32, mask_head: u32, mask_row: u32, mask_key: u32,
  bias_batch: u32, bias_head: u32, bias_row: u32, bias_key: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
struct Place { item: u32, key_end: u32, low: i32, high: i32 }
struct Row { exists: bool, query: u32, head: u32 }
fn load_mask(i: u32) -> f32 { return 1.0; }
fn load_bias(i: u32) -> f32 { return 0.0; }
// @stand-in end
// Without softcap and bias the host has divided the scale by ln 2, so that weights are powers of two. Not with them: a bias
// near the largest number would overflow.
const IN_LOG2 = !HAS_SOFTCAP && !HAS_BIAS;
const LN_2 = 0.693147180559945;

// The lowest number: where the largest logit starts. It is never the logit of a visible key in practice, and a row
// whose logits are all this low still comes out right.
const LOWEST = -3.4028234663852886e38;

// Of one row and four keys. A value is LOWEST where the key is hidden.
struct Logits {
  value: vec4<f32>,
  visible: vec4<bool>,
}

fn softcapped(x: vec4<f32>) -> vec4<f32> {
  // WGSL's tanh is only good to 1e-5. Beyond 20 nothing changes in f32, and exp must not overflow.
  let y = min(abs(x) * p.softcap_inverse, vec4<f32>(20.0));
  let e = exp(-2.0 * y);
  let magnitude = p.softcap * ((1.0 - e) / (1.0 + e));
  return select(magnitude, -magnitude, x < vec4<f32>(0.0));
}

fn logits(products: vec4<f32>, factor: f32, key_scales: vec4<f32>, place: Place, row: Row, keys: vec4<u32>) -> Logits {
  var value = products * factor;
  if (K_SCALE_BY_KEY) { value *= key_scales; }
  if (HAS_SOFTCAP) { value = softcapped(value); }
  var visible = vec4<bool>(row.exists) & (keys < vec4<u32>(place.key_end));
  let distance = vec4<i32>(keys) - vec4<i32>(i32(row.query));
  if (HAS_HIGH) { visible = visible & (distance <= vec4<i32>(place.high)); }
  if (HAS_LOW) { visible = visible & (distance >= vec4<i32>(place.low)); }
  if (HAS_BIAS) {
    let at = place.item * p.bias_batch + row.head * p.bias_head + row.query * p.bias_row + keys * p.bias_key;
    let bias = vec4<f32>(load_bias(at.x), load_bias(at.y), load_bias(at.z), load_bias(at.w));
    // Minus infinity hides the key. It is told by its bits: WGSL may assume that it does not occur.
    visible = visible & (bitcast<vec4<u32>>(bias) != vec4<u32>(0xff800000u));
    value += bias;
  }
  if (HAS_MASK) {
    let at = place.item * p.mask_batch + row.head * p.mask_head + row.query * p.mask_row + keys * p.mask_key;
    let mask = vec4<f32>(load_mask(at.x), load_mask(at.y), load_mask(at.z), load_mask(at.w));
    visible = visible & (mask != vec4<f32>(0.0));
  }
  // A hidden key may be NaN, and so may its dot product.
  return Logits(select(vec4<f32>(LOWEST), value, visible), visible);
}

fn largest_of(x: vec4<f32>) -> f32 {
  return max(max(x.x, x.y), max(x.z, x.w));
}

fn total(x: vec4<f32>) -> f32 {
  return (x.x + x.y) + (x.z + x.w);
}

// What logits that are not above `largest` weigh beside one of that size. Far below, where a weight is no f32, it stays
// above the range in which exp is exact to nothing.
fn power(x: vec4<f32>) -> vec4<f32> {
  if (IN_LOG2) { return exp2(max(x, vec4<f32>(-145.0))); }
  return exp(max(x, vec4<f32>(-100.0)));
}

// Hidden keys weigh nothing, by choice and not by arithmetic.
fn weights_of(scores: Logits, largest: f32) -> vec4<f32> {
  return select(vec4<f32>(0.0), power(scores.value - largest), scores.visible);
}

// What sums relative to a largest logit are multiplied by when a larger one has come; exactly 1 when none has, so that keys
// which a query does not see leave its bits alone.
fn rescales(before: vec4<f32>, after: vec4<f32>) -> vec4<f32> {
  return select(power(before - after), vec4<f32>(1.0), before == after);
}

fn rescale(before: f32, after: f32) -> f32 {
  return rescales(vec4<f32>(before), vec4<f32>(after)).x;
}

fn is_finite(x: vec4<f32>) -> bool {
  let magnitudes = bitcast<vec4<u32>>(x) & vec4<u32>(0x7fffffffu);
  return max(max(magnitudes.x, magnitudes.y), max(magnitudes.z, magnitudes.w)) < 0x7f800000u;
}
