//! The diffusion transformer as a program of kernels.

use crate::config::TIMESTEP_CHANNELS;
use crate::program::{Command, Program, Slot};
use crate::weights::Linear;
use crate::{DiffusionError, DitConfig, DitWeights};
use langevin::reference::{NormKind, Tensor, timestep_embedding};
use langevin::{
    Activation, ActivationDesc, AttentionDesc, Columns, CombineDesc, Format, Granularity, Heads, MatmulDesc,
    Modulation, NormDesc, Operand, PatchifyDesc, UnpatchifyDesc, View,
};
use std::ops::Range;

/// diffusers fixes this in `AdaLayerNormZero` and in the last norm.
const ADA_NORM_EPS: f32 = 1e-6;

/// What the program is built for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DitShape {
    pub(crate) samples: usize,
    /// Predictions of a sample: two under classifier-free guidance.
    pub(crate) predictions: usize,
    /// Forward passes that run one after the other, each with its share of the predictions.
    pub(crate) turns: usize,
    /// Evaluations of a run.
    pub(crate) evaluations: usize,
    /// Rows that a sampler keeps.
    pub(crate) states: usize,
    /// Whether a sampler takes fresh noise.
    pub(crate) noise: bool,
    pub(crate) weights: Format,
}

impl DitShape {
    /// Samples of one forward pass.
    pub(crate) const fn batch(&self) -> usize {
        self.samples * self.predictions / self.turns
    }

    /// Forward passes of all samples in a run: a row of the conditions each.
    const fn rows(&self) -> usize {
        self.samples * self.predictions * self.evaluations
    }
}

/// A run's operations and the slots its host touches.
#[derive(Debug)]
pub(crate) struct DitProgram {
    pub(crate) program: Program,
    pub(crate) shape: DitShape,
    /// Sinusoidal features of the time, a row for each sample of each forward pass of the run.
    pub(crate) features: Slot,
    /// Rows of the label table, likewise.
    pub(crate) labels: Slot,
    /// Embedded times and labels behind their activation, likewise: made by `prepare`, once in a run.
    conditions: Slot,
    /// Those of the current forward pass.
    condition: Slot,
    /// The samples `[samples, channels, size, size]`, then what is remembered in the same shape.
    pub(crate) state: Slot,
    /// What one forward pass predicts.
    forward_out: Slot,
    /// All predictions of an evaluation.
    prediction: Slot,
    /// Fresh noise.
    pub(crate) noise: Option<Slot>,
    /// The factors of every evaluation, and those of the current one.
    pub(crate) factor_table: Slot,
    factors: Slot,
    prepare: Range<usize>,
    pub(crate) forward: Range<usize>,
    pub(crate) combine: Range<usize>,
    /// What the golden tests look at, by the goldens' names.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests look inside"))]
    pub(crate) taps: Vec<(String, Slot)>,
}

impl DitProgram {
    pub(crate) fn new(weights: &DitWeights, shape: DitShape) -> Result<Self, DiffusionError> {
        let (config, batch) = (weights.config(), shape.batch());
        let mut builder = Builder { program: Program::default(), config, batch, format: shape.weights };
        let features = builder.program.slot(&[1, shape.rows(), TIMESTEP_CHANNELS]);
        let labels = builder.program.slot(&[1, shape.rows(), config.width()]);
        let [embedding, conditions] = builder.conditions(weights, features, labels, shape.rows())?;
        let prepare = 0..builder.program.position();
        let mut taps = vec![("temb".to_owned(), embedding)];

        let size = config.sample_size;
        let state = builder.program.slot(&[shape.states, shape.samples, config.in_channels, size, size]);
        let condition = builder.program.slot(&[1, batch, config.width()]);
        let modulation =
            builder.linear(&weights.modulation, (condition, 1, batch), shape.weights, After::default())?;
        let mut tokens = builder.patch_embed(weights, state, batch / shape.samples.max(1))?;
        taps.push(("patch".to_owned(), tokens));
        for i in 0..config.num_layers {
            tokens = builder.block(weights, i, tokens, modulation)?;
            taps.push((format!("block.{i}"), tokens));
        }
        let forward_out = builder.predict(weights, tokens, modulation)?;
        taps.push(("velocity".to_owned(), forward_out));
        let forward = prepare.end..builder.program.position();

        let mut program = builder.program;
        let elements = shape.samples * config.sample_elements();
        let prediction = match shape.turns {
            1 => forward_out,
            _ => program.slot(&[shape.predictions, elements]),
        };
        let combine = CombineDesc {
            states: shape.states,
            predictions: shape.predictions,
            noise: shape.noise,
            elements,
        };
        let noise = shape.noise.then(|| program.slot(&[elements]));
        let factors = program.slot(&[shape.states, combine.inputs()]);
        let factor_table = program.slot(&[shape.evaluations, shape.states, combine.inputs()]);
        let mut slots = vec![("prediction", prediction), ("factors", factors), ("state", state)];
        slots.extend(noise.map(|noise| ("noise", noise)));
        program.node(combine, &slots);
        let combine = forward.end..program.position();
        Ok(Self {
            program,
            shape,
            features,
            labels,
            conditions,
            condition,
            state,
            forward_out,
            prediction,
            noise,
            factor_table,
            factors,
            prepare,
            forward,
            combine,
            taps,
        })
    }

