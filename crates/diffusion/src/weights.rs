//! The weights of a DiT: a checkpoint in diffusers' names, checked against a configuration.

use crate::config::{MLP_RATIO, Positions, TIMESTEP_CHANNELS};
use crate::linear::{Linear, Part};
use crate::precision::Activations;
use crate::program::{Constant, Emit};
use crate::quantization::Calibration;
use crate::{Checkpoint, DiffusionError, DitConfig, Precision};
use langevin::reference::formats;
use langevin::{Format, Overflow};
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// One block's layers.
#[derive(Clone, Debug)]
pub(crate) struct BlockWeights {
    /// Query, key and value side by side.
    pub(crate) qkv: Linear,
    /// The names of the weights of their norms, query's and key's.
    pub(crate) qk_norm: Option<[String; 2]>,
    pub(crate) attention_out: Linear,
    /// The attention to a text.
    pub(crate) cross: Option<CrossWeights>,
    pub(crate) feed_forward_in: Linear,
    pub(crate) feed_forward_out: Linear,
}

/// The layers of an attention to a text.
#[derive(Clone, Debug)]
pub(crate) struct CrossWeights {
    pub(crate) query: Linear,
    /// Key and value side by side.
    pub(crate) kv: Linear,
    pub(crate) out: Linear,
}

/// Two linear layers with an activation between them: how a number is embedded.
#[derive(Clone, Debug)]
pub(crate) struct EmbedderWeights {
    pub(crate) first: Linear,
    pub(crate) second: Linear,
}

/// The weights of a diffusion transformer, checked against its configuration. They stay where the checkpoint has them until
/// a pipeline uploads them; cheap to clone.
#[derive(Clone, Debug)]
pub struct DitWeights {
    pub(crate) config: DitConfig,
    pub(crate) checkpoint: Checkpoint,
    pub(crate) patch: Linear,
    pub(crate) timestep: EmbedderWeights,
    pub(crate) guidance: Option<EmbedderWeights>,
    pub(crate) blocks: Vec<BlockWeights>,
    /// The modulations of all blocks and of the last norm side by side.
    pub(crate) modulation: Linear,
    pub(crate) projection: Linear,
}

const EMBEDDERS: &str = "norm1.emb";
const LABELS: &str = "class_embedder.embedding_table.weight";
const POSITIONS: &str = "pos_embed.pos_embed";

impl DitWeights {
    /// Checks a checkpoint with the tensor names of diffusers' `DiTTransformer2DModel`: F32, F16 or BF16, linear layers as
    /// `[out, in]`. What goes beyond that model has diffusers' names too: `attn2` (attention to a text), `attn1.norm_q` and
    /// `attn1.norm_k`, `norm1.emb.guidance_embedder` and `pos_embed.pos_embed`. A learned variance (`out_channels` twice
    /// `in_channels`) is accepted and left out.
    ///
    /// # Errors
    /// [`DiffusionError`] names the first tensor that is missing, misshapen, of another type, or not of this model.
    pub fn new(checkpoint: Checkpoint, config: &DitConfig) -> Result<Self, DiffusionError> {
        config.validate()?;
        let weights = Self::named(checkpoint, config);
        let mut expected = BTreeSet::new();
        for (name, shape) in weights.tensors() {
            weights.checkpoint.check(&name, &shape)?;
            expected.insert(name);
        }
        if let Some(name) = weights.checkpoint.names().find(|name| !expected.contains(*name)) {
            return Err(DiffusionError::ExtraTensor { name: name.to_owned() });
        }
        weights.check_shared_embedders()?;
        Ok(weights)
    }

    /// Opens a directory with a `config.json` and the weights beside it, as diffusers saves a model.
    ///
    /// # Errors
    /// [`DiffusionError::File`], those of [`DitConfig::from_json`], [`Checkpoint::open`] and [`DitWeights::new`].
    pub fn open(directory: &Path) -> Result<Self, DiffusionError> {
        let path = directory.join("config.json");
        let json = std::fs::read_to_string(&path).map_err(|source| DiffusionError::file(&path, source))?;
        Self::new(Checkpoint::open(directory)?, &DitConfig::from_json(&json)?)
    }

