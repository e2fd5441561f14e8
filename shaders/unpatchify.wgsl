// Puts tokens back into pictures. Numbers are copied as words, so every bit arrives.
// workgroup -> 64 consecutive words of the output; invocation -> one word.
// @stand-in begin
struct Params { channels: u32, height: u32, width: u32, patch_side: u32, across: u32, words: u32 }
@group(0) @binding(0) var<uniform> p: Params;
@group(0) @binding(1) var<storage, read> x: array<u32>;
@group(0) @binding(2) var<storage, read_write> out: array<u32>;
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 { return group.x; }
// @stand-in end
@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let i = unfold(group, groups) * 64u + local;
  if (i >= p.words) {
    return;
  }
  // The index falls apart from its last axis to its first.
  let column = i % p.width;
  var rest = i / p.width;
  let row = rest % p.height;
  rest /= p.height;
  let channel = rest % p.channels;
  let item = rest / p.channels;
  let tokens = p.height / p.patch_side * p.across;
  let token = item * tokens + row / p.patch_side * p.across + column / p.patch_side;
  let pixel = row % p.patch_side * p.patch_side + column % p.patch_side;
  out[i] = x[(token * p.patch_side * p.patch_side + pixel) * p.channels + channel];
}
