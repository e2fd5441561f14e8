// What every attention variant does with a dot product: scale, softcap, bias, and whether the query sees the key.
// @stand-in begin
const CAUSAL = true;
const HAS_SOFTCAP = true;
const HAS_MASK = true;
const HAS_BIAS = true;
const HAS_SCALES = true;
struct Params {
  seq_q: u32, seq_kv: u32, scale: f32, softcap: f32, softcap_inverse: f32, causal_offset: i32,
  mask_batch: u32, mask_head: u32, mask_row: u32, mask_key: u32,
  bias_batch: u32, bias_head: u32, bias_row: u32, bias_key: u32,
}
@group(0) @binding(0) var<uniform> p: Params;
fn load_mask(i: u32) -> f32 { return 1.0; }
fn load_bias(i: u32) -> f32 { return 0.0; }
fn load_scales(i: u32) -> f32 { return 1.0; }
// @stand-in end
// The lowest number: where the largest logit starts. It is never the logit of a visible key in practice, and a row
// whose logits are all this low still comes out right.
const LOWEST = -3.4028234663852886e38;

// `value` is LOWEST where the key is hidden.
struct Logit { value: f32, visible: bool }

fn softcapped(x: f32) -> f32 {
  // WGSL's tanh is only good to 1e-5. Beyond 20 nothing changes in f32, and exp must not overflow.
  let y = min(abs(x) * p.softcap_inverse, 20.0);
  let e = exp(-2.0 * y);
  let magnitude = p.softcap * ((1.0 - e) / (1.0 + e));
  return select(magnitude, -magnitude, x < 0.0);
}

// What a dot product of stored numbers is multiplied by.
fn logit_factor() -> f32 {
  if (HAS_SCALES) {
    return p.scale * load_scales(0u) * load_scales(1u);
  }
  return p.scale;
}

// `item` and `head` choose the part of the mask and of the bias.
fn logit(product: f32, factor: f32, item: u32, head: u32, row: u32, key: u32) -> Logit {
  var value = product * factor;
  if (HAS_SOFTCAP) { value = softcapped(value); }
  var visible = row < p.seq_q && key < p.seq_kv;
  if (CAUSAL) { visible = visible && i32(key) <= i32(row) + p.causal_offset; }
  if (HAS_BIAS && visible) {
    let bias = load_bias(item * p.bias_batch + head * p.bias_head + row * p.bias_row + key * p.bias_key);
    // Minus infinity hides the key. It is told by its bits: WGSL may assume that it does not occur.
    visible = bitcast<u32>(bias) != 0xff800000u;
    value += bias;
  }
  if (HAS_MASK && visible) {
    visible = load_mask(item * p.mask_batch + head * p.mask_head + row * p.mask_row + key * p.mask_key) != 0.0;
  }
  // A hidden key may be NaN, and so may its dot product.
  return Logit(select(LOWEST, value, visible), visible);
}

// exp(x - largest) of a logit that is not above `largest`. Below exp(-100) the weight is no f32.
fn weight(x: f32, largest: f32) -> f32 {
  return exp(max(x - largest, -100.0));
}

// The keys that some query before `row_end` may see are those before this one.
fn visible_end(row_end: u32) -> u32 {
  if (CAUSAL) {
    return u32(clamp(i32(min(row_end, p.seq_q)) + p.causal_offset, 0, i32(p.seq_kv)));
  }
  return p.seq_kv;
}
