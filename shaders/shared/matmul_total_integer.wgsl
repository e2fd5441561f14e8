// What a product's partial sums are gathered in: i32, exact. A part in f32 is an integer below 2^24.
// @stand-in begin
struct Scales { left: f32, right: vec4<f32> }
// @stand-in end
alias Total = vec4<i32>;

fn drain(total: Total, part: vec4<f32>, scales: Scales) -> Total {
  return total + vec4<i32>(part);
}

fn drain_integer(total: Total, part: vec4<i32>, scales: Scales) -> Total {
  return total + part;
}

fn total_bits(total: Total) -> vec4<u32> {
  return bitcast<vec4<u32>>(total);
}

fn total_of(bits: vec4<u32>) -> Total {
  return bitcast<vec4<i32>>(bits);
}

// One more product for each sum, of integers.
fn accumulate(total: Total, a: vec4<f32>, b: vec4<f32>) -> Total {
  return total + vec4<i32>(a) * vec4<i32>(b);
}
