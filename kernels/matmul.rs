mod choice;
mod loops;
mod operands;
mod parts;
#[cfg(test)]
mod range_tests;
mod shape;
mod stages;

use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::Recipe;
use crate::{Activation, Capabilities, MatmulDesc, Plan};
pub(crate) use choice::{COOPERATIVE, TILED, TILED_F16, is_cooperative};
pub(crate) use stages::{Factor, sums};

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
///
/// Tensors larger than the device's `max_storage_buffer_binding_size` are bound in ranges, one dispatch for each part of
/// the product: parts of the batch, of the rows, of the columns where `b` is stored `[n, k]`, and of k where `b` is stored
/// `[k, n]` or `a` `[k, m]`. Parts of k add up in the scratch, in order; the others change no bit. What stays too large is
/// [`PlanError::Limit`](crate::PlanError::Limit): a single row or line of an operand or of `out`, with groups as many
/// lines of an operand whose lines are depths as a group has, the halves of a pair in a `b` stored `[n, k]`, and with [`MatmulDesc::batch_invariant`] an `a` stored `[k, m]`, whose cuts would depend on m. To
/// split such a product by hand, bind ranges of its buffers to plans of smaller products.
///
/// All variants obey the descriptor's error bound, which holds for sums in any order: `tiled`, `shuffle` and `broadcast`
/// add k products one after the other, the others fewer. `cooperative` multiplies f16, whose products f32 holds exactly.
/// A matrix unit may add a block of products at once, aligned to the largest addend and cut off (Fasi, Higham, Mikaitis
/// and Pranesh, "Numerical behavior of NVIDIA tensor cores", PeerJ Computer Science 7:e330, 2021): each other addend then
/// loses less than `u` of the largest, so that the bound holds for units that keep one bit more than f32 while they add.
/// [`verify`](crate::verify) and the program's `doctor` compare any adapter with it.
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