    /// Random weights, the same for the same seed; made when they are used, so they take no memory here.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for a rule broken.
    pub fn random(config: &DitConfig, seed: u64) -> Result<Self, DiffusionError> {
        config.validate()?;
        // The names do not depend on what is in the checkpoint.
        let names = Self::named(Checkpoint::random([], 0), config);
        Ok(Self::named(Checkpoint::random(names.tensors(), seed), config))
    }

    /// The same weights for pictures of another size, which need other positions: not for a model that learned its own.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for a size that is no multiple of the patches', or learned positions.
    pub fn with_sample_size(self, sample_size: usize) -> Result<Self, DiffusionError> {
        let config = DitConfig { sample_size, ..self.config.clone() };
        config.validate()?;
        if config.positions == Positions::Learned && sample_size != self.config.sample_size {
            let expected = format!("{}, for which the positions were learned", self.config.sample_size);
            return Err(DiffusionError::config("sample_size", expected, sample_size));
        }
        Ok(Self { config, ..self })
    }

    /// The same weights stored and multiplied as a policy says; with the calibration that its calibrated rules need.
    ///
    /// # Errors
    /// [`DiffusionError::Precision`] for a rule that names no layer, layers of one matrix under different rules, activations of
    /// a layer that has no choice, and a layer that was not calibrated.
    pub fn with_precision(
        mut self,
        precision: &Precision,
        calibration: Option<&Calibration>,
    ) -> Result<Self, DiffusionError> {
        let names: Vec<String> = self.layers().flat_map(Linear::names).map(str::to_owned).collect();
        precision.validate(names.iter().map(String::as_str))?;
        for layer in self.layers_mut() {
            let names: Vec<&str> = layer.names().collect();
            let mut rules = names.iter().map(|name| precision.rule_for(name));
            let first = rules.next().flatten();
            let other = rules.find(|rule| *rule != first);
            let Some(rule) = first.or(other.flatten()) else { continue };
            let refuse = |what: String| DiffusionError::Precision { rule: rule + 1, what };
            if other.is_some() {
                let unlike = names.iter().find(|name| precision.rule_for(name) != first).unwrap_or(&"");
                let what = format!(
                    "layers `{}` and `{unlike}` are parts of one matrix and must be of one rule",
                    names[0]
                );
                return Err(refuse(what));
            }
            let chosen = precision.rules[rule].precision(&names, calibration).map_err(refuse)?;
            if !layer.has_choice && chosen.activations != Activations::Plain(Format::F32) {
                return Err(refuse(format!("the activations of layer `{}` stay f32", names[0])));
            }
            layer.precision = Some(chosen);
        }
        Ok(self)
    }

    /// As [`DitWeights::with_precision`], where a calibrated rule takes its inputs to lie between -1 and 1: for a plan, whose
    /// memory, cost and time do not depend on what a calibration finds.
    ///
    /// # Errors
    /// Those of [`DitWeights::with_precision`].
    pub fn with_planned_precision(self, precision: &Precision) -> Result<Self, DiffusionError> {
        let mut assumed = Calibration::default();
        for name in self.layers().flat_map(Linear::names) {
            assumed.histogram(name).observe(&[-1.0, 1.0]);
        }
        self.with_precision(precision, Some(&assumed))
    }

    /// The digit model that comes with this crate: 8x8 handwritten digits, ten classes, 1.4 million parameters.
    ///
    /// # Errors
    /// None unless the crate was damaged; those of [`DitWeights::new`].
    pub fn digits() -> Result<Self, DiffusionError> {
        let config = DitConfig::from_json(include_str!("../weights/digits_dit.json"))?;
        let bytes: &'static [u8] = include_bytes!("../weights/digits_dit.safetensors");
        Self::new(Checkpoint::from_bytes(bytes)?, &config)
    }

    /// The configuration they were checked against.
    pub fn config(&self) -> &DitConfig {
        &self.config
    }

    /// Numbers in all layers and tables, each counted once.
    pub fn parameters(&self) -> u64 {
        let elements = |shape: &[usize]| shape.iter().map(|&extent| extent as u64).product::<u64>();
        let copies = |name: &str| name.contains(EMBEDDERS) && !name.starts_with("transformer_blocks.0.");
        self.tensors().filter(|(name, _)| !copies(name)).map(|(_, shape)| elements(&shape)).sum()
    }

