use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder};
use crate::{Capabilities, Columns, GatedResidualDesc, Plan, Tier};
use langevin_reference::Dtype;

/// A residual plus a gated branch: see [`GatedResidualDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `quads` | portable | every adapter: an invocation has four columns |
pub type GatedResidual = Plan<GatedResidualDesc>;

buffers! {
    /// Where the tensors of a [`GatedResidualDesc`] are.
    GatedResidualBuffers {
        required:
            /// The branch.
            x,
            /// What it is added to.
            residual,
            /// The result.
            out;
        optional:
            /// With [`GatedResidualDesc::gate`].
            gate
    }
}

const QUADS: Variant = Variant { name: "quads", tier: Tier::Portable, reason: "runs everywhere" };

impl sealed::Sealed for GatedResidualDesc {}

impl Kernel for GatedResidualDesc {
    type Buffers<'a> = GatedResidualBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![QUADS]
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let gate = self.gate.unwrap_or(Columns::all(self.width));
        let quads_per_row = self.width.div_ceil(4);
        let quads = self.batch * self.rows * quads_per_row;
        let stage = StageBuilder::new("gated_residual", self)
            .flag("HAS_GATE", self.gate.is_some())
            .size("rows", self.rows)
            .size("width", self.width)
            .size("x_pitch", Dtype::from(self.x).padded_row_len(self.width))
            .size("out_pitch", Dtype::from(self.out).padded_row_len(self.width))
            .size("gate_width", gate.width)
            .size("gate_start", gate.start)
            .size("quads_per_row", quads_per_row)
            .reads("x")
            .reads("residual")
            .reads("gate")
            .writes("out")
            .part(variant.name, include_str!("../shaders/gated_residual.wgsl"))
            .spread(quads, capabilities);
        Recipe::single(stage)
    }
}
