//! The layers of the network.

use super::positions::{positions, rotary_tables};
use super::{CacheSlots, DitShape, Forward};
use crate::caching::Caching;
use crate::linear::Linear;
use crate::precision::{Activations, MX_GROUP};
use crate::program::{Program, Slot};
use crate::weights::{BlockWeights, CrossWeights};
use crate::{DiffusionError, DitConfig, DitWeights, Storage};
use langevin::{
    Activation, ActivationDesc, AttentionDesc, Columns, Format, Granularity, Heads, MatmulDesc, Modulation,
    Operand, Pairing, PatchifyDesc, RotaryDesc, UnpatchifyDesc, View,
};

/// diffusers fixes this in `AdaLayerNormZero` and in the last norm.
pub(super) const ADA_NORM_EPS: f32 = 1e-6;

pub(super) struct Builder<'a> {
    pub(super) program: Program,
    weights: &'a DitWeights,
    pub(super) config: &'a DitConfig,
    pub(super) shape: DitShape,
    /// The cosines and sines of all tokens, where queries and keys are turned.
    tables: Option<[Slot; 2]>,
    /// Keys and values of the text in every block, where they are the same in the whole run.
    kept_texts: Vec<Slot>,
    /// What layers multiply, where that is kept.
    pub(super) seen: Vec<(String, Slot)>,
}

/// What follows a linear layer.
#[derive(Clone, Copy, Debug)]
struct After {
    /// How the result is stored.
    out: Format,
    /// What it is divided by first, where it is stored in 8 bits.
    out_scale: Option<Slot>,
    activation: Activation,
    gate: Option<(Columns, Slot)>,
    residual: Option<Slot>,
    residual_shared: bool,
}

impl Default for After {
    fn default() -> Self {
        let (out, activation) = (Format::F32, Activation::Identity);
        Self { out, out_scale: None, activation, gate: None, residual: None, residual_shared: false }
    }
}

/// A tensor `[batch, rows, ..]`.
type Rows = (Input, usize, usize);

/// What a matrix multiplies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Input {
    pub(super) slot: Slot,
    pub(super) operand: Operand,
    pub(super) scale: Option<Slot>,
}

impl Input {
    /// Codes and their scale.
    pub(super) fn codes(slot: Slot, format: Format, granularity: Granularity, scale: Slot) -> Self {
        Self { slot, operand: Operand::from(format).scaled(granularity), scale: Some(scale) }
    }
}

impl From<Slot> for Input {
    /// F32.
    fn from(slot: Slot) -> Self {
        Self { slot, operand: Operand::default(), scale: None }
    }
}

impl<'a> Builder<'a> {
    pub(super) fn new(weights: &'a DitWeights, shape: DitShape) -> Self {
        let (mut program, config) = (Program::default(), weights.config());
        let tables = rotary_tables(config).map(|tables| tables.map(|table| program.constant(table)));
        Self { program, weights, config, shape, tables, kept_texts: Vec::new(), seen: Vec::new() }
    }

    /// `x [batch, rows, inputs]` through a linear layer, its matrix in `format` unless a policy says otherwise.
    fn linear(
        &mut self,
        layer: &Linear,
        x: Rows,
        format: Format,
        after: After,
    ) -> Result<Slot, DiffusionError> {
        let out = self.program.passing_as(after.out, &[x.1, x.2, layer.outputs()]);
        self.linear_into(layer, x, format, after, out)?;
        Ok(out)
    }

    fn linear_into(
        &mut self,
        layer: &Linear,
        (x, batch, rows): Rows,
        format: Format,
        after: After,
        out: Slot,
    ) -> Result<(), DiffusionError> {
        let storage = layer.precision.map_or(Storage::Plain(format), |precision| precision.weights);
        let scale = layer.scales(storage).map(|scale| self.program.constant(scale));
        let granularity = match storage {
            Storage::Mxfp8 => Granularity::PerGroup(MX_GROUP),
            Storage::Plain(_) => Granularity::PerColumn,
        };
        let desc = MatmulDesc {
            batch,
            m: rows,
            k: layer.inputs(),
            n: layer.outputs(),
            a: x.operand,
            b: Operand {
                format: storage.format(),
                shared: true,
                scale: scale.is_some().then_some(granularity),
                ..Default::default()
            },
            out: after.out,
            bias: true,
            activation: after.activation,
            gate: after.gate.map(|(columns, _)| columns),
            residual: after.residual.is_some(),
            residual_shared: after.residual_shared,
            out_scale: after.out_scale.is_some(),
            ..Default::default()
        };
        let (b, bias) = (self.program.constant(layer.matrix(storage)), self.program.constant(layer.bias()));
        let mut slots = vec![("a", x.slot), ("b", b), ("bias", bias), ("out", out)];
        slots.extend(x.scale.map(|scale| ("a_scale", scale)));
        slots.extend(scale.map(|scale| ("b_scale", scale)));
        slots.extend(after.gate.map(|(_, gate)| ("gate", gate)));
        slots.extend(after.residual.map(|residual| ("residual", residual)));
        slots.extend(after.out_scale.map(|scale| ("out_scale", scale)));
        self.program.node(desc, &slots);
        Ok(())
    }

