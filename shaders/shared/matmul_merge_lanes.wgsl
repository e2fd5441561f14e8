// Adds what the invocations of a column have gathered, where a workgroup is one subgroup; all get the sum.
// @stand-in begin
alias Total = vec4<f32>;
// @stand-in end
struct Lane {
  @builtin(local_invocation_index) local: u32,
}

fn merge(index: u32, total: Total, lane: Lane) -> Total {
  return subgroupAdd(total);
}
