//! `langevin evaluate`: what precision, caching, steps and samplers do to the pictures.

mod candidate;
mod page;
mod record;

use crate::device::DeviceArgs;
use crate::{CliError, output, precision, progress};
use candidate::Candidate;
use langevin::Gpu;
use langevin_diffusion::quality::{RealDigits, features, frechet, psnr};
use langevin_diffusion::{DitWeights, Memory, Noise, Pipeline, PipelinePlan, Start};
use std::path::PathBuf;
use std::time::Instant;

/// Generate one set of digits by several settings, from the same seeds, and compare them.
///
/// For each: the share of digits that a 3-nearest-neighbour classifier on the real ones calls the digit asked for, the
/// Frechet distance of the pixels to those of the real digits, the peak signal-to-noise ratio against the baseline's
/// pictures, the evaluations of the network that were computed, time, and memory.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  langevin evaluate --candidate weights=e4m3 --candidate cache=static:2,steps=50 --html report.html"
)]
pub(crate) struct EvaluateArgs {
    #[command(flatten)]
    device: DeviceArgs,
    /// Settings to compare, as weights=FORMAT,precision=FILE.toml,steps=N,sampler=NAME,cache=NAME,guidance=SCALE; what is left out is that of the
    /// baseline [default: one of each kind].
    #[arg(long = "candidate", value_name = "SETTINGS", value_parser = Candidate::parse)]
    candidates: Vec<Candidate>,
    /// What they are compared with, in the same words; what is left out is 30 Euler steps in f32 with guidance 2.
    #[arg(long, value_name = "SETTINGS", value_parser = Candidate::parse)]
    baseline: Option<Candidate>,
    /// Digits of each class.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1000))]
    each: u32,
    /// The seed of the noise.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Write the report as one page with pictures.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write the table as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The commit that was built, for --json.
    #[arg(long, requires = "json")]
    commit: Option<String>,
}

/// What one setting made.
struct Outcome {
    name: String,
    pictures: Vec<f32>,
    accuracy: f64,
    frechet: f64,
    psnr: f64,
    computed: usize,
    evaluations: usize,
    seconds: f64,
    bytes: u64,
}

/// The most samples computed at once.
const ROUND: usize = 100;

pub(crate) fn run(args: &EvaluateArgs) -> Result<(), CliError> {
    let files = [("--html", &args.html), ("--json", &args.json)];
    let files: Vec<_> = files.iter().filter_map(|(name, path)| Some((*name, path.as_deref()?))).collect();
    output::check_distinct(&files)?;
    files.iter().try_for_each(|(_, path)| output::check_writable(path))?;
    let gpu = args.device.open()?;
    let all = compared(args);
    let classes: Vec<usize> = (0..10 * args.each as usize).map(|i| i % 10).collect();
    let (weights, real) = (DitWeights::digits()?, RealDigits::load()?);
    let real_features = real.features();
    // What is wrong with the last one shows before the first one runs.
    for candidate in &all {
        let weights = precision::planned(weights.clone(), candidate.precision.as_deref())?;
        PipelinePlan::new(&weights, candidate.options(1))?;
    }
    let bar = progress::bar(all.len() as u64, "settings");
    let mut outcomes: Vec<Outcome> = Vec::new();
    for candidate in &all {
        bar.set_message(candidate.name.clone());
        let mut outcome = generate(&gpu, &weights, candidate, &classes, args.seed)?;
        outcome.accuracy = real.accuracy(&outcome.pictures, &classes);
        outcome.frechet = frechet(&features(&outcome.pictures), &real_features)?;
        let baseline = outcomes.first().map_or(&outcome.pictures, |baseline| &baseline.pictures);
        // Black is -1 and white 1.
        outcome.psnr = psnr(&outcome.pictures, baseline, 2.0);
        outcomes.push(outcome);
        bar.inc(1);
    }
    bar.finish_and_clear();
    let adapter = &gpu.capabilities().adapter;
    output::print(&format!(
        "{} digits of each class, seed {}, on {adapter}\n{}",
        args.each,
        args.seed,
        output::table(&rows(&outcomes))
    ))?;
    let features = real_features.ncols();
    if classes.len() < 2 * features {
        let (few, each) = (classes.len(), (2 * features).div_ceil(10));
        output::print(&format!(
            "{few} digits are too few to compare Frechet distances of {features} features: take --each {each} or more\n"
        ))?;
    }
    if let Some(path) = &args.html {
        output::write_file(path, page::html(adapter, args, &outcomes)?.as_bytes())?;
    }
    match &args.json {
        Some(path) => output::write_file(path, &record::json(&gpu, args, &outcomes)?),
        None => Ok(()),
    }
}

