use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, SCRATCH, StageBuilder};
use crate::{Capabilities, ChangeDesc, Plan, Tier};
use langevin_gpu::Access;

/// How much a tensor has changed: see [`ChangeDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `strided` | portable | every adapter: the shares of workgroups, then one workgroup's sum of those |
pub type Change = Plan<ChangeDesc>;

buffers! {
    /// Where the tensors of a [`ChangeDesc`] are.
    ChangeBuffers {
        required:
            /// What it became.
            x,
            /// What it was.
            y,
            /// The sum of the changes, and that of what was.
            out;
        optional:
            /// As much as [`Plan::scratch_bytes`] says.
            scratch
    }
}

const STRIDED: Variant = Variant { name: "strided", tier: Tier::Portable, reason: "runs everywhere" };

/// Invocations of a workgroup.
const LANES: usize = 64;
/// The most workgroups, whose shares one adds up.
const MOST_GROUPS: usize = 256;
/// Groups of four numbers for each invocation before there is another workgroup.
const QUADS: usize = 16;

impl sealed::Sealed for ChangeDesc {}

impl Kernel for ChangeDesc {
    type Buffers<'a> = ChangeBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![STRIDED]
    }

    fn recipe(&self, variant: Variant, _: &Capabilities) -> Recipe {
        let groups = self.elements.div_ceil(4 * LANES * QUADS).clamp(1, MOST_GROUPS);
        let lanes = groups * LANES;
        let sum = |builder: StageBuilder| {
            let text = include_str!("../shaders/shared/sum_of_lanes.wgsl");
            builder.constant("LANES", LANES as u32).part("sum_of_lanes", text).proven()
        };
        let shares = sum(StageBuilder::new("change", self))
            .size("elements", self.elements)
            .size("lanes", lanes)
            .reads("x")
            .reads("y")
            .words(SCRATCH, Access::ReadWrite)
            .part(variant.name, include_str!("../shaders/change_strided.wgsl"))
            .loop_iterations(self.elements.div_ceil(4 * lanes) + 6)
            .groups(groups as u64);
        let total = sum(StageBuilder::new("change, sum", self))
            .size("shares", groups)
            .words(SCRATCH, Access::Read)
            .words("out", Access::ReadWrite)
            .part("change_sum", include_str!("../shaders/change_sum.wgsl"))
            .loop_iterations(groups.div_ceil(LANES) + 6)
            .groups(1);
        Recipe { stages: vec![shares, total], scratch_bytes: 8 * groups as u64 }
    }
}
