// Philox4x32-10 (Salmon, Moraes, Dror and Shaw, SC 2011): random numbers by position.
// The upper word of a product of two words.
fn upper_product(a: u32, b: u32) -> u32 {
  let low = (a & 0xffffu) * (b & 0xffffu);
  let first = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
  let second = (a & 0xffffu) * (b >> 16u) + (first & 0xffffu);
  return (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u);
}

// The four random words at a counter, under a key.
fn philox(counter: vec4<u32>, seed: vec2<u32>) -> vec4<u32> {
  var words = counter;
  var key = seed;
  for (var round = 0u; round < 10u; round += 1u) {
    let first = vec2<u32>(upper_product(words.x, 0xd2511f53u), words.x * 0xd2511f53u);
    let second = vec2<u32>(upper_product(words.z, 0xcd9e8d57u), words.z * 0xcd9e8d57u);
    words = vec4<u32>(second.x ^ words.y ^ key.x, second.y, first.x ^ words.w ^ key.y, first.y);
    key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
  }
  return words;
}
