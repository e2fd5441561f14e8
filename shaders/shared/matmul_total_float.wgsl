// What a product's partial sums are gathered in: f32.
// @stand-in begin
struct Scales { left: f32, right: vec4<f32> }
// @stand-in end
alias Total = vec4<f32>;

fn drain(total: Total, part: vec4<f32>, scales: Scales) -> Total {
  return total + part * scales.left * scales.right;
}

fn drain_integer(total: Total, part: vec4<i32>, scales: Scales) -> Total {
  return total + vec4<f32>(part) * scales.left * scales.right;
}

fn total_bits(total: Total) -> vec4<u32> {
  return bitcast<vec4<u32>>(total);
}

fn total_of(bits: vec4<u32>) -> Total {
  return bitcast<vec4<f32>>(bits);
}

// One more product for each sum.
fn accumulate(total: Total, a: vec4<f32>, b: vec4<f32>) -> Total {
  return fma(a, b, total);
}
