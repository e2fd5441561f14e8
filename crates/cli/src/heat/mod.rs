//! `langevin heat`: a picture as a field of temperatures that spread, or a grid against the clock.

mod blur;
mod checks;
mod grid;
mod picture;
mod spectrum;

use crate::device::DeviceArgs;
use crate::{CliError, output, progress};
use checks::{Check, Outcome};
use clap::ValueEnum;
use indicatif::ProgressBar;
use langevin::verify::{Op, Tensor};
use langevin::{Edge, HeatDesc};
use langevin_diffusion::heat::{HeatSolver, heat_on_cpu};
use picture::Picture;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Steps that a run may take: a day at ten thousand a second.
const MOST_STEPS: f64 = 1e9;

/// How far below the limit the time step is that is taken without --dt.
const SAFETY: f64 = 0.9;

/// Spread a picture's brightness by the heat equation.
///
/// Every pixel is a cell of size 1, every colour channel a field of its own with values from 0 to 1; alpha is kept. After
/// the time T an unbounded picture is blurred by a Gaussian of variance 2 D T. The result is checked: mass, maximum
/// principle, and that Gaussian.
///
/// Example: langevin heat photo.png --time 8 --boundary neumann --out blurred.png
///
/// Without a picture, a grid of any size shows how fast it is: langevin heat --grid 4096 --steps 1000
#[derive(Debug, clap::Args)]
pub(crate) struct HeatArgs {
    /// The picture, a PNG: gray or RGB, with or without alpha, 8 or 16 bits.
    #[arg(value_name = "PHOTO.png", required_unless_present = "grid")]
    photo: Option<PathBuf>,
    /// How long it spreads.
    #[arg(long, value_name = "T", value_parser = not_negative, allow_negative_numbers = true,
          required_unless_present = "grid")]
    time: Option<f64>,
    /// Where the result goes, a PNG of the same kind.
    #[arg(long, value_name = "OUT.png", required_unless_present = "grid", conflicts_with = "grid")]
    out: Option<PathBuf>,
    #[command(flatten)]
    grid: grid::GridArgs,
    /// How fast it spreads, in pixels squared per unit of time.
    #[arg(long, value_name = "D", default_value_t = 1.0, value_parser = not_negative, allow_negative_numbers = true)]
    diffusivity: f64,
    /// The longest time step; it is shortened so that whole steps make T [default: 0.9 of the longest for which no value
    /// leaves the range of those around it].
    #[arg(long, value_name = "DT", value_parser = positive, allow_negative_numbers = true)]
    dt: Option<f64>,
    /// What lies at the border.
    #[arg(long, value_enum, default_value_t = Border::Neumann)]
    boundary: Border,
    /// Compute with the CPU reference, in f64.
    #[arg(long)]
    cpu: bool,
    /// Print nothing when all is well.
    #[arg(long)]
    quiet: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

/// What lies at the border of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Border {
    /// The opposite border.
    Periodic,
    /// Black: the border itself is 0.
    Dirichlet,
    /// Insulation: nothing flows through.
    Neumann,
}

impl Border {
    fn edge(self) -> Edge {
        match self {
            Self::Periodic => Edge::Periodic,
            Self::Dirichlet => Edge::Dirichlet(0.0),
            Self::Neumann => Edge::Neumann(0.0),
        }
    }
}

fn number(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|value: &f64| value.is_finite())
        .ok_or_else(|| "expected a finite number".to_owned())
}

fn not_negative(text: &str) -> Result<f64, String> {
    number(text).and_then(|value| if value < 0.0 { Err("must not be negative".into()) } else { Ok(value) })
}

fn positive(text: &str) -> Result<f64, String> {
    number(text).and_then(|value| if value > 0.0 { Ok(value) } else { Err("must be positive".into()) })
}

/// A run that is planned: how many steps of which length.
#[derive(Clone, Debug, PartialEq)]
struct Run {
    desc: HeatDesc,
    steps: u64,
    /// The longest step for which every new value is a mean of old ones.
    monotone_dt: f64,
}

