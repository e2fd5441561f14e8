//! What a pipeline is made for.

use crate::{Caching, DiffusionError, DitConfig, Guidance, Sampler};
use langevin::Format;

/// What a pipeline is made for; fixed, because its buffers and bindings are made once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PipelineOptions {
    /// Pictures made at once.
    pub samples: usize,
    /// Steps from noise to picture.
    pub steps: usize,
    /// The first of those steps that is taken: above 0 only part of the noise is added to given pictures (image to image).
    pub start_step: usize,
    /// How a step is made of predictions.
    pub sampler: Sampler,
    /// Shifts the times of a rectified flow towards noise, for pictures larger than trained: see [`Process::Flow`](crate::Process::Flow).
    pub shift: f64,
    /// How strongly the samples follow their class.
    pub guidance: Guidance,
    /// Tokens of a text, for models that attend to one.
    pub text_tokens: usize,
    /// What is reused from evaluation to evaluation.
    pub caching: Caching,
    /// The most bytes that the pipeline may allocate on its device; without it, as many as the device has.
    pub budget: Option<u64>,
    /// How the matrices of the blocks and their modulations are stored; 8-bit formats have one scale for each output
    /// column. Embedders, biases and the last projection stay F32, and so does every activation.
    pub weights: Format,
}

impl Default for PipelineOptions {
    /// One picture in 30 Euler steps with guidance 2 and F32 weights.
    fn default() -> Self {
        Self {
            samples: 1,
            steps: 30,
            start_step: 0,
            sampler: Sampler::Euler,
            shift: 1.0,
            guidance: Guidance::classifier_free(2.0),
            text_tokens: 0,
            caching: Caching::None,
            budget: None,
            weights: Format::F32,
        }
    }
}

impl PipelineOptions {
    /// The first step for a strength of image to image: 1 replaces the picture, little changes little.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for a strength outside 0 to 1, or so small that no step is left.
    pub fn with_strength(self, strength: f64) -> Result<Self, DiffusionError> {
        let taken = (self.steps as f64 * strength).floor();
        if !(strength <= 1.0 && taken >= 1.0) {
            let expected = format!("from 1/{} (one step) to 1", self.steps);
            return Err(DiffusionError::config("strength", expected, strength));
        }
        Ok(Self { start_step: self.steps - taken as usize, ..self })
    }

    pub(crate) fn validate(&self, config: &DitConfig) -> Result<(), DiffusionError> {
        if self.samples == 0 || self.samples > 1 << 16 {
            return Err(DiffusionError::config("samples", "between 1 and 65536", self.samples));
        }
        match (config.cross_attention_dim, self.text_tokens) {
            (Some(_), 0) => {
                return Err(DiffusionError::config("text_tokens", "at least 1 for this model", 0));
            }
            (None, 1..) => {
                let expected = "0 for a model without text";
                return Err(DiffusionError::config("text_tokens", expected, self.text_tokens));
            }
            (_, tokens) if tokens > 1 << 16 => {
                return Err(DiffusionError::config("text_tokens", "at most 65536", tokens));
            }
            _ => {}
        }
        self.caching.validate(config.num_layers)?;
        if self.caching != Caching::None && self.guidance.turns() > 1 {
            let expected = "none where guidance's passes run in turn";
            return Err(DiffusionError::config("caching", expected, self.caching));
        }
        self.guidance.validate(config)
    }
}
