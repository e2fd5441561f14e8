use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder};
use crate::{Capabilities, DequantizeDesc, Granularity, Plan, Tier};
use langevin_reference::Dtype;

/// Codes back to numbers: see [`DequantizeDesc`]. One variant, `units`: every adapter runs it.
pub type Dequantize = Plan<DequantizeDesc>;

buffers! {
    /// Where the tensors of a [`DequantizeDesc`] are.
    DequantizeBuffers {
        required:
            /// The codes.
            q,
            /// The scales.
            scale,
            /// The numbers, written.
            out;
        optional:
            /// With [`DequantizeDesc::zero_point`].
            zero_point
    }
}

const UNITS: Variant = Variant {
    name: "units",
    tier: Tier::Portable,
    reason: "independent elements need nothing of an adapter",
};

/// Units of four elements that a workgroup takes, one for each invocation.
const UNITS_PER_GROUP: usize = 64;

impl sealed::Sealed for DequantizeDesc {}

impl Kernel for DequantizeDesc {
    type Buffers<'a> = DequantizeBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![UNITS]
    }

    fn recipe(&self, _: Variant, _: &Capabilities) -> Recipe {
        let width = self.width();
        let row_units = width.div_ceil(4);
        let units = self.rows() * row_units;
        let stage = StageBuilder::new("dequantize", self)
            .flag("PER_ROW", self.granularity == Granularity::PerRow)
            .flag("HAS_ZERO", self.zero_point)
            .flag("WHOLE_UNITS", width.is_multiple_of(4))
            .size("width", width)
            .size("row_units", row_units)
            .size("units", units)
            .size("q_pitch", Dtype::from(self.q).padded_row_len(width))
            .size("out_pitch", Dtype::from(self.out).padded_row_len(width))
            .reads("q")
            .reads("scale")
            .reads("zero_point")
            .writes("out")
            .part("dequantize", include_str!("../shaders/dequantize.wgsl"))
            .groups(units.div_ceil(UNITS_PER_GROUP) as u64);
        Recipe::single(stage)
    }
}
