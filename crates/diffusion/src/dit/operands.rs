//! What layers multiply: norms and other results, quantized where a policy says so.

use super::layers::{Builder, Input, stored_before};
use crate::DiffusionError;
use crate::linear::Linear;
use crate::precision::Activations;
use crate::program::Slot;
use langevin::reference::{NormKind, ScaleSource, Tensor};
use langevin::{Format, Granularity, Modulation, NormDesc, NormQuantizeDesc, QuantizeDesc};

type Modulated = Option<(Slot, Modulation)>;

impl Builder<'_> {
    pub(super) fn norm_desc(&self, eps: f32, modulation: Modulated, out: Format) -> NormDesc {
        NormDesc {
            batch: self.shape.batch(),
            rows: self.config.tokens(),
            width: self.config.width(),
            kind: NormKind::Layer,
            eps,
            modulation: modulation.map(|(_, columns)| columns),
            out,
            ..Default::default()
        }
    }

    pub(super) fn norm_node(&mut self, desc: NormDesc, x: Slot, modulation: Modulated) -> Slot {
        let out = self.program.passing_as(desc.out, &[desc.batch, desc.rows, desc.width]);
        let mut slots = vec![("x", x), ("out", out)];
        slots.extend(modulation.map(|(slot, _)| ("modulation", slot)));
        self.program.node(desc, &slots);
        out
    }

    /// A norm whose result a layer multiplies, in the form that it wants.
    pub(super) fn norm_for(
        &mut self,
        layer: &Linear,
        x: Slot,
        eps: f32,
        modulation: Modulated,
    ) -> Result<Input, DiffusionError> {
        let norm = self.norm_desc(eps, modulation, stored_before(layer));
        let shape = [norm.batch, norm.rows, norm.width];
        let Some(codes) = self.codes(layer, &shape)? else {
            let format = norm.out;
            let slot = self.norm_node(norm, x, modulation);
            return Ok(self.seen(layer, Input { slot, operand: format.into(), scale: None }));
        };
        let mut slots = vec![("x", x)];
        slots.extend(modulation.map(|(slot, _)| ("modulation", slot)));
        slots.extend(codes.slots());
        self.program.node(NormQuantizeDesc::new(norm, codes.desc.clone()), &slots);
        Ok(codes.input())
    }

    /// A result `[batch, tokens, ..]` that a layer multiplies, in the form that it wants.
    pub(super) fn input_of(&mut self, layer: &Linear, x: Slot) -> Result<Input, DiffusionError> {
        let shape = [self.shape.batch(), self.config.tokens(), layer.inputs()];
        let Some(codes) = self.codes(layer, &shape)? else {
            let input = Input { slot: x, operand: stored_before(layer).into(), scale: None };
            return Ok(self.seen(layer, input));
        };
        let mut slots = vec![("x", x)];
        slots.extend(codes.slots());
        self.program.node(codes.desc.clone(), &slots);
        Ok(codes.input())
    }

    /// The codes of a layer's input, where a policy asks for them.
    fn codes(&mut self, layer: &Linear, shape: &[usize; 3]) -> Result<Option<Codes>, DiffusionError> {
        let given = self.given_codes(layer)?;
        let (q, granularity) = match (given, layer.precision.map(|precision| precision.activations)) {
            (Some((format, _)), _) => (format, Granularity::PerTensor),
            (None, Some(Activations::Dynamic(format))) => (format, Granularity::PerRow),
            _ => return Ok(None),
        };
        let scale = if given.is_some() { ScaleSource::Static } else { ScaleSource::Dynamic };
        let desc = QuantizeDesc { shape: shape.to_vec(), q, granularity, scale, ..Default::default() };
        let scale = match given {
            Some((_, scale)) => scale,
            None => self.program.passing(&desc.scale_shape()),
        };
        Ok(Some(Codes { q: self.program.passing_as(q, shape), scale, desc }))
    }

    /// The format of a layer's input and its one scale, where a calibration has given it.
    pub(super) fn given_codes(&mut self, layer: &Linear) -> Result<Option<(Format, Slot)>, DiffusionError> {
        let Some(Activations::Calibrated(format, largest)) =
            layer.precision.map(|precision| precision.activations)
        else {
            return Ok(None);
        };
        let scale = langevin::formats::scale::symmetric(largest, format);
        Ok(Some((format, self.program.constant(Tensor::from_f32(Format::F32, &[], &[scale])?))))
    }

    /// Notes what a layer multiplies, for a calibration.
    fn seen(&mut self, layer: &Linear, input: Input) -> Input {
        if self.shape.calibrating && input.operand.format == Format::F32 {
            self.program.hold(input.slot);
            self.seen.push((layer.names().next().unwrap_or_default().to_owned(), input.slot));
        }
        input
    }
}

/// Codes that are about to be made.
struct Codes {
    desc: QuantizeDesc,
    q: Slot,
    scale: Slot,
}

impl Codes {
    fn slots(&self) -> [(&'static str, Slot); 2] {
        [("q", self.q), ("scale", self.scale)]
    }

    fn input(&self) -> Input {
        Input::codes(self.q, self.desc.q, self.desc.granularity, self.scale)
    }
}
