//! The stencils of the heat equation.

use super::shapes::{join, reshape, shape};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, FLOATS, Input};
use langevin::verify::Tensors;
use langevin::{DescError, Format, HeatDesc, LaplacianDesc};

impl FromFile for LaplacianDesc {
    const INPUTS: &'static [Input] = &[Input::required("u", FLOATS), Input::optional("medium", FLOATS)];
    const OUTPUTS: &'static str =
        "out as u [spatial..], 1 to 3 axes; medium as u, each cell's share of the diffusivity";
    const FIELDS: &'static str = "out: f32, f16, bf16; spacing: number, or one per axis; boundary: edge, or edge or \
         [before, after] per axis; an edge: periodic, fixed, dirichlet, neumann, {\"dirichlet\": 1.0}; stencil: second, \
         fourth, isotropic; diffusivity: number; face_mean: arithmetic, harmonic";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        self.u = tensors::format(&tensors, "u");
        self.spatial = one_field("laplacian", &mut tensors)?;
        self.medium = like_field("laplacian", &mut tensors, "medium", &self.spatial)?;
        let output_shapes = vec![("out", self.spatial.clone())];
        Ok(Described { desc: self, tensors, output_shapes })
    }
}

impl FromFile for HeatDesc {
    const INPUTS: &'static [Input] =
        &[Input::required("u", FLOATS), Input::optional("medium", FLOATS), Input::optional("source", FLOATS)];
    const OUTPUTS: &'static str = "out, the steps after u [spatial..], 1 to 3 axes; medium as u, shares from 0 to 1; source \
         as u, added per unit of time";
    const FIELDS: &'static str = "time_step: number; steps_per_dispatch: 1 to 8; scheme: euler, {\"rkl2\": {\"stages\": 9}}; out, spacing, boundary, stencil, \
         diffusivity, face_mean: as for laplacian";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        if self.time_step == 0.0 {
            return Err(CliError::MissingField { op: "heat", field: "time_step" });
        }
        self.u = tensors::format(&tensors, "u");
        self.spatial = one_field("heat", &mut tensors)?;
        self.medium = like_field("heat", &mut tensors, "medium", &self.spatial)?;
        self.source = like_field("heat", &mut tensors, "source", &self.spatial)?;
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

/// The format of an optional tensor of the extents of `u`, which becomes a batch of one likewise.
fn like_field(
    op: &'static str,
    tensors: &mut Tensors,
    name: &'static str,
    spatial: &[usize],
) -> Result<Option<Format>, DescError> {
    let Some(got) = tensors.get(name).map(|tensor| tensor.shape().to_vec()) else { return Ok(None) };
    if got != spatial {
        let expected = format!("{spatial:?} as `u`");
        return Err(DescError::Shape { op, tensor: name.into(), expected, got });
    }
    reshape(op, tensors, name, &join(&[1], spatial))?;
    Ok(Some(tensors::format(tensors, name)))
}