    /// A row of the label table.
    pub(crate) fn label(&self, class: usize) -> Result<Vec<f32>, DiffusionError> {
        self.checkpoint.rows(&embedder(0, LABELS), class..class + 1)
    }

    /// The weights of a block's norms of queries and keys, `[2, head_dim]`.
    pub(crate) fn qk_norm(&self, names: &[String; 2]) -> Constant {
        let (names, checkpoint, dim) =
            (names.clone(), self.checkpoint.clone(), self.config.attention_head_dim);
        let fill = move |emit: &mut Emit<'_>| {
            let rows = names.iter().map(|name| checkpoint.rows(name, 0..dim));
            let rows = rows.collect::<Result<Vec<_>, _>>()?.concat();
            emit(0, &formats::encode(Format::F32, &rows, Overflow::Saturate))
        };
        Constant::new(Format::F32, &[2, dim], Arc::new(fill))
    }

    /// The learned position embedding `[tokens, width]`.
    pub(crate) fn learned_positions(&self) -> Result<Vec<f32>, DiffusionError> {
        self.checkpoint.rows(POSITIONS, 0..1)
    }

    /// The layers under the names they have in a file, unchecked.
    fn named(checkpoint: Checkpoint, config: &DitConfig) -> Self {
        let width = config.width();
        let layers = |names: &[String], outputs, inputs| Linear::new(&checkpoint, names, outputs, inputs);
        let embedder = |what: &str| EmbedderWeights {
            first: layers(&[embedder(0, &format!("{what}.linear_1"))], width, TIMESTEP_CHANNELS),
            second: layers(&[embedder(0, &format!("{what}.linear_2"))], width, width),
        };
        let patch = Linear {
            kernel: vec![config.in_channels, config.patch_size, config.patch_size],
            ..layers(&["pos_embed.proj".to_owned()], width, 0)
        };
        let modulations: Vec<String> = (0..config.num_layers).map(|i| block(i, "norm1.linear")).collect();
        let mut modulation = layers(&modulations, 6 * width, width);
        modulation.parts.push(Part { name: "proj_out_1".into(), outputs: 2 * width, used: [1, 1] });
        let outputs = config.patch_size * config.patch_size * config.out_channels;
        let mut projection = layers(&["proj_out_2".to_owned()], outputs, width);
        // The channels of a pixel are neighbours, the variance behind the mean.
        projection.parts[0].used = [config.out_channels, config.in_channels];
        Self {
            config: config.clone(),
            patch,
            timestep: embedder("timestep_embedder"),
            guidance: config.guidance_embeds.then(|| embedder("guidance_embedder")),
            blocks: (0..config.num_layers).map(|i| BlockWeights::named(&checkpoint, config, i)).collect(),
            modulation,
            projection,
            checkpoint,
        }
    }

    /// Every layer.
    fn layers(&self) -> impl Iterator<Item = &Linear> {
        let embedders = [Some(&self.timestep), self.guidance.as_ref()].into_iter().flatten();
        let embedders = embedders.flat_map(|embedder| [&embedder.first, &embedder.second]);
        let blocks = self.blocks.iter().flat_map(BlockWeights::layers);
        [&self.patch, &self.modulation, &self.projection].into_iter().chain(embedders).chain(blocks)
    }

    fn layers_mut(&mut self) -> impl Iterator<Item = &mut Linear> {
        let embedders = [Some(&mut self.timestep), self.guidance.as_mut()].into_iter().flatten();
        let embedders = embedders.flat_map(|embedder| [&mut embedder.first, &mut embedder.second]);
        let blocks = self.blocks.iter_mut().flat_map(BlockWeights::layers_mut);
        let outer = [&mut self.patch, &mut self.modulation, &mut self.projection];
        outer.into_iter().chain(embedders).chain(blocks)
    }

    /// Every tensor of the file.
    fn tensors(&self) -> impl Iterator<Item = (String, Vec<usize>)> + '_ {
        let config = &self.config;
        let outer = [&self.patch, &self.modulation, &self.projection].into_iter();
        let blocks = self.blocks.iter().flat_map(BlockWeights::layers);
        let layers = outer.chain(blocks).flat_map(Linear::tensors);
        let embedders = (0..config.num_layers)
            .flat_map(|i| self.shared().map(move |(name, shape)| (embedder(i, &name), shape)));
        let positions = vec![1, config.tokens(), config.width()];
        let positions =
            (config.positions == Positions::Learned).then(|| (POSITIONS.to_owned(), positions)).into_iter();
        let norms = self.blocks.iter().filter_map(|block| block.qk_norm.as_ref()).flatten();
        let norms = norms.map(|name| (name.clone(), vec![config.attention_head_dim]));
        layers.chain(embedders).chain(positions).chain(norms)
    }

    /// The tensors that every block has a copy of, by their names in it.
    fn shared(&self) -> impl Iterator<Item = (String, Vec<usize>)> + '_ {
        let config = &self.config;
        let embedders = [Some(&self.timestep), self.guidance.as_ref()].into_iter().flatten();
        let layers =
            embedders.flat_map(|embedder| [&embedder.first, &embedder.second]).flat_map(Linear::tensors);
        let prefix = embedder(0, "");
        let local = layers.map(move |(name, shape)| (name[prefix.len()..].to_owned(), shape));
        let rows =
            config.num_embeds_ada_norm.map(|classes| (LABELS.to_owned(), vec![classes + 1, config.width()]));
        local.chain(rows)
    }

    /// Published checkpoints store one embedder in every block.
    fn check_shared_embedders(&self) -> Result<(), DiffusionError> {
        for (name, _) in self.shared() {
            let first = embedder(0, &name);
            let differs = |block: &usize| !self.checkpoint.same(&first, &embedder(*block, &name));
            if let Some(block) = (1..self.config.num_layers).find(differs) {
                return Err(DiffusionError::DifferentEmbedders { name: first, block });
            }
        }
        Ok(())
    }
}