    /// Times, guidance scales and labels to their embedding, and to that behind the activation of every modulation.
    pub(super) fn conditions(
        &mut self,
        features: Slot,
        guidance: Option<Slot>,
        labels: Option<Slot>,
    ) -> Result<[Slot; 2], DiffusionError> {
        let silu = After { activation: Activation::Silu, ..After::default() };
        // One "batch item" with a row for each prediction.
        let rows = self.shape.rows();
        let embedders =
            [(Some(features), Some(&self.weights.timestep)), (guidance, self.weights.guidance.as_ref())];
        let mut embedding = labels;
        for (features, embedder) in embedders {
            let (Some(features), Some(embedder)) = (features, embedder) else { continue };
            let hidden = self.linear(&embedder.first, (features.into(), 1, rows), Format::F32, silu)?;
            let add = After { residual: embedding, ..After::default() };
            embedding = Some(self.linear(&embedder.second, (hidden.into(), 1, rows), Format::F32, add)?);
        }
        let embedding = embedding.unwrap_or(features);
        let width = self.config.width();
        let active = self.program.held(&[1, rows, width]);
        let desc = ActivationDesc { rows, width, activation: Activation::Silu, ..Default::default() };
        self.program.node(desc, &[("x", embedding), ("out", active)]);
        Ok([embedding, active])
    }

    /// Keys and values of the text for every block, where one forward pass has all texts.
    pub(super) fn keep_texts(&mut self, text: Option<Slot>) -> Result<(), DiffusionError> {
        let (Some(text), 1) = (text, self.shape.turns) else { return Ok(()) };
        let (weights, tokens) = (self.weights, self.shape.text_tokens);
        for cross in weights.blocks.iter().filter_map(|block| block.cross.as_ref()) {
            let out = self.program.held(&[self.shape.batch(), tokens, 2 * self.config.width()]);
            let rows = (text.into(), self.shape.batch(), tokens);
            self.linear_into(&cross.kv, rows, self.shape.weights, After::default(), out)?;
            self.kept_texts.push(out);
        }
        Ok(())
    }

    /// The network: samples and their conditions to predictions.
    pub(super) fn forward(
        &mut self,
        state: Slot,
        condition: Slot,
        text: Option<Slot>,
        taps: &mut Vec<(String, Slot)>,
    ) -> Result<(Slot, Forward, Option<CacheSlots>), DiffusionError> {
        let (weights, caching) = (self.weights, self.shape.caching);
        let start = self.program.position();
        let rows = (condition.into(), 1, self.shape.batch());
        let modulation = self.linear(&weights.modulation, rows, self.shape.weights, After::default())?;
        let patches = self.patch_embed(state)?;
        taps.push(("patch".to_owned(), patches));
        let (mut tokens, first) = (patches, caching.first_blocks());
        for i in 0..first {
            tokens = self.block(i, tokens, modulation, text)?;
        }
        let entering = tokens;
        let cached = caching != Caching::None;
        let probe = match caching.looks() {
            true => Some(self.probe(patches, entering, modulation)?),
            false => None,
        };
        let head = start..self.program.position();
        for i in first..self.config.num_layers {
            tokens = self.block(i, tokens, modulation, text)?;
            taps.push((format!("block.{i}"), tokens));
        }
        let kept = if cached { Some(self.keep_difference(entering, tokens)?) } else { None };
        let blocks = head.end..self.program.position();
        let reused = kept.map(|kept| (self.reuse_difference(entering, tokens, kept), kept));
        let reuse = blocks.end..self.program.position();
        if cached {
            // What it was has no weight in a reused evaluation, but must be a number.
            self.program.hold(tokens);
        }
        let prediction = self.predict(tokens, modulation)?;
        taps.push(("velocity".to_owned(), prediction));
        let tail = reuse.end..self.program.position();
        let cache = reused.map(|(factors, differences)| CacheSlots { factors, differences, probe });
        Ok((prediction, Forward { head, blocks, reuse, tail }, cache))
    }

