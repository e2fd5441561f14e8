use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::quantize::{Job, Numbers};
use crate::recipe::Recipe;
use crate::{ActivationQuantizeDesc, Capabilities, Plan};
use langevin_reference::Op;

/// An element-wise function whose result is quantized at once: see [`ActivationQuantizeDesc`]. The variants are those of
/// [`Quantize`](crate::Quantize), whose dispatches apply the function to what they read.
pub type ActivationQuantize = Plan<ActivationQuantizeDesc>;

buffers! {
    /// Where the tensors of an [`ActivationQuantizeDesc`] are.
    ActivationQuantizeBuffers {
        required:
            /// The arguments.
            x,
            /// The codes, written.
            q,
            /// The scales: read or written as by [`Quantize`](crate::Quantize).
            scale;
        optional:
            /// The zero points.
            zero_point,
            /// The key of the random numbers.
            seed,
            /// Memory lent: [`Plan::scratch_bytes`].
            scratch
    }
}

impl sealed::Sealed for ActivationQuantizeDesc {}

impl Kernel for ActivationQuantizeDesc {
    type Buffers<'a> = ActivationQuantizeBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        self.codes.variants(capabilities)
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let numbers = Numbers::Activated(&self.activation);
        Job::new(&self.codes, self.tensors(), numbers, variant).recipe(variant, capabilities)
    }
}
