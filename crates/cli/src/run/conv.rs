//! Convolutions.

use super::shapes::{Choice, choose, shape, wrong};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, F32, FLOATS, Input, NUMBERS};
use langevin::reference::ConvLayout;
use langevin::verify::Tensors;
use langevin::{ConvDesc, Granularity};

const OP: &str = "conv";

impl FromFile for ConvDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("x", NUMBERS),
        Input::required("w", NUMBERS),
        Input::optional("x_scale", F32),
        Input::optional("w_scale", F32),
        Input::optional("bias", F32),
        Input::optional("residual", FLOATS),
    ];
    const OUTPUTS: &'static str = "out [n, o, spatial..] of x [n, c, spatial..] and w [o, c / groups, kernel..] with 1 \
         to 3 spatial axes; transposed w [c, o / groups, kernel..]; with channels last each second axis is the last; \
         bias [o], w_scale [] or [o], x_scale [], residual as out";
    const FIELDS: &'static str = "out: f32, f16, bf16; layout: channels_first, channels_last; groups: count; stride, \
         dilation, upsample: number, or one per axis; padding: number, or number or [before, after] per axis; boundary, \
         for all or per axis: zero, {\"constant\": 0.5}, circular (or periodic), reflect, replicate, symmetric; transposed: true, \
         false; output_padding: number, or one per axis; activation: identity, relu, gelu_tanh, gelu_erf, silu";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let last = self.layout == ConvLayout::ChannelsLast;
        let Some((batch, in_channels, spatial)) = self.layout.parts(shape(&tensors, "x")) else {
            let expected = if last { "[n, spatial.., c]" } else { "[n, c, spatial..]" };
            return Err(wrong(OP, &tensors, "x", expected).into());
        };
        let rule = || {
            let (outer, inner) = match self.transposed {
                false => ("o".to_owned(), format!("{in_channels} / groups")),
                true => (in_channels.to_string(), "o / groups".to_owned()),
            };
            let axes = if last {
                format!("{outer}, kernel.., {inner}")
            } else {
                format!("{outer}, {inner}, kernel..")
            };
            format!("[{axes}] with as many kernel as spatial axes")
        };
        let (outer, inner, kernel) = match self.layout.parts(shape(&tensors, "w")) {
            Some(parts) if parts.2.len() == spatial.len() => parts,
            _ => return Err(wrong(OP, &tensors, "w", rule()).into()),
        };
        let out_channels = if self.transposed { inner.saturating_mul(self.groups) } else { outer };
        let (spatial, kernel) = (spatial.to_vec(), kernel.to_vec());
        self = Self { batch, in_channels, out_channels, spatial, kernel, ..self };
        (self.x, self.w) = (tensors::format(&tensors, "x"), tensors::format(&tensors, "w"));
        self.x_scale = choose(OP, &mut tensors, "x_scale", Choice::scalar(()))?.is_some();
        let of_channels = Choice::new(vec![out_channels], Granularity::PerRow, &[out_channels]);
        let scales = [Choice::scalar(Granularity::PerTensor), vec![of_channels]].concat();
        self.w_scale = choose(OP, &mut tensors, "w_scale", scales)?;
        let bias = Choice::new(vec![out_channels], (), &[out_channels]);
        self.bias = choose(OP, &mut tensors, "bias", vec![bias])?.is_some();
        self.residual = tensors.get("residual").is_some();
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}
