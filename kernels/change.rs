use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, SCRATCH, StageBuilder};
use crate::{Capabilities, ChangeDesc, Plan, Tier};
use langevin_gpu::Access;

/// How much a tensor has changed: see [`ChangeDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `strided` | portable | every adapter: sums of single invocations, then the sum of those |
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
/// The most workgroups: their partial sums are added by one invocation.
const MOST_GROUPS: usize = 64;
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
        let partial = StageBuilder::new("change", self)
            .size("elements", self.elements)
            .size("lanes", lanes)
            .reads("x")
            .reads("y")
            .words(SCRATCH, Access::ReadWrite)
            .part(variant.name, include_str!("../shaders/change_strided.wgsl"))
            .loop_iterations(self.elements.div_ceil(4 * lanes))
            .groups(groups as u64);
        let total = StageBuilder::new("change, sum", self)
            .size("lanes", lanes)
            .words(SCRATCH, Access::Read)
            .words("out", Access::ReadWrite)
            .part("change_sum", include_str!("../shaders/change_sum.wgsl"))
            .loop_iterations(lanes)
            .groups(1);
        Recipe { stages: vec![partial, total], scratch_bytes: 8 * lanes as u64 }
    }
}
