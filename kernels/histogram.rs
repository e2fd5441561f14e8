use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder, lanes};
use crate::{Capabilities, HistogramDesc, Plan, Tier};
use langevin_reference::Dtype;

/// How often numbers occur, and their range: see [`HistogramDesc`]. One variant, `atomic`: every adapter runs it.
pub type Histogram = Plan<HistogramDesc>;

buffers! {
    /// Where the tensors of a [`HistogramDesc`] are.
    HistogramBuffers {
        required:
            /// The numbers.
            x,
            /// The counts, added to.
            counts,
            /// The range, widened.
            range;
        optional:
    }
}

const ATOMIC: Variant = Variant {
    name: "atomic",
    tier: Tier::Portable,
    reason: "every adapter adds u32 in memory, and sums do not depend on their order",
};

/// Enough workgroups for any GPU; each adds its [`NEAR_BINS`] to the buffer's.
const MAX_GROUPS: usize = 1024;
/// Counts in workgroup memory.
const NEAR_BINS: usize = 3840;
/// Units of an invocation short of which another workgroup is not worth its counts.
const LEAST_UNITS: usize = 8;

impl sealed::Sealed for HistogramDesc {}

impl Kernel for HistogramDesc {
    type Buffers<'a> = HistogramBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![ATOMIC]
    }

    fn recipe(&self, _: Variant, capabilities: &Capabilities) -> Recipe {
        let lanes = lanes(capabilities) as usize;
        let row_units = self.width().div_ceil(4);
        let units = self.rows() * row_units;
        let group_units = units.div_ceil(MAX_GROUPS).max(LEAST_UNITS * lanes).next_multiple_of(lanes);
        let stage = StageBuilder::new("histogram", self)
            .constant("LANES", lanes as u32)
            .size("width", self.width())
            .size("row_units", row_units)
            .size("units", units)
            .size("group_units", group_units)
            .size("x_pitch", Dtype::from(self.x).padded_row_len(self.width()))
            .reads("x")
            .counts("counts")
            .counts("range")
            .part("float_bits", include_str!("../shaders/shared/float_bits.wgsl"))
            .part("histogram", include_str!("../shaders/histogram.wgsl"))
            .loop_iterations(group_units / lanes + 2 * NEAR_BINS.div_ceil(lanes))
            .groups(units.div_ceil(group_units) as u64);
        Recipe::single(stage)
    }
}
