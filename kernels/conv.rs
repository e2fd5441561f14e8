mod choice;
mod geometry;
mod product;
mod stages;

use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::Recipe;
use crate::{Capabilities, ConvDesc, Plan};

/// Convolution of one to three axes with its boundary, and its transpose: see [`ConvDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `depthwise` | portable | one input channel to a group, channels first, stride and dilation 1, up to 5 x 5: what is read serves a block of outputs |
/// | `cooperative` | cooperative | GPUs with matrix units, from 16 output channels to a group, formats that f16 holds |
/// | `tiled` | portable | other GPUs, the same |
/// | `direct` | portable | every convolution: each output is summed directly, without a padded copy or scratch |
/// | `tiled_f16` | f16 | half the scratch of `tiled`; to be asked for by name |
///
/// `cooperative`, `tiled` and `tiled_f16` are implicit GEMMs: they lay `x` and `w` into the scratch with channels last, in
/// f16 or f32, and a product by tiles reads the windows from there; of `cooperative` holds what [`Matmul`](crate::Matmul) says
/// of matrix units. A transposed convolution, and one whose copies no binding
/// holds, is summed directly.
pub type Conv = Plan<ConvDesc>;

buffers! {
    /// Where the tensors of a [`ConvDesc`] are.
    ConvBuffers {
        required:
            /// The input.
            x,
            /// The weights.
            w,
            /// The result.
            out;
        optional:
            /// With [`ConvDesc::x_scale`].
            x_scale,
            /// With [`ConvDesc::w_scale`].
            w_scale,
            /// With [`ConvDesc::bias`].
            bias,
            /// With [`ConvDesc::residual`].
            residual,
            /// Memory lent: [`Plan::scratch_bytes`].
            scratch
    }
}

impl sealed::Sealed for ConvDesc {}

impl Kernel for ConvDesc {
    type Buffers<'a> = ConvBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        choice::variants(self, capabilities)
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        stages::recipe(self, variant, capabilities)
    }
}
