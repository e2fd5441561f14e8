use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::patchify::elements;
use crate::recipe::{Recipe, StageBuilder};
use crate::{Capabilities, Plan, Tier, UnpatchifyDesc};
use langevin_gpu::Access;
use langevin_reference::Op;

/// Puts the tokens of a transformer back into pictures: see [`UnpatchifyDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `words` | portable | every adapter: an invocation copies one word |
pub type Unpatchify = Plan<UnpatchifyDesc>;

buffers! {
    /// Where the tensors of an [`UnpatchifyDesc`] are.
    UnpatchifyBuffers {
        required:
            /// The tokens.
            x,
            /// The pictures.
            out;
        optional:
    }
}

const WORDS: Variant = Variant { name: "words", tier: Tier::Portable, reason: "runs everywhere" };

/// Invocations of a workgroup.
const LANES: usize = 64;

impl sealed::Sealed for UnpatchifyDesc {}

impl Kernel for UnpatchifyDesc {
    type Buffers<'a> = UnpatchifyBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![WORDS]
    }

    fn recipe(&self, variant: Variant, _: &Capabilities) -> Recipe {
        let words = elements(&self.tensors(), "out");
        let stage = StageBuilder::new("unpatchify", self)
            .size("channels", self.channels)
            .size("height", self.height)
            .size("width", self.width)
            .size("patch_side", self.patch)
            .size("across", self.width / self.patch.max(1))
            .size("words", words)
            .words("x", Access::Read)
            .words("out", Access::ReadWrite)
            .part(variant.name, include_str!("../shaders/unpatchify.wgsl"))
            .groups(words.div_ceil(LANES) as u64);
        Recipe::single(stage)
    }
}