    /// What runs once, before the first evaluation.
    pub(crate) fn before(&self) -> Vec<Command> {
        vec![Command::Run(self.prepare.clone())]
    }

    /// One evaluation and its step; `turns` of its forward passes, the first ones.
    pub(crate) fn evaluation(&self, index: usize, turns: usize) -> Vec<Command> {
        let mut commands = Vec::new();
        for turn in 0..turns {
            let elements = self.program.elements(self.condition);
            let from = (self.conditions, (index * self.shape.turns + turn) * elements);
            commands.push(Command::Copy { from, to: (self.condition, 0), elements });
            commands.push(Command::Run(self.forward.clone()));
            if self.shape.turns > 1 {
                let elements = self.program.elements(self.forward_out);
                let to = (self.prediction, turn * elements);
                commands.push(Command::Copy { from: (self.forward_out, 0), to, elements });
            }
        }
        let elements = self.program.elements(self.factors);
        let from = (self.factor_table, index * elements);
        commands.push(Command::Copy { from, to: (self.factors, 0), elements });
        commands.push(Command::Run(self.combine.clone()));
        commands
    }

    /// The rows of the label table for these classes and then, under guidance, for no class, as often as there are
    /// evaluations.
    pub(crate) fn label_rows(&self, weights: &DitWeights, classes: &[usize]) -> Vec<f32> {
        let (width, null) = (weights.config().width(), weights.config().null_class());
        let of_evaluation = self.shape.samples * self.shape.predictions;
        let padded = classes.iter().copied().chain(std::iter::repeat(null)).take(of_evaluation);
        let rows = padded.flat_map(|class| weights.labels[class * width..][..width].iter().copied());
        rows.collect::<Vec<f32>>().repeat(self.shape.evaluations)
    }

    /// The features of a time for each evaluation; computed in f64, since their angles reach 1000 radians.
    pub(crate) fn feature_rows(&self, config: &DitConfig, times: impl Iterator<Item = f64>) -> Vec<f32> {
        let features = |t: f64| timestep_embedding(t * config.timestep_scale, TIMESTEP_CHANNELS);
        let row = |t: f64| features(t).into_iter().map(|value| value as f32).collect::<Vec<f32>>();
        times.flat_map(|t| row(t).repeat(self.shape.samples * self.shape.predictions)).collect()
    }
}

struct Builder<'a> {
    program: Program,
    config: &'a DitConfig,
    batch: usize,
    format: Format,
}

/// What follows a linear layer.
#[derive(Clone, Copy, Debug, Default)]
struct After {
    activation: Activation,
    gate: Option<(Columns, Slot)>,
    residual: Option<Slot>,
    residual_shared: bool,
}

