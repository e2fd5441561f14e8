//! What `--json` writes.

use super::{EvaluateArgs, Outcome};
use crate::stamp::Stamp;
use crate::{CliError, output};
use langevin::Gpu;
use serde::Serialize;

#[derive(Serialize)]
struct Record<'a> {
    #[serde(flatten)]
    stamp: Stamp,
    /// Digits of each class.
    each: u32,
    seed: u64,
    /// The baseline first.
    rows: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    settings: &'a str,
    accuracy: f64,
    frechet: f64,
    /// Against the baseline's pictures; nothing where they are the same.
    psnr_decibels: Option<f64>,
    /// Evaluations of the network that were computed, and all.
    computed: usize,
    evaluations: usize,
    seconds: f64,
    speed_up: f64,
    bytes: u64,
}

pub(super) fn json(gpu: &Gpu, args: &EvaluateArgs, outcomes: &[Outcome]) -> Result<Vec<u8>, CliError> {
    let row = |outcome| Row::of(outcome, outcomes.first().unwrap_or(outcome));
    let stamp = Stamp::of(gpu, args.commit.clone());
    output::json(&Record {
        stamp,
        each: args.each,
        seed: args.seed,
        rows: outcomes.iter().map(row).collect(),
    })
}

impl<'a> Row<'a> {
    fn of(outcome: &'a Outcome, baseline: &Outcome) -> Self {
        let Outcome { accuracy, frechet, psnr, computed, evaluations, seconds, bytes, .. } = *outcome;
        Self {
            settings: &outcome.name,
            accuracy,
            frechet,
            psnr_decibels: psnr.is_finite().then_some(psnr),
            computed,
            evaluations,
            seconds,
            speed_up: outcome.speed_up(baseline),
            bytes,
        }
    }
}
