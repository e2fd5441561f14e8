//! The stencils of the heat equation.

use super::shapes::{join, reshape, shape};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, FLOATS, Input};
use langevin::verify::Tensors;
use langevin::{DescError, HeatDesc, LaplacianDesc};

impl FromFile for LaplacianDesc {
    const INPUTS: &'static [Input] = &[Input::required("u", FLOATS)];
    const OUTPUTS: &'static str = "out as u [spatial..], 1 to 3 axes";
    const FIELDS: &'static str = "out: f32, f16, bf16; spacing: number, or one per axis; boundary: edge, or edge or \
         [before, after] per axis; an edge: periodic, fixed, dirichlet, neumann, {\"dirichlet\": 1.0}";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        self.u = tensors::format(&tensors, "u");
        self.spatial = one_field("laplacian", &mut tensors)?;
        let output_shapes = vec![("out", self.spatial.clone())];
        Ok(Described { desc: self, tensors, output_shapes })
    }
}

impl FromFile for HeatDesc {
    const INPUTS: &'static [Input] = &[Input::required("u", FLOATS)];
    const OUTPUTS: &'static str = "out, one step after u [spatial..], 1 to 3 axes";
    const FIELDS: &'static str = "time_step, diffusivity: number; out, spacing, boundary: as for laplacian";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        if self.time_step == 0.0 {
            return Err(CliError::MissingField { op: "heat", field: "time_step" });
        }
        self.u = tensors::format(&tensors, "u");
        self.spatial = one_field("heat", &mut tensors)?;
        let output_shapes = vec![("out", self.spatial.clone())];
        Ok(Described { desc: self, tensors, output_shapes })
    }
}

/// The extents of `u`, which becomes a batch of one.
fn one_field(op: &'static str, tensors: &mut Tensors) -> Result<Vec<usize>, DescError> {
    let spatial = shape(tensors, "u").to_vec();
    reshape(op, tensors, "u", &join(&[1], &spatial))?;
    Ok(spatial)
}