/// The baseline, and what is compared with it.
fn compared(args: &EvaluateArgs) -> Vec<Candidate> {
    let mut baseline = args.baseline.clone().unwrap_or_else(Candidate::baseline);
    let mut all = match args.candidates.as_slice() {
        [] => Candidate::usual(&baseline),
        // Their words have been read once, on the usual baseline.
        some => some.iter().filter_map(|candidate| baseline.but(&candidate.name).ok()).collect(),
    };
    if args.baseline.is_some() {
        baseline.name = format!("baseline, {}", baseline.name);
    }
    all.insert(0, baseline);
    all
}

/// All samples of one setting, in rounds.
fn generate(
    gpu: &Gpu,
    weights: &DitWeights,
    candidate: &Candidate,
    classes: &[usize],
    seed: u64,
) -> Result<Outcome, CliError> {
    let mut outcome = Outcome {
        name: candidate.name.clone(),
        pictures: Vec::new(),
        accuracy: 0.0,
        frechet: 0.0,
        psnr: 0.0,
        computed: 0,
        evaluations: 0,
        seconds: 0.0,
        bytes: 0,
    };
    let weights = precision::apply(weights.clone(), candidate.precision.as_deref(), gpu)?;
    for (round, classes) in classes.chunks(ROUND).enumerate() {
        let mut pipeline = Pipeline::on_gpu(gpu, &weights, candidate.options(classes.len()))?;
        let noise = Noise::Seeded { seed, first: round * ROUND };
        let started = Instant::now();
        let pictures = pipeline.sample(&Start { classes, noise, ..Default::default() }, |_| ())?;
        outcome.seconds += started.elapsed().as_secs_f64();
        outcome.pictures.extend(pictures);
        outcome.computed += pipeline.computed().len();
        outcome.evaluations += pipeline.evaluations();
        outcome.bytes = outcome.bytes.max(pipeline.memory().map_or(0, Memory::total));
    }
    Ok(outcome)
}

const HEADINGS: [&str; 8] =
    ["settings", "accuracy", "Frechet", "PSNR", "computed", "seconds", "speed-up", "memory"];

impl Outcome {
    fn speed_up(&self, baseline: &Self) -> f64 {
        baseline.seconds / self.seconds.max(1e-9)
    }
}

/// The table, its headings first.
fn rows(outcomes: &[Outcome]) -> Vec<Vec<String>> {
    let row = |outcome: &Outcome| {
        let psnr = if outcome.psnr.is_finite() { format!("{:.1} dB", outcome.psnr) } else { "same".into() };
        vec![
            outcome.name.clone(),
            format!("{:.1} %", 100.0 * outcome.accuracy),
            format!("{:.3}", outcome.frechet),
            psnr,
            format!("{} of {}", outcome.computed, outcome.evaluations),
            format!("{:.2}", outcome.seconds),
            format!("{:.2}", outcome.speed_up(outcomes.first().unwrap_or(outcome))),
            format!("{:.1} MB", outcome.bytes as f64 / 1e6),
        ]
    };
    std::iter::once(HEADINGS.map(str::to_owned).to_vec()).chain(outcomes.iter().map(row)).collect()
}
