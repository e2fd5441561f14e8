// UE8M0: powers of two by their biased exponents; 255 is NaN. Code 0, 2^-127, is a subnormal f32, which a driver may flush.
fn decode_e8m0(code: u32) -> f32 {
  let normal = select(code << 23u, 0x7fc00000u, code == 255u);
  return bitcast<f32>(select(normal, 0x00400000u, code == 0u));
}