impl Builder<'_> {
    /// `x [batch, rows, inputs]` through a linear layer, its matrix in `format`.
    fn linear(
        &mut self,
        layer: &Linear,
        (x, batch, rows): (Slot, usize, usize),
        format: Format,
        after: After,
    ) -> Result<Slot, DiffusionError> {
        let (matrix, scale) = layer.stored(format)?;
        let desc = MatmulDesc {
            batch,
            m: rows,
            k: layer.inputs,
            n: layer.outputs,
            b: Operand {
                format,
                shared: true,
                scale: scale.is_some().then_some(Granularity::PerColumn),
                ..Default::default()
            },
            bias: true,
            activation: after.activation,
            gate: after.gate.map(|(columns, _)| columns),
            residual: after.residual.is_some(),
            residual_shared: after.residual_shared,
            ..Default::default()
        };
        let out = self.program.slot(&[batch, rows, layer.outputs]);
        let mut slots = vec![("a", x), ("b", self.program.constant(matrix)), ("out", out)];
        slots.extend(scale.map(|scale| ("b_scale", self.program.constant(scale))));
        let bias = Tensor::from_f32(Format::F32, &[layer.outputs], &layer.bias)?;
        slots.push(("bias", self.program.constant(bias)));
        slots.extend(after.gate.map(|(_, gate)| ("gate", gate)));
        slots.extend(after.residual.map(|residual| ("residual", residual)));
        self.program.node(desc, &slots);
        Ok(out)
    }

    /// Times and labels to their embedding, and to that behind the activation of every modulation.
    fn conditions(
        &mut self,
        weights: &DitWeights,
        features: Slot,
        labels: Slot,
        rows: usize,
    ) -> Result<[Slot; 2], DiffusionError> {
        let silu = After { activation: Activation::Silu, ..After::default() };
        // One "batch item" with a row for each forward pass.
        let hidden = self.linear(&weights.timestep_in, (features, 1, rows), Format::F32, silu)?;
        let add_labels = After { residual: Some(labels), ..After::default() };
        let embedding = self.linear(&weights.timestep_out, (hidden, 1, rows), Format::F32, add_labels)?;
        let width = self.config.width();
        let active = self.program.slot(&[1, rows, width]);
        let desc = ActivationDesc { rows, width, activation: Activation::Silu, ..Default::default() };
        self.program.node(desc, &[("x", embedding), ("out", active)]);
        Ok([embedding, active])
    }

    /// Pictures to tokens: the patches' projection plus the fixed position embedding.
    fn patch_embed(&mut self, weights: &DitWeights, x: Slot, repeat: usize) -> Result<Slot, DiffusionError> {
        let config = self.config;
        let patches = self.program.slot(&[self.batch, config.tokens(), config.patch_elements()]);
        let desc = PatchifyDesc {
            batch: self.batch / repeat.max(1),
            channels: config.in_channels,
            height: config.sample_size,
            width: config.sample_size,
            patch: config.patch_size,
            repeat,
        };
        self.program.node(desc, &[("x", x), ("out", patches)]);
        let positions = position_embedding(config);
        let positions = Tensor::from_f32(Format::F32, &[config.tokens(), config.width()], &positions)?;
        let residual = Some(self.program.constant(positions));
        let after = After { residual, residual_shared: true, ..After::default() };
        self.linear(&weights.patch, (patches, self.batch, config.tokens()), Format::F32, after)
    }

    fn norm(&mut self, x: Slot, eps: f32, modulation: (Slot, Modulation)) -> Slot {
        let (batch, rows, width) = (self.batch, self.config.tokens(), self.config.width());
        let out = self.program.slot(&[batch, rows, width]);
        let desc = NormDesc {
            batch,
            rows,
            width,
            kind: NormKind::Layer,
            eps,
            modulation: Some(modulation.1),
            ..Default::default()
        };
        self.program.node(desc, &[("x", x), ("modulation", modulation.0), ("out", out)]);
        out
    }

    /// `x + gate attention(modulate(norm(x)))`, then the same around the feed-forward network: seven dispatches.
    fn block(
        &mut self,
        weights: &DitWeights,
        index: usize,
        x: Slot,
        modulation: Slot,
    ) -> Result<Slot, DiffusionError> {
        let (layers, format) = (&weights.blocks[index], self.format);
        let (width, total) = (self.config.width(), self.config.modulation_width());
        let rows = (self.batch, self.config.tokens());
        let chunk = |i: usize| (6 * index + i) * width;
        let norm_of = |shift, scale| {
            (modulation, Modulation { width: total, shift: chunk(shift), scale: chunk(scale) })
        };
        let gated = |i, residual| After {
            gate: Some((Columns { start: chunk(i), width: total }, modulation)),
            residual: Some(residual),
            ..After::default()
        };
        let normed = self.norm(x, ADA_NORM_EPS, norm_of(0, 1));
        let qkv = self.linear(&layers.qkv, (normed, rows.0, rows.1), format, After::default())?;
        let attended = self.attention(qkv);
        let x = self.linear(&layers.attention_out, (attended, rows.0, rows.1), format, gated(2, x))?;
        let normed = self.norm(x, self.config.norm_eps, norm_of(3, 4));
        let gelu = After { activation: Activation::GeluTanh, ..After::default() };
        let hidden = self.linear(&layers.feed_forward_in, (normed, rows.0, rows.1), format, gelu)?;
        self.linear(&layers.feed_forward_out, (hidden, rows.0, rows.1), format, gated(5, x))
    }

    /// Self-attention on the packed `[batch, tokens, 3, heads, head_dim]`, read in place.
    fn attention(&mut self, qkv: Slot) -> Slot {
        let config = self.config;
        let (heads, head_dim, tokens, width) =
            (config.num_attention_heads, config.attention_head_dim, config.tokens(), config.width());
        let packed = |offset| {
            Heads::default().viewed(View {
                offset,
                batch: tokens * 3 * width,
                head: head_dim,
                seq: 3 * width,
            })
        };
        let desc = AttentionDesc {
            batch: self.batch,
            heads,
            kv_heads: heads,
            seq_q: tokens,
            seq_kv: tokens,
            head_dim,
            v_dim: head_dim,
            q: packed(0),
            k: packed(width),
            v: packed(2 * width),
            out_view: Some(View { offset: 0, batch: tokens * width, head: head_dim, seq: width }),
            ..Default::default()
        };
        let out = self.program.slot(&[self.batch, tokens, width]);
        self.program.node(desc, &[("q", qkv), ("k", qkv), ("v", qkv), ("out", out)]);
        out
    }

    /// Tokens to the predicted velocity of every picture.
    fn predict(
        &mut self,
        weights: &DitWeights,
        tokens: Slot,
        modulation: Slot,
    ) -> Result<Slot, DiffusionError> {
        let config = self.config;
        let first = 6 * config.num_layers * config.width();
        let columns =
            Modulation { width: config.modulation_width(), shift: first, scale: first + config.width() };
        let normed = self.norm(tokens, ADA_NORM_EPS, (modulation, columns));
        let rows = (normed, self.batch, config.tokens());
        let patches = self.linear(&weights.projection, rows, Format::F32, After::default())?;
        let size = config.sample_size;
        let velocity = self.program.slot(&[self.batch, config.out_channels, size, size]);
        let desc = UnpatchifyDesc {
            batch: self.batch,
            channels: config.out_channels,
            height: size,
            width: size,
            patch: config.patch_size,
        };
        self.program.node(desc, &[("x", patches), ("out", velocity)]);
        Ok(velocity)
    }
}

/// `[tokens, width]`, tokens row-major. The first half of the channels holds the column, the second half the row; each
/// half is the sines, then the cosines, of `position / 10000^(i / quarter)` (Peebles and Xie, arXiv 2212.09748).
fn position_embedding(config: &DitConfig) -> Vec<f32> {
    let (side, quarter) = (config.grid(), config.width() / 4);
    let angle = |position: usize, i: usize| position as f64 * 10_000f64.powf(-(i as f64) / quarter as f64);
    let half = |position: usize| {
        let sines = (0..quarter).map(move |i| angle(position, i).sin());
        sines.chain((0..quarter).map(move |i| angle(position, i).cos()))
    };
    (0..side * side)
        .flat_map(|token| half(token % side).chain(half(token / side)))
        .map(|value| value as f32)
        .collect()
}
