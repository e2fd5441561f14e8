mod choice;
mod parts;
mod shape;
mod stages;

use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::Recipe;
use crate::{Activation, Capabilities, MatmulDesc, Plan};

/// Matrix multiplication of any two storage formats, with its epilogue: see [`MatmulDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `tiled` | portable | every GPU: tiles of 32, 64 or 128 staged in workgroup memory as f32 |
/// | `tiled_f16` | f16 | operands that f16 holds exactly (F16, E4M3, E5M2, I8): half the workgroup memory |
/// | `vector` | portable | up to 8 rows: B is read once and nothing is staged |
/// | `vector_subgroup` | subgroup | the same where B is stored `[n, k]`: sums across a subgroup |
/// | `dot4` | dot4 | I8 by I8, with packed dot products |
/// | `cooperative` | cooperative | operands that f16 holds exactly, on the matrix units; f32 sums. Needs [`Capabilities::with_adapter`] |
/// | `shuffle` | software | CPUs with subgroups of 8 and f16: no barriers, elements of A spread by shuffles |
/// | `vector_lanes` | software | the same for one row where B is stored `[n, k]`: lanes are depths |
/// | `broadcast` | software | other CPUs: no barriers, A read by broadcast |
///
/// Few tiles and a long k are cut into slices along k, which a second dispatch adds up in order: such a plan borrows
/// scratch ([`Plan::scratch_bytes`]; whether it needs some depends on the device). So does one whose tensors are more
/// than a stage of the device can bind.
pub type Matmul = Plan<MatmulDesc>;

buffers! {
    /// Where the tensors of a [`MatmulDesc`] are.
    MatmulBuffers {
        required:
            /// The left operand.
            a,
            /// The right operand.
            b,
            /// The result.
            out;
        optional:
            /// With a scale of `a`.
            a_scale,
            /// With a scale of `b`.
            b_scale,
            /// With zero points of `a`.
            a_zero,
            /// With zero points of `b`.
            b_zero,
            /// With [`MatmulDesc::bias`].
            bias,
            /// With [`MatmulDesc::gate`].
            gate,
            /// With [`MatmulDesc::residual`].
            residual,
            /// With [`MatmulDesc::out_scale`].
            out_scale,
            /// Memory lent: [`Plan::scratch_bytes`].
            scratch
    }
}

impl sealed::Sealed for MatmulDesc {}

impl Kernel for MatmulDesc {
    type Buffers<'a> = MatmulBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        choice::variants(self, capabilities)
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        stages::recipe(self, variant, capabilities)
    }
}

/// The `ACTIVATION` of `shaders/shared/activation.wgsl`.
pub(crate) fn activation_code(activation: Activation) -> u32 {
    match activation {
        Activation::Relu => 1,
        Activation::GeluTanh => 2,
        Activation::Silu => 3,
        Activation::GeluErf => 4,
        _ => 0,
    }
}
