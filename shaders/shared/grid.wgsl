// More than 65,535 workgroups are folded into two dimensions; this is the index before folding.
fn unfold(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.x + group.y * groups.x;
}
