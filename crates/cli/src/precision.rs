//! Precision policies from TOML files; shared by `generate`, `plan` and `evaluate`.

use crate::CliError;
use langevin::Gpu;
use langevin_diffusion::{DitWeights, Noise, Pipeline, PipelineOptions, Precision, Start};
use std::fs;
use std::path::Path;

/// Samples of a calibration: one for each digit.
const SAMPLES: usize = 10;
/// Its steps; the inputs of layers change little between neighbouring ones.
const STEPS: usize = 10;
/// Its seed, unlike those that people choose.
const SEED: u64 = 0x00ca_11b8;

/// The weights as the policy of a file says; where it needs a calibration, after a short run of the weights as they are.
pub(crate) fn apply(weights: DitWeights, path: Option<&Path>, gpu: &Gpu) -> Result<DitWeights, CliError> {
    let Some(path) = path else { return Ok(weights) };
    let precision = read(path)?;
    let calibration = match precision.rules.iter().any(|rule| rule.calibrated) {
        true => {
            let classes: Vec<usize> = weights
                .config()
                .num_embeds_ada_norm
                .map_or(0..0, |classes| 0..SAMPLES.min(classes))
                .collect();
            let samples = classes.len().max(1);
            let options = PipelineOptions { samples, steps: STEPS, ..Default::default() };
            let noise = Noise::Seeded { seed: SEED, first: 0 };
            let start = Start { classes: &classes, noise, ..Default::default() };
            Some(Pipeline::calibrate(gpu, &weights, options, &start)?)
        }
        false => None,
    };
    let wrong = |what: String| CliError::Policy { path: path.to_owned(), what };
    weights.with_precision(&precision, calibration.as_ref()).map_err(|error| wrong(error.to_string()))
}

fn read(path: &Path) -> Result<Precision, CliError> {
    let text = fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    crate::quantize::parse_toml(path, &text)
}