impl Run {
    fn plan(args: &HeatArgs, spatial: [usize; 2], channels: usize) -> Result<Self, CliError> {
        let desc = HeatDesc {
            batch: channels,
            spatial: spatial.to_vec(),
            boundary: vec![[args.boundary.edge(); 2]],
            diffusivity: args.diffusivity,
            time_step: args.dt.unwrap_or(0.0),
            ..Default::default()
        };
        // The step that was asked for must be stable, not only the one it is shortened to.
        desc.validate()?;
        // A picture of one row could take longer steps than the plane, with which the blur is compared.
        let monotone_dt = desc.monotone_dt().min(0.25 / args.diffusivity);
        let longest = args.dt.unwrap_or(SAFETY * monotone_dt);
        // Rounding of the quotient must not add a step.
        let time = args.time.unwrap_or(0.0);
        let steps = (time / longest * (1.0 - 4.0 * f64::EPSILON)).ceil().max(f64::from(time > 0.0));
        if steps > MOST_STEPS {
            return Err(CliError::TooManySteps { steps, most: MOST_STEPS, dt: longest });
        }
        let time_step = if steps > 0.0 { time / steps } else { 0.0 };
        Ok(Self { desc: HeatDesc { time_step, ..desc }, steps: steps as u64, monotone_dt })
    }

    fn time(&self) -> f64 {
        self.desc.time_step * self.steps as f64
    }
}

pub(crate) fn run(args: &HeatArgs) -> Result<(), CliError> {
    // The arguments' rules leave a picture and its result, or a grid.
    match (&args.photo, &args.out) {
        (Some(photo), Some(out)) => spread(args, photo, out),
        _ => grid::run(args),
    }
}

fn spread(args: &HeatArgs, photo: &Path, out: &Path) -> Result<(), CliError> {
    let picture = Picture::read(photo)?;
    output::check_distinct(&[("the picture", photo), ("--out", out)])?;
    output::check_writable(out)?;
    let run = Run::plan(args, picture.spatial(), picture.channels())?;
    let before = picture.field()?;
    let bar = if args.quiet { ProgressBar::hidden() } else { progress::bar(run.steps, "heat") };
    let (after, took, place) = evolve(args, &run, &before, &bar)?;
    bar.finish_and_clear();
    let checks = checks::all(&run.desc, run.steps, run.monotone_dt, &before.to_f64(), &after.to_f64());
    if !args.quiet {
        output::print(&report(args, &run, &picture, &place, took, &checks))?;
    }
    if let Some(failed) = checks.iter().find(|check| check.outcome == Outcome::Failed) {
        return Err(CliError::HeatCheck { what: failed.name, finding: failed.finding.clone() });
    }
    output::write_file(out, &picture.with_field(&after)?)?;
    if args.quiet { Ok(()) } else { output::print(&format!("wrote {}\n", out.display())) }
}

/// The field at the end, how long the steps took, and where they ran.
fn evolve(
    args: &HeatArgs,
    run: &Run,
    before: &Tensor,
    bar: &ProgressBar,
) -> Result<(Tensor, Duration, String), CliError> {
    let progress = |done| bar.set_position(done);
    if args.cpu {
        let started = Instant::now();
        let after = heat_on_cpu(&run.desc, before, run.steps, progress)?;
        return Ok((after, started.elapsed(), "the CPU reference".into()));
    }
    let gpu = args.device.open()?;
    let mut solver = HeatSolver::new(&gpu, &run.desc, before)?;
    let started = Instant::now();
    solver.run(run.steps, progress)?;
    let took = started.elapsed();
    Ok((solver.field()?, took, gpu.capabilities().to_string()))
}

