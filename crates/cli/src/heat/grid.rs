//! `langevin heat --grid N`: the experiment of High Performance Python, a drop of dye on a periodic square.

use super::HeatArgs;
use super::checks::{self, Outcome};
use crate::bench::copy_rate;
use crate::{CliError, output, progress};
use indicatif::ProgressBar;
use langevin::verify::{Op, Tensor};
use langevin::{Format, Gpu, HeatDesc};
use langevin_diffusion::heat::HeatSolver;
use std::time::{Duration, Instant};

/// The book's square.
const EXTENT: usize = 640;
/// The book's time step.
const TIME_STEP: f64 = 0.1;
/// What the dye is worth where it falls, from 0.4 to 0.5 of the square along both axes.
const DYE: f32 = 0.005;
const DROP: [f64; 2] = [0.4, 0.5];
/// How long the copy is measured.
const COPY_SECONDS: f64 = 0.5;

/// The options of a grid.
#[derive(Debug, clap::Args)]
pub(super) struct GridArgs {
    /// Instead of a picture: the experiment of High Performance Python (chapter 6) on a periodic square of N x N cells, a
    /// drop of dye at 0.4 to 0.5 of both axes, with steps of 0.1 unless --dt says otherwise; prints how fast it was.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..),
          conflicts_with_all = ["photo", "time", "boundary", "cpu"])]
    pub(super) grid: Option<u32>,
    /// Steps that the grid takes.
    #[arg(long, value_name = "COUNT", default_value_t = 1000, conflicts_with = "photo")]
    steps: u64,
    /// Steps between reading and writing the grid once, 1 to 8.
    #[arg(long, value_name = "COUNT", default_value_t = 8, conflicts_with = "photo")]
    steps_per_dispatch: usize,
}

/// The descriptor and the field at the start.
fn experiment(args: &HeatArgs) -> Result<(HeatDesc, Tensor), CliError> {
    let extent = args.grid.grid.map_or(EXTENT, |extent| extent as usize);
    let desc = HeatDesc {
        spatial: vec![extent; 2],
        diffusivity: args.diffusivity,
        time_step: args.dt.unwrap_or(TIME_STEP),
        steps_per_dispatch: args.grid.steps_per_dispatch,
        ..Default::default()
    };
    desc.validate()?;
    let [low, high] = DROP.map(|share| (extent as f64 * share) as usize);
    let inside = low..high;
    let cell = |i: usize| inside.contains(&(i / extent)) && inside.contains(&(i % extent));
    let cells: Vec<f32> = (0..extent * extent).map(|i| if cell(i) { DYE } else { 0.0 }).collect();
    let field = Tensor::from_f32(Format::F32, &[1, extent, extent], &cells)?;
    Ok((desc, field))
}

pub(super) fn run(args: &HeatArgs) -> Result<(), CliError> {
    let (desc, before) = experiment(args)?;
    let steps = args.grid.steps;
    let gpu = args.device.open()?;
    let copied = copy_rate(&gpu, COPY_SECONDS)?;
    let bar = if args.quiet { ProgressBar::hidden() } else { progress::bar(steps, "heat") };
    let mut solver = HeatSolver::new(&gpu, &desc, &before)?;
    // Drivers compile at the first dispatch, which is not what is asked for.
    let first = 2 * args.grid.steps_per_dispatch as u64 - 1;
    let first = if steps > 4 * first { first } else { 0 };
    solver.run(first, |done| bar.set_position(done))?;
    let started = Instant::now();
    solver.run(steps - first, |done| bar.set_position(first + done))?;
    let took = started.elapsed();
    bar.finish_and_clear();
    let after = solver.field()?.to_f64();
    let checks = checks::conserved(&desc, steps, desc.monotone_dt(), &before.to_f64(), &after);
    if !args.quiet {
        let mut rows = report(&gpu, &solver, [steps, steps - first], took, copied);
        let check =
            |check: &checks::Check| vec![check.name.into(), format!("{}: {}", check.outcome, check.finding)];
        rows.extend(checks.iter().map(check));
        output::print(&output::table(&rows))?;
    }
    match checks.into_iter().find(|check| check.outcome == Outcome::Failed) {
        Some(failed) => Err(CliError::HeatCheck { what: failed.name, finding: failed.finding }),
        None => Ok(()),
    }
}

/// Of all steps, some were timed.
fn report(
    gpu: &Gpu,
    solver: &HeatSolver,
    [all, steps]: [u64; 2],
    took: Duration,
    copied: f64,
) -> Vec<Vec<String>> {
    let desc = solver.desc();
    let extent = desc.spatial[0];
    let length = desc.steps_per_dispatch as u64;
    let calls = (steps / length + steps % length) as f64;
    let cost = desc.cost();
    let seconds = took.as_secs_f64().max(f64::MIN_POSITIVE);
    let bytes = calls * (cost.bytes_read + cost.bytes_written) / seconds;
    let cells = (extent * extent) as f64 * steps as f64 / seconds;
    // What one step at a time would have to move.
    let single = cells * 2.0 * desc.u.bytes() as f64;
    vec![
        vec!["adapter".into(), gpu.capabilities().to_string()],
        vec![
            "grid".into(),
            format!("{extent} x {extent}, f32, periodic, a drop of {DYE} at 0.4 to 0.5 of both axes"),
        ],
        vec![
            "run".into(),
            format!(
                "{all} steps of {}, {length} to a dispatch, by `{}`; stable up to {:.4}",
                desc.time_step,
                solver.heat().variant().name,
                desc.stable_dt()
            ),
        ],
        vec![
            "took".into(),
            format!(
                "{seconds:.3} s, {:.3} ms a step, the first {} not counted",
                1e3 * seconds / steps.max(1) as f64,
                all - steps
            ),
        ],
        vec!["cells".into(), format!("{:.3} G/s", cells / 1e9)],
        vec![
            "bytes".into(),
            format!(
                "{:.2} GB/s read and written, {:.0} % of a copy's {:.2}",
                bytes / 1e9,
                100.0 * bytes / copied,
                copied / 1e9
            ),
        ],
        vec![
            "as single".into(),
            format!(
                "{:.2} GB/s if each step read and wrote the grid, {:.0} % of a copy",
                single / 1e9,
                100.0 * single / copied
            ),
        ],
    ]
}

#[cfg(test)]
mod tests {
    use super::super::tests::line;
    use super::*;

    #[test]
    fn the_drop_lies_where_the_book_puts_it() {
        let (desc, field) = experiment(&line("heat --grid 640")).unwrap();
        assert_eq!((desc.time_step, desc.diffusivity, &desc.spatial[..]), (0.1, 1.0, &[640, 640][..]));
        let field = field.to_f64();
        for (at, value) in
            [([0, 256, 256], 0.005), ([0, 319, 319], 0.005), ([0, 255, 256], 0.0), ([0, 256, 320], 0.0)]
        {
            assert!((field[&at[..]] - value).abs() < 1e-9, "{at:?}");
        }
    }

    #[test]
    fn a_step_that_is_too_long_names_the_limit() {
        let error = experiment(&line("heat --grid 64 --dt 0.3")).unwrap_err().to_string();
        assert!(error.contains("`time_step` must be at most 0.25") && error.ends_with("got 0.3"), "{error}");
        let error = experiment(&line("heat --grid 64 --steps-per-dispatch 9")).unwrap_err().to_string();
        assert_eq!(error, "heat: `steps_per_dispatch` must be 1 to 8, got 9");
    }
}
