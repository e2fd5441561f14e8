use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder};
use crate::{Capabilities, GuidanceDesc, Plan, Tier};

/// Classifier-free guidance and the sampler's Euler step: see [`GuidanceDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `quads` | portable | every adapter: an invocation has four numbers |
pub type Guidance = Plan<GuidanceDesc>;

buffers! {
    /// Where the tensors of a [`GuidanceDesc`] are.
    GuidanceBuffers {
        required:
            /// What the model predicts.
            velocity,
            /// The samples.
            x,
            /// The guidance scale and the time step; the caller's slot, read when the call runs.
            factors,
            /// The samples after the step.
            out;
        optional:
    }
}

const QUADS: Variant = Variant { name: "quads", tier: Tier::Portable, reason: "runs everywhere" };

/// Numbers a workgroup writes.
const GROUP: usize = 256;

impl sealed::Sealed for GuidanceDesc {}

impl Kernel for GuidanceDesc {
    type Buffers<'a> = GuidanceBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![QUADS]
    }

    fn recipe(&self, variant: Variant, _: &Capabilities) -> Recipe {
        let elements = self.batch * self.width;
        let stage = StageBuilder::new("guidance", self)
            .flag("GUIDED", self.guided)
            .size("elements", elements)
            .reads("velocity")
            .reads("x")
            .reads("factors")
            .writes("out")
            .part(variant.name, include_str!("../shaders/guidance.wgsl"))
            .groups(elements.div_ceil(GROUP) as u64);
        Recipe::single(stage)
    }
}
