// Addition and division of f32 by integer operations, on the bits: rounded to nearest, ties to even, on every adapter.
// WGSL lets a driver be off by 2.5 units in the last place in a division, and by a rounding direction in a sum.
// Operands are positive and normal (an addend may be 0). Meant for a few scales per row, not for every element.

// The significand of a normal number with its leading one.
fn exact_significand(bits: u32) -> u32 {
  return (bits & 0x7fffffu) | 0x800000u;
}

// value / 2^drop, rounded; `inexact` says that something nonzero has been cut off below `value`. drop is 1 to 25.
fn exact_round_shift(value: u32, drop: u32, inexact: bool) -> u32 {
  let kept = value >> drop;
  let rest = value & ((1u << drop) - 1u);
  let half = 1u << (drop - 1u);
  let up = rest > half || (rest == half && (inexact || (kept & 1u) == 1u));
  return kept + select(0u, 1u, up);
}

// a / b. Subnormal quotients are rounded as IEEE 754 says, too large ones become infinity.
fn exact_divide(a: u32, b: u32) -> u32 {
  let divisor = exact_significand(b);
  var dividend = exact_significand(a);
  // Biased; it would be negative for the smallest quotients, so 256 is added.
  var exponent = 256u + 127u + (a >> 23u) - (b >> 23u);
  if (dividend < divisor) {
    dividend <<= 1u;
    exponent -= 1u;
  }
  // Now the quotient is in [1, 2): its leading one, then three digits of 8 bits each, 25 bits together.
  var quotient = 1u;
  var rest = dividend - divisor;
  for (var digit = 0u; digit < 3u; digit += 1u) {
    let shifted = rest << 8u;
    let next = shifted / divisor;
    rest = shifted - next * divisor;
    quotient = (quotient << 8u) | next;
  }
  if (exponent >= 256u + 255u) {
    return 0x7f800000u;
  }
  // One bit more than a significand has; subnormals drop more of them.
  let below = max(257u, exponent) - exponent;
  if (below > 24u) {
    return 0u;
  }
  // The leading one of a normal number carries into the exponent.
  let base = (max(257u, exponent) - 257u) << 23u;
  return base + exact_round_shift(quotient, 1u + below, rest != 0u);
}

// a + b for a >= b; b may be 0. Too large a sum becomes infinity.
fn exact_add(a: u32, b: u32) -> u32 {
  // Three bits below the significand: the two that can become its last one and its half, and one for the rest.
  let augend = exact_significand(a) << 3u;
  let addend = exact_significand(b) << 3u;
  let distance = (a >> 23u) - (b >> 23u);
  if (b == 0u) {
    return a;
  }
  let shift = min(distance, 31u);
  let aligned = addend >> shift;
  let sum = augend + aligned;
  let lost = (aligned << shift) != addend;
  // A sum of two or more takes one bit more.
  let carry = select(0u, 1u, sum >= (1u << 27u));
  let base = ((a >> 23u) - 1u + carry) << 23u;
  return min(base + exact_round_shift(sum, 3u + carry, lost), 0x7f800000u);
}

// What quantizers multiply by: 1 / scale. Scales of magnitude below 2^-126 count as 2^-126; subnormal inverses become
// zero, as multiplication may take them; the inverse of infinity is zero, that of NaN is NaN.
fn exact_inverse(scale: u32) -> u32 {
  let sign = scale & 0x80000000u;
  let magnitude = max(scale & 0x7fffffffu, 0x00800000u);
  if (magnitude >= 0x7f800000u) {
    return sign | select(0u, 0x7fc00000u, magnitude > 0x7f800000u);
  }
  let inverse = exact_divide(0x3f800000u, magnitude);
  return sign | select(inverse, 0u, inverse < 0x00800000u);
}