fn report(
    args: &HeatArgs,
    run: &Run,
    picture: &Picture,
    place: &str,
    took: Duration,
    checks: &[Check],
) -> String {
    let [height, width] = picture.spatial();
    let HeatDesc { time_step, diffusivity, .. } = run.desc;
    let cells = (height * width * picture.channels()) as f64 * run.steps as f64;
    let rate = if took.as_secs_f64() > 0.0 { cells / took.as_secs_f64() / 1e6 } else { 0.0 };
    let border = args.boundary.to_possible_value().map_or(String::new(), |value| value.get_name().to_owned());
    let stable = run.desc.stable_dt();
    let mut rows = vec![
        vec!["adapter".into(), place.into()],
        vec!["picture".into(), format!("{width} x {height}, {}, {border} border", picture.kind())],
        vec![
            "run".into(),
            format!(
                "time {} in {} steps of {time_step:.6}, diffusivity {diffusivity}; stable up to {stable:.6}, \
                 monotone up to {:.6}",
                run.time(),
                run.steps,
                run.monotone_dt
            ),
        ],
        vec!["took".into(), format!("{:.3} s, {rate:.1} Mcell/s", took.as_secs_f64())],
    ];
    rows.extend(
        checks.iter().map(|check| vec![check.name.into(), format!("{}: {}", check.outcome, check.finding)]),
    );
    output::table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        heat: HeatArgs,
    }

    pub(super) fn line(words: &str) -> HeatArgs {
        Line::try_parse_from(words.split_whitespace()).unwrap().heat
    }

    fn plan(options: &str) -> Result<Run, CliError> {
        Run::plan(&line(&format!("heat in.png --out out.png {options}")), [8, 9], 3)
    }

    #[test]
    fn whole_steps_make_the_time() {
        for (options, steps, monotone) in [
            ("--time 8", 36, 0.25),
            ("--time 9", 40, 0.25),
            ("--time 9 --boundary dirichlet", 60, 1.0 / 6.0),
            ("--time 0.1", 1, 0.25),
            ("--time 0", 0, 0.25),
            ("--time 10 --dt 0.25", 40, 0.25),
            ("--time 3 --diffusivity 2 --dt 0.1", 30, 0.125),
            ("--time 1 --diffusivity 0", 1, f64::INFINITY),
        ] {
            let run = plan(options).unwrap();
            assert_eq!((run.steps, run.monotone_dt), (steps, monotone), "{options}");
            let time: f64 = options.split_whitespace().nth(1).unwrap().parse().unwrap();
            assert!((run.time() - time).abs() <= time * f64::EPSILON, "{options}: {}", run.time());
            assert!(run.desc.validate().is_ok());
        }
    }

    #[test]
    fn an_unstable_step_names_the_limit() {
        let error = plan("--time 1 --dt 0.3").unwrap_err().to_string();
        assert_eq!(
            error,
            "heat: `time_step` must be at most 0.25, the stability limit 2 / (diffusivity * lambda_max), got 0.3"
        );
        let error = plan("--time 1e12").unwrap_err().to_string();
        assert_eq!(error, "--time takes 4444444444445 steps of 0.225, at most 1000000000 are allowed");
    }

    #[test]
    fn a_picture_and_a_grid_exclude_each_other() {
        for words in [
            "heat",
            "heat in.png --time 1",
            "heat in.png --grid 8",
            "heat --grid 8 --time 1",
            "heat --grid 8 --out out.png",
            "heat --grid 8 --cpu",
            "heat --grid 0",
            "heat in.png --time 1 --out out.png --steps 3",
            "heat in.png --time 1 --out out.png --steps-per-dispatch 3",
            "heat --steps 3",
        ] {
            assert!(Line::try_parse_from(words.split_whitespace()).is_err(), "{words}");
        }
        assert!(Line::try_parse_from("heat --grid 8 --steps 3 --dt 0.2".split_whitespace()).is_ok());
    }

    #[test]
    fn numbers_that_make_no_sense_are_usage_errors() {
        for options in ["--time -1", "--time nan", "--time 1 --dt 0", "--time 1 --diffusivity inf", ""] {
            let words = format!("heat in.png --out out.png {options}");
            assert!(Line::try_parse_from(words.split_whitespace()).is_err(), "{options}");
        }
    }
}
