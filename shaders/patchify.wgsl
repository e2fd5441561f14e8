// Cuts pictures into tokens. Numbers are copied as words, so every bit arrives.
// workgroup -> 64 consecutive words of the output; invocation -> one word.
// @stand-in begin
struct Params { channels: u32, height: u32, width: u32, patch_side: u32, across: u32, elements: u32, words: u32 }
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
  // The copies of the batch follow each other. From here on the index falls apart from its last axis to its first.
  var rest = i % p.elements;
  let q = rest % p.patch_side;
  rest /= p.patch_side;
  let row_of_patch = rest % p.patch_side;
  rest /= p.patch_side;
  let channel = rest % p.channels;
  rest /= p.channels;
  let column = rest % p.across * p.patch_side + q;
  rest /= p.across;
  let down = p.height / p.patch_side;
  let row = rest % down * p.patch_side + row_of_patch;
  let item = rest / down;
  out[i] = x[((item * p.channels + channel) * p.height + row) * p.width + column];
}
