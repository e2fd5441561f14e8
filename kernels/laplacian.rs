use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::Recipe;
use crate::stencil::{self, Finish, Steps};
use crate::{Capabilities, LaplacianDesc, Plan, Stencil};
use langevin_reference::Op;

/// The Laplacian of a field on a grid: see [`LaplacianDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `strips` | software | CPUs with subgroups of 8, one and two axes: each cell is read once |
/// | `rows` | portable | every device: rows stay in registers while an invocation walks down |
/// | `cells` | portable | every stencil, with media |
///
/// `strips` and `rows` are for [`Stencil::Second`] without a medium.
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
            /// With [`LaplacianDesc::medium`].
            medium
    }
}

impl sealed::Sealed for LaplacianDesc {}

impl Kernel for LaplacianDesc {
    type Buffers<'a> = LaplacianBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        let plain = self.stencil == Stencil::Second && self.medium.is_none();
        stencil::variants(self.spatial.len(), 1, plain, capabilities)
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let steps = Steps {
            name: Self::NAME,
            specs: self.tensors(),
            finish: Finish::Of(include_str!("../shaders/laplacian.wgsl")),
            batch: self.batch,
            axes: (0..self.spatial.len()).map(|axis| self.axis(axis)).collect(),
            stencil: self.stencil,
            points: self.points(),
            rate: 0.0,
            face_mean: self.face_mean,
            count: 1,
        };
        steps.recipe(variant, capabilities)
    }
}
