use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder};
use crate::{Capabilities, PatchifyDesc, Plan, Tier};
use langevin_gpu::Access;
use langevin_reference::{Op, TensorSpec};

/// Cuts pictures into the tokens of a transformer: see [`PatchifyDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `words` | portable | every adapter: an invocation copies one word |
pub type Patchify = Plan<PatchifyDesc>;

buffers! {
    /// Where the tensors of a [`PatchifyDesc`] are.
    PatchifyBuffers {
        required:
            /// The pictures.
            x,
            /// The tokens.
            out;
        optional:
    }
}

const WORDS: Variant = Variant { name: "words", tier: Tier::Portable, reason: "runs everywhere" };

/// Invocations of a workgroup.
const LANES: usize = 64;

impl sealed::Sealed for PatchifyDesc {}

impl Kernel for PatchifyDesc {
    type Buffers<'a> = PatchifyBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![WORDS]
    }

    fn recipe(&self, variant: Variant, _: &Capabilities) -> Recipe {
        let elements = elements(&self.tensors(), "x");
        let words = self.repeat * elements;
        let stage = StageBuilder::new("patchify", self)
            .size("channels", self.channels)
            .size("height", self.height)
            .size("width", self.width)
            .size("patch_side", self.patch)
            .size("across", self.width / self.patch.max(1))
            .size("elements", elements)
            .size("words", words)
            .words("x", Access::Read)
            .words("out", Access::ReadWrite)
            .part(variant.name, include_str!("../shaders/patchify.wgsl"))
            .groups(words.div_ceil(LANES) as u64);
        Recipe::single(stage)
    }
}

/// The elements of a tensor. The descriptor's check has bounded them, so a product that leaves usize on the way has an
/// empty axis.
pub(crate) fn elements(specs: &[TensorSpec], name: &str) -> usize {
    specs.iter().find(|spec| spec.name == name).and_then(TensorSpec::elements).unwrap_or(0)
}
