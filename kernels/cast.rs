use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder, by_units};
use crate::{Capabilities, CastDesc, Format, Overflow, Plan, Tier};
use langevin_gpu::Access;
use langevin_reference::Dtype;

/// Numbers from one storage format to another: see [`CastDesc`]. One variant, `units`: every adapter runs it.
pub type Cast = Plan<CastDesc>;

buffers! {
    /// Where the tensors of a [`CastDesc`] are.
    CastBuffers {
        required:
            /// The numbers.
            x,
            /// The same numbers, written.
            out;
        optional:
    }
}

const UNITS: Variant = Variant {
    name: "units",
    tier: Tier::Portable,
    reason: "independent elements need nothing of an adapter",
};

impl sealed::Sealed for CastDesc {}

impl Kernel for CastDesc {
    type Buffers<'a> = CastBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![UNITS]
    }

    fn recipe(&self, _: Variant, capabilities: &Capabilities) -> Recipe {
        let row_units = self.width().div_ceil(4);
        let units = self.rows() * row_units;
        let pitch = |format: Format| Dtype::from(format).padded_row_len(self.width());
        let stage = StageBuilder::new("cast", self)
            .constant("OUT_BYTES", self.out.bytes() as u32)
            .flag("QUIETS", self.x != self.out || self.x != Format::F32)
            .flag("PLAIN_NAN", self.x.bits() == 8)
            .size("saturate", usize::from(self.overflow_mode() == Overflow::Saturate))
            .size("width", self.width())
            .size("row_units", row_units)
            .size("x_pitch", pitch(self.x))
            .size("out_pitch", pitch(self.out))
            .reads_by("x", by_units(self.width()))
            .words("out", Access::ReadWrite)
            .part("float_bits", include_str!("../shaders/shared/float_bits.wgsl"))
            .part_for("out", "cast", include_str!("../shaders/cast.wgsl"))
            .spread(units, capabilities);
        Recipe::single(stage)
    }
}
