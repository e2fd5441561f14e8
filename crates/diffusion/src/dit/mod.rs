//! The diffusion transformer as a program of kernels.

mod cache;
mod inputs;
mod layers;
mod operands;
mod positions;

use crate::caching::{Caching, Verdict};
use crate::config::TIMESTEP_CHANNELS;
use crate::program::{Command, Program, Slot};
use crate::{DiffusionError, DitWeights};
use langevin::{CombineDesc, Format};
use layers::Builder;
use std::ops::Range;

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
    /// Tokens of a text, where the model attends to one.
    pub(crate) text_tokens: usize,
    /// What evaluations reuse.
    pub(crate) caching: Caching,
    pub(crate) weights: Format,
    /// Whether what layers multiply is kept, for a calibration.
    pub(crate) calibrating: bool,
}

impl DitShape {
    /// Samples of one forward pass.
    pub(crate) const fn batch(&self) -> usize {
        self.samples * self.predictions / self.turns
    }

    /// Predictions of all samples in an evaluation.
    pub(crate) const fn predicted(&self) -> usize {
        self.samples * self.predictions
    }

    /// Predictions of all samples in a run: a row of the conditions each.
    const fn rows(&self) -> usize {
        self.predicted() * self.evaluations
    }
}

/// A run's operations and the slots its host touches.
#[derive(Debug)]
pub(crate) struct DitProgram {
    pub(crate) program: Program,
    pub(crate) shape: DitShape,
    /// What the host writes before a run.
    pub(crate) inputs: Inputs,
    /// Embedded times and labels behind their activation, a row for each prediction of the run: made by `prepare`, once.
    conditions: Slot,
    /// Those of the current forward pass.
    condition: Slot,
    /// The texts of the current forward pass, where there are some.
    text: Option<Slot>,
    /// The samples `[samples, channels, size, size]`, then what is remembered in the same shape.
    pub(crate) state: Slot,
    /// What one forward pass predicts.
    forward_out: Slot,
    /// All predictions of an evaluation.
    prediction: Slot,
    /// The factors of the current evaluation.
    factors: Slot,
    /// What evaluations reuse, where they do.
    cache: Option<CacheSlots>,
    /// What an evaluation may read before it is written, if only to multiply it by zero: an earlier run may have left what is
    /// no number there.
    stale: Vec<Slot>,
    prepare: Range<usize>,
    forward: Forward,
    pub(crate) combine: Range<usize>,
    /// What layers multiply, by the names of the layers, where that is kept.
    pub(crate) seen: Vec<(String, Slot)>,
    /// What the golden tests look at, by the goldens' names.
    #[cfg_attr(not(test), expect(dead_code, reason = "only tests look inside"))]
    pub(crate) taps: Vec<(String, Slot)>,
}

/// The operations of a forward pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forward {
    /// Up to the blocks that a cache may leave out, with what it looks at.
    pub(crate) head: Range<usize>,
    /// Those blocks, and what is kept of them.
    pub(crate) blocks: Range<usize>,
    /// What takes their place.
    pub(crate) reuse: Range<usize>,
    /// From the last block's tokens to the prediction.
    pub(crate) tail: Range<usize>,
}

/// Slots of a cache.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CacheSlots {
    /// The factors of kept differences and of the blocks' input, for [`Verdict::Reuse`].
    pub(crate) factors: Slot,
    /// The differences kept, the newest first.
    pub(crate) differences: Slot,
    /// What is looked at, what it was, and the change between them.
    pub(crate) probe: Option<[Slot; 3]>,
}

/// Slots that the host writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Inputs {
    /// Sinusoidal features of the time, a row for each prediction of the run.
    pub(crate) features: Slot,
    /// The same of the guidance scale, where the model embeds it.
    pub(crate) guidance: Option<Slot>,
    /// Rows of the label table, likewise, where the model knows classes.
    pub(crate) labels: Option<Slot>,
    /// The text of every prediction of an evaluation, where the model attends to one.
    pub(crate) texts: Option<Slot>,
    /// Fresh noise.
    pub(crate) noise: Option<Slot>,
    /// The factors of every evaluation.
    pub(crate) factors: Slot,
}

