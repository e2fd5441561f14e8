use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::quantize::{Job, Numbers};
use crate::recipe::Recipe;
use crate::{Capabilities, FakeQuantizeDesc, Plan};
use langevin_reference::Op;

/// Quantization and its inverse at once, without the codes: see [`FakeQuantizeDesc`]. The variants are those of
/// [`Quantize`](crate::Quantize).
pub type FakeQuantize = Plan<FakeQuantizeDesc>;

buffers! {
    /// Where the tensors of a [`FakeQuantizeDesc`] are.
    FakeQuantizeBuffers {
        required:
            /// The numbers.
            x,
            /// What their codes stand for, written.
            out,
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

impl sealed::Sealed for FakeQuantizeDesc {}

impl Kernel for FakeQuantizeDesc {
    type Buffers<'a> = FakeQuantizeBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        self.codes.variants(capabilities)
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let job = Job::new(&self.codes, self.tensors(), Numbers::Stored, variant);
        Job { out: Some(self.out), ..job }.recipe(variant, capabilities)
    }
}
