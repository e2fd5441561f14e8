//! langevin and burn on the same adapter, in one process, in turns: who is faster, and is it right?
//!
//! `benches/peers/README.md` says how to run it.
#![forbid(unsafe_code)]

mod burn_side;
mod cases;
mod contender;
mod ours;
mod report;
mod truth;

use cases::{Case, Truth};
use clap::Parser;
use contender::Contender;
use langevin::Gpu;
use langevin::gpu::OpenOptions;
use report::{Report, Row, Side};
use std::error::Error;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

/// Time langevin beside burn.
#[derive(Debug, Parser)]
struct Args {
    /// Run on the first adapter whose name contains this; it must be the one that burn takes.
    #[arg(long, value_name = "NAME")]
    adapter: Option<String>,
    /// Only cases whose name contains this.
    #[arg(long, value_name = "TEXT", default_value = "")]
    filter: String,
    /// The large cases too, for GPUs.
    #[arg(long)]
    large: bool,
    /// Samples of each.
    #[arg(long, default_value_t = 20)]
    samples: usize,
    /// Write the result as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Show the medians of these results of the Python programs beside ours.
    #[arg(long, value_name = "FILE")]
    also: Vec<PathBuf>,
}

fn main() -> ExitCode {
    match compare(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("langevin-peers: {error}");
            ExitCode::FAILURE
        }
    }
}

fn compare(args: &Args) -> Result<(), Box<dyn Error>> {
    let wanted = |case: &Case| case.name.contains(&args.filter) && (args.large || !case.large);
    let cases: Vec<Case> = cases::all()?.into_iter().filter(wanted).collect();
    if cases.is_empty() {
        return Err(format!("no case's name contains \"{}\"", args.filter).into());
    }
    let options = OpenOptions { adapter: args.adapter.clone(), minimal: false, cooperative: true };
    let gpu = Gpu::open(&options)?;
    let (device, theirs) = burn_side::open()?;
    let ours = &gpu.capabilities().adapter;
    if *ours != theirs {
        return Err(
            format!("langevin runs on \"{ours}\" and burn on \"{theirs}\"; set VK_DRIVER_FILES").into()
        );
    }
    let mut report = Report::new(&gpu, args.also.iter().map(PathBuf::as_path))?;
    for case in &cases {
        eprintln!("{}", case.name);
        let (ours, truth) = ours::prepare(&gpu, &case.problem)?;
        let (burns, burns_truth) = burn_side::prepare(&device, &case.problem)?;
        report.rows.push(row(case, [(ours, truth), (burns, burns_truth)], args.samples)?);
    }
    print!("{}", report.text());
    if let Some(path) = &args.json {
        std::fs::write(path, report.json()?)?;
    }
    Ok(())
}

/// One side of a case, before and while it is timed.
struct Lane<'g> {
    contender: Box<dyn Contender + 'g>,
    error: f64,
    limit: f64,
    /// Computations between two waits.
    times: usize,
    seconds: Vec<f64>,
}

type Ready<'g> = (Box<dyn Contender + 'g>, Truth);

/// Checks both sides, warms them up and times them in turns.
fn row(case: &Case, sides: [Ready<'_>; 2], samples: usize) -> Result<Row, Box<dyn Error>> {
    let mut lanes = Vec::new();
    for (mut contender, truth) in sides {
        let error = truth.relative_error(&contender.answer()?);
        let one = warm_up(contender.as_mut())?;
        let times = (BATCH_SECONDS / one).round().clamp(1.0, 32.0) as usize;
        contender.run(times)?;
        lanes.push(Lane { contender, error, limit: truth.limit, times, seconds: Vec::new() });
    }
    for _ in 0..samples.max(1) {
        for lane in &mut lanes {
            let start = Instant::now();
            lane.contender.run(lane.times)?;
            lane.seconds.push(start.elapsed().as_secs_f64() / lane.times as f64);
        }
    }
    let [ours, burns] = [&lanes[0], &lanes[1]].map(Lane::side);
    Ok(Row::new(case, ours, burns))
}

impl Lane<'_> {
    fn side(&self) -> Side {
        // Written so that NaN is wrong.
        let right = self.error <= self.limit;
        Side::new(self.contender.how(), self.error, right, &self.seconds)
    }
}

/// Computations between two waits take about this long together, so that waiting does not count.
const BATCH_SECONDS: f64 = 0.01;

/// Until compilation and autotuning are over: some runs, and half a second. Gives the seconds of the last run.
fn warm_up(contender: &mut dyn Contender) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut runs = 0;
    loop {
        let begin = Instant::now();
        contender.run(1)?;
        runs += 1;
        if runs > 5 && start.elapsed().as_secs_f64() > 0.5 {
            return Ok(begin.elapsed().as_secs_f64());
        }
    }
}
