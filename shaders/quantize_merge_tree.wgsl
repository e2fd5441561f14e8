// The extremes of a team from those of its invocations, by a tree in workgroup memory.
// @stand-in begin
const LANES = 64u;
const TEAM = 8u;
alias Extremes = vec3<u32>;
// @stand-in end
var<workgroup> team_slots: array<Extremes, LANES>;

// Every invocation of the workgroup must come here.
fn team_extremes(local: u32, own: Extremes) -> Extremes {
  if (TEAM == 1u) {
    return own;
  }
  team_slots[local] = own;
  for (var half = TEAM / 2u; half > 0u; half /= 2u) {
    // Publishes the slots written so far: each team's own, then those the step before has merged.
    workgroupBarrier();
    if (local % TEAM < half) {
      team_slots[local] = max(team_slots[local], team_slots[local + half]);
    }
  }
  // Publishes every team's first slot.
  workgroupBarrier();
  return team_slots[local / TEAM * TEAM];
}
