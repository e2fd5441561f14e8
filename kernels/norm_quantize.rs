use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::norm::{row_lanes, with_rows, with_statistics};
use crate::quantize::{Job, Numbers};
use crate::recipe::{Recipe, SCRATCH, Stage, StageBuilder};
use crate::{Capabilities, Granularity, NormQuantizeDesc, Plan, ScaleSource, Tier};
use langevin_gpu::Access;
use langevin_reference::Op;

/// A norm whose result is quantized at once: see [`NormQuantizeDesc`]. The variants are those of
/// [`Quantize`](crate::Quantize).
///
/// Where a row has a scale of its own, or one is given for all, it is one dispatch, without scratch. Else a dispatch leaves the
/// statistics of rows, three words each, in the scratch; those of the quantizer follow, which normalises what it reads.
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
        if is_by_row(self) {
            return Recipe::single(by_row(self, variant, capabilities));
        }
        let numbers = Numbers::Normed(&self.norm);
        let codes = Job::new(&self.codes, self.tensors(), numbers, variant).recipe(variant, capabilities);
        if codes.stages.is_empty() {
            return codes;
        }
        let builder = StageBuilder::new("norm_quantize: statistics", self).size("width", self.norm.width);
        let builder = with_rows(builder, &self.norm)
            .words(SCRATCH, Access::ReadWrite)
            .part("norm_quantize_statistics", include_str!("../shaders/norm_quantize_statistics.wgsl"));
        let statistics = with_statistics(builder, &self.norm, variant.tier, capabilities);
        let scratch_bytes = numbers.scratch_words() as u64 * 4 + codes.scratch_bytes;
        // Rows without elements have no statistics.
        let first = (statistics.groups > 0).then_some(statistics);
        Recipe { stages: first.into_iter().chain(codes.stages).collect(), scratch_bytes }
    }
}

/// Whether the invocations of a row need nothing of other rows.
fn is_by_row(desc: &NormQuantizeDesc) -> bool {
    let NormQuantizeDesc { norm, codes } = desc;
    let own_scale = match codes.granularity {
        Granularity::PerRow => true,
        Granularity::PerTensor => codes.scale == ScaleSource::Static,
        _ => false,
    };
    // Rows without elements still have scales: the quantizer's.
    own_scale && codes.scale_rounding.is_none() && norm.width > 0
}

/// Statistics, scale and codes of every row.
fn by_row(desc: &NormQuantizeDesc, variant: Variant, capabilities: &Capabilities) -> Stage {
    let team = if variant.tier == Tier::Software { 1 } else { row_lanes(capabilities) };
    let numbers = Numbers::NormedByRow(&desc.norm);
    let builder = Job::new(&desc.codes, desc.tensors(), numbers, variant).of_rows("norm_quantize", team);
    let mut stage = with_statistics(builder, &desc.norm, variant.tier, capabilities);
    // The extremes, once more where they are not finite, the tree that merges them, and the codes.
    stage.loop_iterations += 3 * (desc.norm.width as u64).div_ceil(4 * u64::from(team)) + 7;
    stage
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NormDesc, QuantizeDesc};

    #[test]
    fn rows_with_a_scale_known_to_their_invocations_are_one_dispatch() {
        let dispatches = |codes: QuantizeDesc, width: usize| {
            let desc =
                NormQuantizeDesc::new(NormDesc { batch: 2, rows: 9, width, ..Default::default() }, codes);
            let capabilities = Capabilities::minimal();
            let recipe = desc.recipe(desc.variants(&capabilities)[0], &capabilities);
            (recipe.stages.len(), recipe.scratch_bytes > 0)
        };
        let codes = |granularity, scale| QuantizeDesc { granularity, scale, ..Default::default() };
        let (dynamic, given) = (ScaleSource::Dynamic, ScaleSource::Static);
        for (codes, expected) in [
            (codes(Granularity::PerRow, dynamic), (1, false)),
            (codes(Granularity::PerRow, given), (1, false)),
            (codes(Granularity::PerTensor, given), (1, false)),
            (codes(Granularity::PerTensor, dynamic), (3, true)),
            (codes(Granularity::PerGroup(32), dynamic), (2, true)),
        ] {
            assert_eq!(dispatches(codes.clone(), 70), expected, "{codes:?}");
        }
        assert_eq!(dispatches(codes(Granularity::PerRow, dynamic), 0), (1, true));
    }
}
