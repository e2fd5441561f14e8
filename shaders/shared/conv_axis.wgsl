// An axis of a convolution: which inputs an output reads. TENSOR stands for the axis.
// @stand-in begin
const TRANSPOSED = true;
const REPEATS = true;
const FAR = true;
const UPSAMPLED = true;
struct Params { TENSOR_extent: u32, TENSOR_upsample: u32, TENSOR_stride: u32, TENSOR_dilation: i32, TENSOR_before: i32,
  TENSOR_boundary: u32, TENSOR_shift: u32, TENSOR_kernel: u32, TENSOR_taps: u32, TENSOR_tap_step: u32, TENSOR_common: u32,
  TENSOR_inverse: u32, TENSOR_spread: u32 }
@group(0) @binding(0) var<uniform> p: Params;
struct Window { first: i32, tap: u32, taps: u32 }
const NOWHERE = 0xffffffffu;
// @stand-in end
// The window of an output. Of a transposed axis, output i meets kernel element k where i + before - k spread is a multiple
// of the stride: with q = (i + before) % stride, at most one k below tap_step solves k spread = q modulo the stride, and
// every tap_step further. (common: the greatest common divisor of spread and stride; tap_step = stride / common;
// inverse spread / common = 1 modulo tap_step.)
fn window_TENSOR(out: u32) -> Window {
  if (!TRANSPOSED) {
    return Window(i32(out * p.TENSOR_stride) - p.TENSOR_before, 0u, p.TENSOR_kernel);
  }
  let position = out + u32(p.TENSOR_before);
  let q = position % p.TENSOR_stride;
  let tap = q / p.TENSOR_common * p.TENSOR_inverse % p.TENSOR_tap_step;
  let first = (i32(position) - i32(tap * p.TENSOR_spread)) / i32(p.TENSOR_stride);
  let meets = q % p.TENSOR_common == 0u && tap < p.TENSOR_kernel;
  return Window(first, tap, select(0u, (p.TENSOR_kernel - 1u - min(tap, p.TENSOR_kernel - 1u)) / p.TENSOR_tap_step + 1u, meets));
}

// Where tap t of a window reads. `boundary`: 0 nothing is repeated, 1 circular, 2 reflect, 3 replicate, 4 symmetric; `shift` is a
// multiple of the extent that leaves no position negative.
fn source_TENSOR(window: Window, t: u32) -> u32 {
  let position = window.first + i32(t) * p.TENSOR_dilation;
  var element = u32(position);
  if (REPEATS && element >= p.TENSOR_extent) {
    let last = p.TENSOR_extent - 1u;
    let is_before = position < 0;
    if (p.TENSOR_boundary == 1u) {
      if (FAR) { element = (element + p.TENSOR_shift) % p.TENSOR_extent; }
      else { element = select(element - p.TENSOR_extent, element + p.TENSOR_extent, is_before); }
    }
    if (p.TENSOR_boundary == 2u) { element = select(2u * last - element, u32(-position), is_before); }
    if (p.TENSOR_boundary == 3u) { element = select(last, 0u, is_before); }
    if (p.TENSOR_boundary == 4u) {
      // How far behind the wall, and as far in front of it.
      var inward = select(element - p.TENSOR_extent, ~element, is_before);
      if (FAR) {
        inward %= 2u * p.TENSOR_extent;
        inward = min(inward, 2u * p.TENSOR_extent - 1u - inward);
      }
      element = select(last - inward, inward, is_before);
    }
  }
  let is_inside = element < p.TENSOR_extent && (!TRANSPOSED || t < window.taps);
  if (UPSAMPLED) { element /= p.TENSOR_upsample; }
  return select(NOWHERE, element, is_inside);
}
