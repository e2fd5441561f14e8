//! Precision policies from TOML files; shared by `generate`, `plan` and `evaluate`.

use crate::CliError;
use langevin::{Format, Gpu};
use langevin_diffusion::quantization::Calibration;
use langevin_diffusion::{
    DiffusionError, DitWeights, Noise, Pipeline, PipelineOptions, Precision, PrecisionRule, Start,
};
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
    let wrong = |error: DiffusionError| CliError::Policy { path: path.to_owned(), what: error.to_string() };
    let precision = read(path)?;
    if !precision.rules.iter().any(|rule| rule.calibrated) {
        return weights.with_precision(&precision, None).map_err(wrong);
    }
    // What is wrong with the rules shows before the run that calibrates.
    let rules = precision.rules.iter().map(|rule| PrecisionRule { calibrated: false, ..rule.clone() });
    weights.clone().with_precision(&Precision { rules: rules.collect() }, None).map_err(wrong)?;
    let calibration = calibrate(&weights, gpu)?;
    weights.with_precision(&precision, Some(&calibration)).map_err(wrong)
}

/// The weights as the policy of a file says, for a plan: nothing is run.
pub(crate) fn planned(weights: DitWeights, path: Option<&Path>) -> Result<DitWeights, CliError> {
    let Some(path) = path else { return Ok(weights) };
    let wrong = |error: DiffusionError| CliError::Policy { path: path.to_owned(), what: error.to_string() };
    weights.with_planned_precision(&read(path)?).map_err(wrong)
}

/// Whether a policy lets some layers multiply other than F32.
pub(crate) fn narrows_activations(path: Option<&Path>) -> Result<bool, CliError> {
    let policy = path.map(read).transpose()?;
    Ok(policy.is_some_and(|policy| policy.rules.iter().any(|rule| rule.activations != Format::F32)))
}

fn calibrate(weights: &DitWeights, gpu: &Gpu) -> Result<Calibration, CliError> {
    let known = weights.config().num_embeds_ada_norm.unwrap_or(0);
    let classes: Vec<usize> = (0..SAMPLES.min(known)).collect();
    let options = PipelineOptions { samples: classes.len().max(1), steps: STEPS, ..Default::default() };
    let noise = Noise::Seeded { seed: SEED, first: 0 };
    let start = Start { classes: &classes, noise, ..Default::default() };
    Ok(Pipeline::calibrate(gpu, weights, options, &start)?)
}

fn read(path: &Path) -> Result<Precision, CliError> {
    let text = fs::read_to_string(path).map_err(|source| CliError::Read { path: path.to_owned(), source })?;
    crate::quantize::parse_toml(path, &text)
}
