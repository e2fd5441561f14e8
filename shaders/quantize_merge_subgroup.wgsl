// The extremes of a team from those of its invocations: the team, the workgroup and a part of a subgroup are the same.
// @stand-in begin
const TEAM = 8u;
alias Extremes = vec3<u32>;
// @stand-in end
fn team_extremes(local: u32, own: Extremes) -> Extremes {
  if (TEAM == 1u) {
    return own;
  }
  return subgroupMax(own);
}
