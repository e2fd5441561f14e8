use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::matmul::activation_code;
use crate::recipe::{Recipe, StageBuilder};
use crate::{ActivationDesc, Capabilities, Plan, Tier};
use langevin_reference::Dtype;

/// An element-wise function: see [`ActivationDesc`]. (`Activation` is the name of the function itself.)
///
/// | variant | tier | for |
/// |---|---|---|
/// | `quads` | portable | every adapter: an invocation has four columns |
pub type Activate = Plan<ActivationDesc>;

buffers! {
    /// Where the tensors of an [`ActivationDesc`] are.
    ActivationBuffers {
        required:
            /// The arguments.
            x,
            /// The result.
            out;
        optional:
    }
}

const QUADS: Variant = Variant { name: "quads", tier: Tier::Portable, reason: "runs everywhere" };

impl sealed::Sealed for ActivationDesc {}

impl Kernel for ActivationDesc {
    type Buffers<'a> = ActivationBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![QUADS]
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let quads_per_row = self.width.div_ceil(4);
        let quads = self.rows * quads_per_row;
        let stage = StageBuilder::new("activation", self)
            .constant("ACTIVATION", activation_code(self.activation))
            .size("width", self.width)
            .size("x_pitch", Dtype::from(self.x).padded_row_len(self.width))
            .size("out_pitch", Dtype::from(self.out).padded_row_len(self.width))
            .size("quads_per_row", quads_per_row)
            .reads("x")
            .writes("out")
            .part("activate", include_str!("../shaders/shared/activation.wgsl"))
            .part(variant.name, include_str!("../shaders/activation.wgsl"))
            .spread(quads, capabilities);
        Recipe::single(stage)
    }
}
