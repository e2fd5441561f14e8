use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::Recipe;
use crate::stencil::{self, Finish, Steps};
use crate::{Capabilities, HeatDesc, Plan, Scheme, Stencil};
use langevin_reference::{Op, rkl2_stages};

/// Explicit steps of the heat equation: see [`HeatDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `strips` | software | CPUs with subgroups of 8, one and two axes: all steps of a call in registers |
/// | `tiles` | portable | several steps on two axes, in workgroup memory |
/// | `rows` | portable | every device: rows stay in registers while an invocation walks down, once for each step |
/// | `cells` | portable | every stencil, with media and sources, once for each step |
///
/// `strips`, `tiles` and `rows` are for [`Stencil::Second`] without medium and source. Those that run once for each step
/// borrow memory for a field where a call has several. The stages of [`Scheme::Rkl2`] run by `rows` and `cells` and borrow
/// memory for four fields of F32.
pub type Heat = Plan<HeatDesc>;

buffers! {
    /// Where the tensors of a [`HeatDesc`] are.
    HeatBuffers {
        required:
            /// The field.
            u,
            /// The field [`HeatDesc::steps_per_dispatch`] steps later.
            out;
        optional:
            /// With [`HeatDesc::medium`].
            medium,
            /// With [`HeatDesc::source`].
            source,
            /// Lent memory of [`Plan::scratch_bytes`] bytes, where that is not 0.
            scratch
    }
}

impl sealed::Sealed for HeatDesc {}

impl Kernel for HeatDesc {
    type Buffers<'a> = HeatBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        let plain = self.stencil == Stencil::Second && self.medium.is_none() && self.source.is_none();
        match self.scheme {
            Scheme::Rkl2 { .. } => stencil::stage_variants(plain),
            _ => stencil::variants(self.spatial.len(), self.steps_per_dispatch, plain, capabilities),
        }
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let mut points = self.laplacian().points();
        points.iter_mut().for_each(|point| point.weight *= self.time_step);
        let steps = Steps {
            name: Self::NAME,
            specs: self.tensors(),
            finish: Finish::Of(include_str!("../shaders/heat.wgsl")),
            batch: self.batch,
            axes: (0..self.spatial.len()).map(|axis| self.axis(axis)).collect(),
            stencil: self.stencil,
            points,
            rate: self.time_step,
            face_mean: self.face_mean,
            count: self.steps_per_dispatch,
        };
        match self.scheme {
            Scheme::Rkl2 { stages } => steps.super_step(variant, &rkl2_stages(stages), capabilities),
            _ => steps.recipe(variant, capabilities),
        }
    }
}
