use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::norm::{with_rows, with_statistics};
use crate::quantize::{Job, Numbers};
use crate::recipe::{Recipe, SCRATCH, StageBuilder};
use crate::{Capabilities, NormQuantizeDesc, Plan};
use langevin_gpu::Access;
use langevin_reference::Op;

/// A norm whose result is quantized at once: see [`NormQuantizeDesc`]. The variants are those of
/// [`Quantize`](crate::Quantize).
///
/// A dispatch leaves the statistics of rows, three words each, in the scratch; those of the quantizer follow, which
/// normalises what it reads.
pub type NormQuantize = Plan<NormQuantizeDesc>;

buffers! {
    /// Where the tensors of a [`NormQuantizeDesc`] are.
    NormQuantizeBuffers {
        required:
            /// The rows.
            x,
            /// The codes, written.
            q,
            /// The scales: read or written as by [`Quantize`](crate::Quantize).
            scale;
        optional:
            /// With [`NormDesc::weight`](crate::NormDesc::weight).
            weight,
            /// With [`NormDesc::bias`](crate::NormDesc::bias).
            bias,
            /// With [`NormDesc::modulation`](crate::NormDesc::modulation).
            modulation,
            /// The zero points.
            zero_point,
            /// The key of the random numbers.
            seed,
            /// Memory lent: [`Plan::scratch_bytes`].
            scratch
    }
}

/// Mean, its correction, and the inverse root of a row.
pub(crate) const STATISTICS_WORDS: usize = 3;

impl sealed::Sealed for NormQuantizeDesc {}

impl Kernel for NormQuantizeDesc {
    type Buffers<'a> = NormQuantizeBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        self.codes.variants(capabilities)
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let numbers = Numbers::Normed(&self.norm);
        let codes = Job::new(&self.codes, self.tensors(), numbers, variant).recipe(variant, capabilities);
        if codes.stages.is_empty() {
            return codes;
        }
        let builder = StageBuilder::new("norm_quantize: statistics", self).size("width", self.norm.width);
        let builder = with_rows(builder, &self.norm)
            .words(SCRATCH, Access::ReadWrite)
            .part("norm_quantize_statistics", include_str!("../shaders/norm_quantize_statistics.wgsl"));
        let statistics = with_statistics(builder, &self.norm, variant.tier);
        let scratch_bytes = numbers.scratch_words() as u64 * 4 + codes.scratch_bytes;
        // Rows without elements have no statistics.
        let first = (statistics.groups > 0).then_some(statistics);
        Recipe { stages: first.into_iter().chain(codes.stages).collect(), scratch_bytes }
    }
}