    /// Pictures to tokens: the patches' projection plus the position embedding.
    fn patch_embed(&mut self, state: Slot) -> Result<Slot, DiffusionError> {
        let (config, batch) = (self.config, self.shape.batch());
        let patches = self.program.passing(&[batch, config.tokens(), config.patch_elements()]);
        let desc = PatchifyDesc {
            batch: self.shape.samples,
            channels: config.in_channels,
            height: config.sample_size,
            width: config.sample_size,
            patch: config.patch_size,
            repeat: batch / self.shape.samples.max(1),
        };
        self.program.node(desc, &[("x", state), ("out", patches)]);
        let residual = positions(self.weights).map(|positions| self.program.constant(positions));
        let after = After { residual, residual_shared: residual.is_some(), ..After::default() };
        self.linear(&self.weights.patch, (patches.into(), batch, config.tokens()), Format::F32, after)
    }

    pub(super) fn norm(&mut self, x: Slot, eps: f32, modulation: Option<(Slot, Modulation)>) -> Slot {
        let desc = self.norm_desc(eps, modulation, Format::F32);
        self.norm_node(desc, x, modulation)
    }

    /// `x + gate attention(modulate(norm(x)))`, then `x + attention(norm(x), text)` if there is one, then the same as the
    /// first around the feed-forward network. The count of dispatches stands at [`evaluation_kernels`](crate::PipelinePlan::evaluation_kernels).
    fn block(
        &mut self,
        index: usize,
        x: Slot,
        modulation: Slot,
        text: Option<Slot>,
    ) -> Result<Slot, DiffusionError> {
        let (layers, format) = (&self.weights.blocks[index], self.shape.weights);
        let (width, total, eps) = (self.config.width(), self.config.modulation_width(), self.config.norm_eps);
        let (batch, tokens) = (self.shape.batch(), self.config.tokens());
        let chunk = |i: usize| (6 * index + i) * width;
        let norm_of = |shift, scale| {
            Some((modulation, Modulation { width: total, shift: chunk(shift), scale: chunk(scale) }))
        };
        let gated = |i, residual| After {
            gate: Some((Columns { start: chunk(i), width: total }, modulation)),
            residual: Some(residual),
            ..After::default()
        };
        let normed = self.norm_for(&layers.qkv, x, ADA_NORM_EPS, norm_of(0, 1))?;
        let qkv = self.linear(&layers.qkv, (normed, batch, tokens), format, After::default())?;
        self.turn(layers, qkv);
        let stored = stored_before(&layers.attention_out);
        let attended = self.attention([qkv; 3], [3, 3], [0, 1, 2], tokens, stored);
        let attended = self.input_of(&layers.attention_out, attended)?;
        let mut x = self.linear(&layers.attention_out, (attended, batch, tokens), format, gated(2, x))?;
        if let (Some(cross), Some(text)) = (&layers.cross, text) {
            x = self.cross_attention(index, cross, x, text)?;
        }
        let normed = self.norm_for(&layers.feed_forward_in, x, eps, norm_of(3, 4))?;
        let (out, out_scale) = match self.given_codes(&layers.feed_forward_out)? {
            Some((format, scale)) => (format, Some(scale)),
            None => (stored_before(&layers.feed_forward_out), None),
        };
        let gelu = After { out, out_scale, activation: Activation::GeluTanh, ..After::default() };
        let hidden = self.linear(&layers.feed_forward_in, (normed, batch, tokens), format, gelu)?;
        let hidden = match out_scale {
            Some(scale) => Input::codes(hidden, out, Granularity::PerTensor, scale),
            None => self.input_of(&layers.feed_forward_out, hidden)?,
        };
        self.linear(&layers.feed_forward_out, (hidden, batch, tokens), format, gated(5, x))
    }

    fn cross_attention(
        &mut self,
        index: usize,
        cross: &CrossWeights,
        x: Slot,
        text: Slot,
    ) -> Result<Slot, DiffusionError> {
        let (batch, tokens, format) = (self.shape.batch(), self.config.tokens(), self.shape.weights);
        let normed = self.norm(x, self.config.norm_eps, None);
        let query = self.linear(&cross.query, (normed.into(), batch, tokens), format, After::default())?;
        let kv = match self.kept_texts.get(index) {
            Some(kept) => *kept,
            None => self.linear(
                &cross.kv,
                (text.into(), batch, self.shape.text_tokens),
                format,
                After::default(),
            )?,
        };
        let attended =
            self.attention([query, kv, kv], [1, 2], [0, 0, 1], self.shape.text_tokens, Format::F32);
        let add = After { residual: Some(x), ..After::default() };
        self.linear(&cross.out, (attended.into(), batch, tokens), format, add)
    }