impl DitProgram {
    pub(crate) fn new(weights: &DitWeights, shape: DitShape) -> Result<Self, DiffusionError> {
        let (config, batch, width) = (weights.config(), shape.batch(), weights.config().width());
        let mut builder = Builder::new(weights, shape);
        let program = &mut builder.program;
        let mut rows = |columns| program.held(&[1, shape.rows(), columns]);
        let features = rows(TIMESTEP_CHANNELS);
        let guidance = config.guidance_embeds.then(|| rows(TIMESTEP_CHANNELS));
        let labels = config.num_embeds_ada_norm.map(|_| rows(width));
        let mut text_slot = |batch| {
            config.cross_attention_dim.map(|dim| builder.program.held(&[batch, shape.text_tokens, dim]))
        };
        let text = text_slot(batch);
        let texts = if shape.turns == 1 { text } else { text_slot(shape.predicted()) };

        let [embedding, conditions] = builder.conditions(features, guidance, labels)?;
        builder.keep_texts(text)?;
        let prepare = 0..builder.program.position();
        let mut taps = vec![("temb".to_owned(), embedding)];

        let size = config.sample_size;
        let state = builder.program.held(&[shape.states, shape.samples, config.in_channels, size, size]);
        let condition = builder.program.held(&[1, batch, width]);
        let (forward_out, forward, cache) = builder.forward(state, condition, text, &mut taps)?;

        let (mut program, seen) = (builder.program, builder.seen);
        let elements = shape.samples * config.sample_elements();
        let prediction = match shape.turns {
            1 => forward_out,
            _ => program.held(&[shape.predictions, elements]),
        };
        let in_turn = (shape.turns > 1).then_some(prediction);
        let stale = in_turn.into_iter().chain(cache.map(|cache| cache.differences)).collect();
        let DitShape { states, predictions, noise, .. } = shape;
        let desc = CombineDesc { states, predictions, noise, elements };
        let noise = noise.then(|| program.held(&[elements]));
        let factors = program.held(&[states, desc.inputs()]);
        let all_factors = program.held(&[shape.evaluations, states, desc.inputs()]);
        let mut slots = vec![("prediction", prediction), ("factors", factors), ("state", state)];
        slots.extend(noise.map(|noise| ("noise", noise)));
        program.node(desc, &slots);
        let combine = forward.tail.end..program.position();
        let inputs = Inputs { features, guidance, labels, texts, noise, factors: all_factors };
        Ok(Self {
            program,
            shape,
            inputs,
            conditions,
            condition,
            text,
            state,
            forward_out,
            prediction,
            factors,
            cache,
            stale,
            prepare,
            forward,
            combine,
            seen,
            taps,
        })
    }

    /// What runs once, before the first evaluation.
    pub(crate) fn before(&self) -> Vec<Command> {
        let clear = self.stale.iter().map(|slot| Command::Clear(*slot));
        clear.chain([Command::Run(self.prepare.clone())]).collect()
    }

    /// One evaluation with its step; `turns` of its forward passes, the first ones.
    pub(crate) fn evaluation(&self, index: usize, turns: usize) -> Vec<Command> {
        let mut commands = Vec::new();
        for turn in 0..turns {
            commands.extend(self.condition(index * self.shape.turns + turn));
            if let (2.., Some(texts), Some(text)) = (self.shape.turns, self.inputs.texts, self.text) {
                commands.push(self.piece(texts, turn, text));
            }
            let Forward { head, blocks, tail, .. } = self.forward.clone();
            commands.extend([head, blocks, tail].map(Command::Run));
            if self.shape.turns > 1 {
                let elements = self.program.elements(self.forward_out);
                let to = (self.prediction, turn * elements);
                commands.push(Command::Copy { from: (self.forward_out, 0), to, elements });
            }
        }
        commands.extend(self.step(index));
        commands
    }

    /// The beginning of an evaluation under a cache: what does not depend on its verdict.
    pub(crate) fn cached_head(&self, index: usize) -> Vec<Command> {
        self.condition(index).into_iter().chain([Command::Run(self.forward.head.clone())]).collect()
    }

    /// The rest of it.
    pub(crate) fn cached_rest(&self, index: usize, verdict: &Verdict) -> Vec<Command> {
        let Forward { blocks, reuse, tail, .. } = self.forward.clone();
        let mut commands = vec![Command::Run(if *verdict == Verdict::Compute { blocks } else { reuse })];
        commands.push(Command::Run(tail));
        if let Some([probe, before, _]) = self.cache.and_then(|cache| cache.probe)
            && (*verdict == Verdict::Compute || matches!(self.shape.caching, Caching::TeaCache { .. }))
        {
            // TeaCache sums changes from one evaluation to the next, the first-block cache compares with the last computed.
            commands.push(self.piece(probe, 0, before));
        }
        commands.extend(self.step(index));
        commands
    }

    pub(crate) fn cache(&self) -> Option<CacheSlots> {
        self.cache
    }

    /// The operations of a computed forward pass.
    pub(crate) fn forward_nodes(&self) -> impl Iterator<Item = usize> + Clone + use<> {
        let Forward { head, blocks, tail, .. } = self.forward.clone();
        head.chain(blocks).chain(tail)
    }

    fn condition(&self, pass: usize) -> [Command; 1] {
        [self.piece(self.conditions, pass, self.condition)]
    }

    fn step(&self, index: usize) -> [Command; 2] {
        [self.piece(self.inputs.factors, index, self.factors), Command::Run(self.combine.clone())]
    }

    /// Fills a slot with the `index`-th piece of its size from another.
    fn piece(&self, from: Slot, index: usize, to: Slot) -> Command {
        let elements = self.program.elements(to);
        Command::Copy { from: (from, index * elements), to: (to, 0), elements }
    }
}