impl BlockWeights {
    fn named(checkpoint: &Checkpoint, config: &DitConfig, index: usize) -> Self {
        let (width, hidden) = (config.width(), MLP_RATIO * config.width());
        let layers = |names: &[&str], outputs, inputs| {
            let names: Vec<String> = names.iter().map(|name| block(index, name)).collect();
            Linear::new(checkpoint, &names, outputs, inputs)
        };
        let own =
            |names: &[&str], outputs, inputs| Linear { has_choice: true, ..layers(names, outputs, inputs) };
        let cross = |text| CrossWeights {
            query: layers(&["attn2.to_q"], width, width),
            kv: layers(&["attn2.to_k", "attn2.to_v"], width, text),
            out: layers(&["attn2.to_out.0"], width, width),
        };
        Self {
            qk_norm: config
                .qk_norm
                .map(|_| ["attn1.norm_q.weight", "attn1.norm_k.weight"].map(|name| block(index, name))),
            qkv: own(&["attn1.to_q", "attn1.to_k", "attn1.to_v"], width, width),
            attention_out: own(&["attn1.to_out.0"], width, width),
            cross: config.cross_attention_dim.map(cross),
            feed_forward_in: own(&["ff.net.0.proj"], hidden, width),
            feed_forward_out: own(&["ff.net.2"], width, hidden),
        }
    }

    fn layers(&self) -> impl Iterator<Item = &Linear> {
        let cross = self.cross.iter().flat_map(|cross| [&cross.query, &cross.kv, &cross.out]);
        let own = [&self.qkv, &self.attention_out, &self.feed_forward_in, &self.feed_forward_out];
        own.into_iter().chain(cross)
    }

    fn layers_mut(&mut self) -> impl Iterator<Item = &mut Linear> {
        let cross = self.cross.iter_mut();
        let cross = cross.flat_map(|cross| [&mut cross.query, &mut cross.kv, &mut cross.out]);
        let Self { qkv, attention_out, feed_forward_in, feed_forward_out, .. } = self;
        [qkv, attention_out, feed_forward_in, feed_forward_out].into_iter().chain(cross)
    }
}

fn block(index: usize, name: &str) -> String {
    format!("transformer_blocks.{index}.{name}")
}

fn embedder(index: usize, name: &str) -> String {
    block(index, &format!("{EMBEDDERS}.{name}"))
}