    /// The norm and the positions of queries and keys, where the model has either: twice the heads of one tensor, in place.
    fn turn(&mut self, block: &BlockWeights, qkv: Slot) {
        let tables = self.tables;
        if tables.is_none() && block.qk_norm.is_none() {
            return;
        }
        let (config, seq) = (self.config, self.config.tokens());
        let (heads, head_dim) = (2 * config.num_attention_heads, config.attention_head_dim);
        let mut slots = vec![("out", qkv)];
        if let Some(names) = &block.qk_norm {
            slots.push(("weight", self.program.constant(self.weights.qk_norm(names))));
        }
        let (with_norm, with_tables) = (block.qk_norm.is_some(), tables.is_some());
        if let Some([cos, sin]) = tables {
            slots.extend([("cos", cos), ("sin", sin)]);
        }
        let view = Some(View::columns(seq, 3 * config.width(), 0, head_dim));
        let desc = RotaryDesc {
            batch: self.shape.batch(),
            heads,
            seq,
            head_dim,
            axes: if with_tables { vec![head_dim / 2; 2] } else { Vec::new() },
            pairing: Pairing::Interleaved,
            table_rows: if with_tables { seq } else { 0 },
            norm: with_norm.then_some(config.qk_norm_eps),
            weight: with_norm,
            weight_rows: if with_norm { 2 } else { 1 },
            x_view: view,
            out_view: view,
            in_place: true,
            ..Default::default()
        };
        self.program.node(desc, &slots);
    }

    /// Attention of all heads. Queries stand in a packed `[batch, tokens, pack, heads, head_dim]` at some place of the pack,
    /// keys and values likewise; all are read in place.
    fn attention(
        &mut self,
        [q, k, v]: [Slot; 3],
        [pack_q, pack_kv]: [usize; 2],
        [place_q, place_k, place_v]: [usize; 3],
        seq_kv: usize,
        stored: Format,
    ) -> Slot {
        let (heads, head_dim) = (self.config.num_attention_heads, self.config.attention_head_dim);
        let (batch, seq_q, width) = (self.shape.batch(), self.config.tokens(), self.config.width());
        let packed = |place: usize, pack: usize, seq: usize| {
            let row = pack * width;
            View { offset: place * width, batch: seq * row, head: head_dim, seq: row }
        };
        let desc = AttentionDesc {
            batch,
            heads,
            kv_heads: heads,
            seq_q,
            seq_kv,
            head_dim,
            v_dim: head_dim,
            q: Heads::default().viewed(packed(place_q, pack_q, seq_q)),
            k: Heads::default().viewed(packed(place_k, pack_kv, seq_kv)),
            v: Heads::default().viewed(packed(place_v, pack_kv, seq_kv)),
            out_view: Some(packed(0, 1, seq_q)),
            out: stored,
            ..Default::default()
        };
        let out = self.program.passing_as(stored, &[batch, seq_q, width]);
        self.program.node(desc, &[("q", q), ("k", k), ("v", v), ("out", out)]);
        out
    }

    /// Tokens to the prediction of every picture.
    fn predict(&mut self, tokens: Slot, modulation: Slot) -> Result<Slot, DiffusionError> {
        let (config, batch) = (self.config, self.shape.batch());
        let first = 6 * config.num_layers * config.width();
        let columns =
            Modulation { width: config.modulation_width(), shift: first, scale: first + config.width() };
        let normed = self.norm(tokens, ADA_NORM_EPS, Some((modulation, columns)));
        let rows = (normed.into(), batch, config.tokens());
        let patches = self.linear(&self.weights.projection, rows, Format::F32, After::default())?;
        let size = config.sample_size;
        let prediction = self.program.held(&[batch, config.in_channels, size, size]);
        let desc = UnpatchifyDesc {
            batch,
            channels: config.in_channels,
            height: size,
            width: size,
            patch: config.patch_size,
        };
        self.program.node(desc, &[("x", patches), ("out", prediction)]);
        Ok(prediction)
    }
}

/// How the operation before a layer stores its result.
pub(super) fn stored_before(layer: &Linear) -> Format {
    match layer.precision.map(|precision| precision.activations) {
        Some(Activations::Plain(format)) => format,
        _ => Format::F32,
    }
}
