//! Convolutions and the stencils of the heat equation.

use super::shapes::{Choice, choose, join, reshape, shape, wrong};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, F32, FLOATS, Input, NUMBERS};
use langevin::verify::Tensors;
use langevin::{ConvDesc, DescError, HeatDesc, LaplacianDesc};

impl FromFile for ConvDesc {
    const INPUTS: &'static [Input] =
        &[Input::required("x", NUMBERS), Input::required("w", NUMBERS), Input::optional("bias", F32)];
    const OUTPUTS: &'static str = "out [n, o, spatial..] of x [n, c, spatial..] and w [o, c / groups, kernel..] with 1 \
         to 3 spatial axes; bias [o]";
    const FIELDS: &'static str = "out: f32, f16, bf16; groups: count; stride, dilation: number, or one per axis; padding: \
         number, or number or [before, after] per axis; boundary, for all or per axis: zero, circular (or periodic), \
         reflect, replicate";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let [batch, in_channels, ref spatial @ ..] = *shape(&tensors, "x") else {
            return Err(wrong("conv", &tensors, "x", "[n, c, spatial..]").into());
        };
        let rule = || format!("[o, {in_channels} / groups, kernel..] with as many kernel as spatial axes");
        let [out_channels, _, ref kernel @ ..] = *shape(&tensors, "w") else {
            return Err(wrong("conv", &tensors, "w", rule()).into());
        };
        if kernel.len() != spatial.len() {
            return Err(wrong("conv", &tensors, "w", rule()).into());
        }
        let (spatial, kernel) = (spatial.to_vec(), kernel.to_vec());
        self = Self { batch, in_channels, out_channels, spatial, kernel, ..self };
        self.x = tensors::format(&tensors, "x");
        self.w = tensors::format(&tensors, "w");
        let bias = Choice::new(vec![out_channels], (), &[out_channels]);
        self.bias = choose("conv", &mut tensors, "bias", vec![bias])?.is_some();
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}

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
