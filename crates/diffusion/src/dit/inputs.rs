//! What the host computes for a run.

use super::DitProgram;
use crate::config::TIMESTEP_CHANNELS;
use crate::{DiffusionError, DitWeights};
use langevin::reference::timestep_embedding;

impl DitProgram {
    /// The rows of the label table for these classes and then, under classifier-free guidance, for no class, as often as
    /// there are evaluations.
    pub(crate) fn label_rows(
        &self,
        weights: &DitWeights,
        classes: &[usize],
    ) -> Result<Vec<f32>, DiffusionError> {
        let null = weights.config().null_class();
        let padded = classes.iter().copied().chain(std::iter::repeat(null)).take(self.shape.predicted());
        let mut rows = Vec::new();
        for class in padded {
            rows.extend(weights.label(class)?);
        }
        Ok(rows.repeat(self.shape.evaluations))
    }

    /// The features of a number in units of 1 / `scale` for each evaluation; computed in f64, since their angles reach 1000
    /// radians.
    pub(crate) fn feature_rows(&self, scale: f64, numbers: impl Iterator<Item = f64>) -> Vec<f32> {
        let features = |t: f64| timestep_embedding(t * scale, TIMESTEP_CHANNELS);
        let row = |t: f64| features(t).into_iter().map(|value| value as f32).collect::<Vec<f32>>();
        numbers.flat_map(|t| row(t).repeat(self.shape.predicted())).collect()
    }

    /// The texts `[samples, tokens, dim]`, then under classifier-free guidance the text `[tokens, dim]` that says nothing,
    /// for every sample.
    pub(crate) fn text_rows(&self, texts: &[f32], without: &[f32]) -> Vec<f32> {
        let others = (self.shape.predictions - 1) * self.shape.samples;
        [texts, &without.repeat(others)].concat()
    }
}
