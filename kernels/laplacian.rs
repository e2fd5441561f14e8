use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::Recipe;
use crate::stencil::StencilStep;
use crate::{Capabilities, LaplacianDesc, Plan, Tier};
use langevin_reference::GridAxis;

/// The Laplacian of a field on a grid: see [`LaplacianDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `rows` | portable | every device: each invocation walks down rows and keeps them in registers |
pub type Laplacian = Plan<LaplacianDesc>;

buffers! {
    /// Where the tensors of a [`LaplacianDesc`] are.
    LaplacianBuffers {
        required:
            /// The field.
            u,
            /// Its Laplacian.
            out;
        optional:
    }
}

const ROWS: Variant = Variant { name: "rows", tier: Tier::Portable, reason: "runs everywhere" };

impl sealed::Sealed for LaplacianDesc {}

impl Kernel for LaplacianDesc {
    type Buffers<'a> = LaplacianBuffers<'a>;

    fn variants(&self, _: &Capabilities) -> Vec<Variant> {
        vec![ROWS]
    }

    fn recipe(&self, _: Variant, _: &Capabilities) -> Recipe {
        let axes: Vec<GridAxis> = (0..self.spatial.len()).map(|axis| self.axis(axis)).collect();
        let weights: Vec<f64> = axes.iter().map(GridAxis::weight).collect();
        let part = (ROWS.name, include_str!("../shaders/laplacian_rows.wgsl"));
        let step =
            StencilStep { part, batch: self.batch, axes: &axes, weights: &weights, u: self.u, out: self.out };
        step.recipe(self)
    }
}
