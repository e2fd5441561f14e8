// What a product's partial sums are gathered in: f32.
alias Total = vec4<f32>;

fn drain(total: Total, part: vec4<f32>, scale: vec4<f32>) -> Total {
  return total + part * scale;
}

fn drain_integer(total: Total, part: vec4<i32>, scale: vec4<f32>) -> Total {
  return total + vec4<f32>(part) * scale;
}

fn total_bits(total: Total) -> vec4<u32> {
  return bitcast<vec4<u32>>(total);
}

fn total_of(bits: vec4<u32>) -> Total {
  return bitcast<vec4<f32>>(bits);
}
