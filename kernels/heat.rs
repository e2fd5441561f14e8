use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::Recipe;
use crate::stencil::StencilStep;
use crate::{Capabilities, HeatDesc, Plan, Tier};
use langevin_reference::GridAxis;

/// One explicit step of the heat equation: see [`HeatDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `rows` | portable | every device: each invocation walks down rows and keeps them in registers |
pub type Heat = Plan<HeatDesc>;

buffers! {
    /// Where the tensors of a [`HeatDesc`] are.
    HeatBuffers {
        required:
            /// The field.
            u,
            /// The field one step later.
            out;
        optional:
    }
}

const ROWS: Variant = Variant { name: "rows", tier: Tier::Portable, reason: "runs everywhere" };

impl sealed::Sealed for HeatDesc {}

impl Kernel for HeatDesc {
    type Buffers<'a> = HeatBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![ROWS]
    }

    fn recipe(&self, _: Variant, _: &Capabilities) -> Recipe {
        let axes: Vec<GridAxis> = (0..self.spatial.len()).map(|axis| self.axis(axis)).collect();
        let weights: Vec<f64> = (0..axes.len()).map(|axis| self.ratio(axis)).collect();
        let part = (ROWS.name, include_str!("../shaders/heat_rows.wgsl"));
        let step =
            StencilStep { part, batch: self.batch, axes: &axes, weights: &weights, u: self.u, out: self.out };
        step.recipe(self)
    }
}
