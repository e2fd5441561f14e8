use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder};
use crate::{Capabilities, CombineDesc, Plan, Tier};
use langevin_gpu::Access;

/// A sampler's step with its guidance, as linear combinations: see [`CombineDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `quads` | portable | every adapter: an invocation has four numbers of every row |
pub type Combine = Plan<CombineDesc>;

buffers! {
    /// Where the tensors of a [`CombineDesc`] are.
    CombineBuffers {
        required:
            /// The sample and what is remembered; read, then overwritten.
            state,
            /// The factor of every input in every row; the caller's slot, read when the call runs.
            factors;
        optional:
            /// What the model predicts, with [`CombineDesc::predictions`].
            prediction,
            /// Fresh noise, with [`CombineDesc::noise`].
            noise
    }
}

const QUADS: Variant = Variant { name: "quads", tier: Tier::Portable, reason: "runs everywhere" };

/// Numbers of a row that a workgroup writes.
const GROUP: usize = 256;

impl sealed::Sealed for CombineDesc {}

impl Kernel for CombineDesc {
    type Buffers<'a> = CombineBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![QUADS]
    }

    fn recipe(&self, variant: Variant, _: &Capabilities) -> Recipe {
        let stage = StageBuilder::new("combine", self)
            .constant("STATES", self.states as u32)
            .constant("PREDICTIONS", self.predictions as u32)
            .constant("NOISES", u32::from(self.noise))
            .size("elements", self.elements)
            .words("state", Access::ReadWrite)
            .reads("prediction")
            .reads("noise")
            .reads("factors")
            .part(variant.name, include_str!("../shaders/combine.wgsl"))
            .groups(self.elements.div_ceil(GROUP) as u64);
        Recipe::single(stage)
    }
}
