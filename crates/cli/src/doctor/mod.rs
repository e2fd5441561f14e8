//! Proves every kernel on an adapter against the CPU reference.

mod cases;
mod exhaustive;
mod jobs;
mod page;
mod report;

use crate::device::DeviceArgs;
use crate::{CliError, output, progress};
use clap::builder::PossibleValuesParser;
use indicatif::ProgressBar;
use jobs::Jobs;
use langevin::gpu::GpuError;
use langevin::reference::generate;
use langevin::verify::{self, Comparison, Job, RunOptions, Tensors, VerifyError};
use langevin::{Capabilities, Gpu, Kernel, PlanOptions, Tier, Variant};
use report::Report;
pub(crate) use report::finding;
use std::path::{Path, PathBuf};

/// Check every kernel on every tier of an adapter against the CPU reference.
///
/// Each variant runs small and odd shapes over its formats and options, twice with different garbage in outputs,
/// scratch and padding, and must give the same bits within the stated error bound. The exit code is 1 when one fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  langevin doctor --json report.json")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    device: DeviceArgs,
    /// One kernel only.
    #[arg(long, value_name = "NAME", conflicts_with_all = ["exhaustive", "export", "judge"],
          value_parser = PossibleValuesParser::new(crate::run::names()))]
    kernel: Option<String>,
    /// Only the K-th of N shares of the cases, for a driver that runs out of memory or time over all.
    #[arg(long, value_name = "K/N", conflicts_with_all = ["exhaustive", "export", "judge"], value_parser = share)]
    share: Option<[usize; 2]>,
    /// Name each case before it runs, so that a driver that hangs or crashes says in which one.
    #[arg(long, conflicts_with_all = ["exhaustive", "export", "judge"])]
    verbose: bool,
    /// A few cases per variant, done in seconds on a GPU; this is the default.
    #[arg(long)]
    quick: bool,
    /// Besides, random cases of every kernel, any options together: minutes on a GPU.
    #[arg(long, conflicts_with_all = ["quick", "export", "judge"])]
    full: bool,
    /// Instead, all 2^32 numbers of F32 through every cast, and through quantize to every format under one given scale, both ways
    /// to overflow where they differ, bit by bit against the CPU: minutes. Of the 256 parts, only that many if a number is
    /// given.
    #[arg(long, value_name = "PARTS", num_args = 0..=1, require_equals = true, default_missing_value = "256",
          conflicts_with_all = ["quick", "full", "keep", "export", "judge"], value_parser = clap::value_parser!(u32).range(1..=256))]
    exhaustive: Option<u32>,
    /// Write the result, with the adapter's identity, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the result, with the adapter's identity, as a page for a report.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Keep which variants failed, of those that were checked, for the other commands' `--verdicts`.
    #[arg(long, value_name = "FILE")]
    keep: Option<PathBuf>,
    /// Run nothing: write the first cases of every variant into a folder, with WGSL, bindings and bytes, for another
    /// WebGPU implementation.
    ///
    /// Left out are cooperative matrices, whose WGSL is wgpu's own, and the variants for adapters that are CPUs.
    #[arg(long, value_name = "DIR")]
    export: Option<PathBuf>,
    /// Run nothing: judge the results that another WebGPU implementation left in the folder of an export.
    #[arg(long, value_name = "DIR", conflicts_with = "export")]
    judge: Option<PathBuf>,
}

/// Who runs the cases.
enum Runner {
    /// This program, on an adapter.
    Here(Box<Gpu>),
    /// Another one, later.
    Export(Jobs),
    /// Another one, before.
    Judge(Jobs),
}

/// The cases of one kernel, whatever the type of its descriptor.
trait Group {
    fn kernel(&self) -> &'static str;

    /// How many cases there are on such an adapter, each variant counted.
    fn count(&self, capabilities: &Capabilities) -> usize;

    /// Runs them all; stops where the device is lost or a file cannot be used.
    fn check(&self, round: &mut Round) -> Result<(), Stop>;
}

/// One round through the cases.
struct Round {
    capabilities: Capabilities,
    runner: Runner,
    report: Report,
    bar: ProgressBar,
    /// Whether each case is named before it runs.
    verbose: bool,
    /// Which of how many shares of the cases it runs, the first one being 0, and how many cases it met.
    share: [usize; 2],
    met: usize,
}

/// `K/N`; for clap.
fn share(text: &str) -> Result<[usize; 2], String> {
    let parsed = text.split_once('/').and_then(|(k, n)| Some([k.parse().ok()?, n.parse().ok()?]));
    let within = parsed.filter(|[k, n]: &[usize; 2]| (1..=*n).contains(k));
    within.map(|[k, n]| [k - 1, n]).ok_or_else(|| format!("`{text}` is no K/N with K from 1 to N"))
}

/// Why a round ended early.
enum Stop {
    /// The device is gone; the report holds the reason.
    Lost,
    File(Box<CliError>),
}

/// The cases of a kernel: those that were chosen, and random ones.
struct Cases<D> {
    chosen: Vec<D>,
    drawn: Vec<D>,
}

impl<D> Cases<D> {
    /// All of them, and whether each was drawn.
    fn all(&self) -> impl Iterator<Item = (&D, bool)> {
        self.chosen.iter().map(|desc| (desc, false)).chain(self.drawn.iter().map(|desc| (desc, true)))
    }
}

impl<D: Kernel> Group for Cases<D> {
    fn kernel(&self) -> &'static str {
        D::NAME
    }

    fn count(&self, capabilities: &Capabilities) -> usize {
        self.all().map(|(desc, _)| desc.variants(capabilities).len()).sum()
    }

    fn check(&self, round: &mut Round) -> Result<(), Stop> {
        let mut met: Vec<Variant> = Vec::new();
        for (seed, (desc, drawn)) in self.all().enumerate() {
            let inputs = generate::inputs(desc, seed as u64);
            for variant in desc.variants(&round.capabilities) {
                met.push(variant);
                if round.skips(variant, met.iter().filter(|&&other| other == variant).count()) {
                    continue;
                }
                if !round.takes() {
                    continue;
                }
                round.announce(desc, variant);
                round.case(desc, &inputs, variant, drawn)?;
                round.bar.inc(1);
            }
        }
        Ok(())
    }
}

/// How many random cases of each kernel `--full` has; each runs on every variant.
const RANDOM: usize = 16;

/// How many cases of a variant another implementation gets: compilers take seconds for each.
const EXPORTED: usize = 3;

impl Round {
    /// Whether the next case is of this share.
    fn takes(&mut self) -> bool {
        let [which, of] = self.share;
        self.met += 1;
        (self.met - 1) % of == which
    }

    fn announce<D: Kernel>(&self, desc: &D, variant: Variant) {
        self.bar.set_message(format!("{} {}", D::NAME, variant.name));
        if self.verbose {
            self.bar.suspend(|| eprintln!("checking {} {} {desc:?}", D::NAME, variant.name));
        }
    }

    /// Whether the case that is the `nth` of its variant is not for this runner.
    fn skips(&self, variant: Variant, nth: usize) -> bool {
        match self.runner {
            Runner::Here(_) => false,
            _ => variant.tier == Tier::Software || nth > EXPORTED,
        }
    }

    fn case<D: Kernel>(
        &mut self,
        desc: &D,
        inputs: &Tensors,
        variant: Variant,
        drawn: bool,
    ) -> Result<(), Stop> {
        let outcome = match &mut self.runner {
            Runner::Here(gpu) => {
                let plan = PlanOptions { pick: variant.into(), ..Default::default() };
                verify::check(gpu, desc, inputs, &RunOptions { plan })
            }
            Runner::Export(jobs) => match Job::of(desc, inputs, &self.capabilities, &variant.into()) {
                Ok(job) => {
                    return jobs
                        .export(desc, variant.name, &job)
                        .map_err(|error| Stop::File(Box::new(error)));
                }
                Err(error) => Err(error),
            },
            Runner::Judge(jobs) => match Job::of(desc, inputs, &self.capabilities, &variant.into()) {
                Ok(job) => jobs
                    .judge(desc, inputs, variant.name, &job)
                    .map_err(|error| Stop::File(Box::new(error)))?,
                Err(error) => Err(error),
            },
        };
        let lost = matches!(outcome, Err(VerifyError::Gpu(GpuError::DeviceLost { .. })));
        if !(drawn && proves_nothing(&outcome)) {
            self.report.add(desc, variant, outcome);
        }
        if lost { Err(Stop::Lost) } else { Ok(()) }
    }
}

/// Whether an outcome is right and could not have been wrong: of sizes and scales that were drawn, some leave nothing but
/// codes of zero. Of a case that was chosen it is a finding.
fn proves_nothing(outcome: &Result<Vec<Comparison>, VerifyError>) -> bool {
    outcome.as_ref().is_ok_and(|comparisons| {
        comparisons.iter().all(Comparison::passed) && comparisons.iter().any(|one| finding(one).is_some())
    })
}

pub(crate) fn run(args: &DoctorArgs) -> Result<(), CliError> {
    let files = [("--json", &args.json), ("--html", &args.html), ("--keep", &args.keep)];
    let files: Vec<(&str, &Path)> =
        files.iter().filter_map(|(name, path)| Some((*name, path.as_deref()?))).collect();
    output::check_distinct(&files)?;
    files.iter().try_for_each(|(_, path)| output::check_writable(path))?;
    let gpu = args.device.open()?;
    if let Some(parts) = args.exhaustive {
        let capabilities = gpu.capabilities().clone();
        let (mut report, bar) = (Report::new(&capabilities), ProgressBar::hidden());
        exhaustive::check(&gpu, parts, &mut report);
        let runner = Runner::Here(Box::new(gpu));
        return finish(
            args,
            &Round { capabilities, runner, report, bar, verbose: false, share: [0, 1], met: 0 },
        );
    }
    let mut capabilities = gpu.capabilities().clone();
    let runner = match (&args.export, &args.judge) {
        (Some(folder), _) => Runner::Export(Jobs::new(folder)?),
        (_, Some(folder)) => Runner::Judge(Jobs::of(folder)),
        _ => Runner::Here(Box::new(gpu)),
    };
    if !matches!(runner, Runner::Here(_)) {
        capabilities.coop = Vec::new();
        capabilities.limits = langevin::wgpu::Limits::default();
    }
    let mut groups = cases::groups(if args.full { RANDOM } else { 0 });
    groups.retain(|group| args.kernel.as_deref().is_none_or(|kernel| kernel == group.kernel()));
    let count: usize = groups.iter().map(|group| group.count(&capabilities)).sum();
    let share = args.share.unwrap_or([0, 1]);
    let (report, bar) = (Report::new(&capabilities), progress::bar((count / share[1]) as u64, "checking"));
    let mut round = Round { capabilities, runner, report, bar, verbose: args.verbose, share, met: 0 };
    for group in &groups {
        match group.check(&mut round) {
            // Where no bar is drawn: what is done is said as it is done.
            Ok(()) if round.bar.is_hidden() => eprintln!("checked {}", group.kernel()),
            Ok(()) => {}
            Err(Stop::File(error)) => return Err(*error),
            // A lost device has spoilt one kernel's cases, which the report says, and not the others'.
            Err(Stop::Lost) => match (&mut round.runner, args.device.open()) {
                (Runner::Here(gpu), Ok(fresh)) => **gpu = fresh,
                _ => break,
            },
        }
    }
    round.bar.finish_and_clear();
    finish(args, &round)
}

fn finish(args: &DoctorArgs, round: &Round) -> Result<(), CliError> {
    let Round { capabilities, runner, report, .. } = round;
    let (cases, failures) = report.counts();
    if let Runner::Export(jobs) = runner
        && failures == 0
    {
        return output::print(&format!("{} cases written\n", jobs.finish()?));
    }
    output::print(&report.text())?;
    if let Some(path) = &args.json {
        output::write_file(path, &output::json(&report)?)?;
    }
    if let Some(path) = &args.html {
        output::write_file(path, page::html(report).as_bytes())?;
    }
    if let Some(path) = &args.keep {
        output::write_file(path, report.verdicts(capabilities).to_string().as_bytes())?;
    }
    if !report.passed() {
        return Err(CliError::DoctorFailed { adapter: capabilities.adapter.clone(), cases, failures });
    }
    output::print(&format!("\n{cases} cases, all within their bounds\n"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::Format;
    use langevin::verify::{Expected, Tensor, compare};
    use ndarray::arr1;

    #[test]
    fn only_what_is_right_can_prove_nothing() {
        let outcome = |value: f64, bound: f64, got: f32| {
            let expected = Expected::bounded("out", arr1(&[value]).into_dyn(), arr1(&[bound]).into_dyn());
            Ok(vec![compare(&expected, &Tensor::from_f32(Format::F32, &[1], &[got]).unwrap())])
        };
        assert!(proves_nothing(&outcome(0.25, 0.5, 0.0)));
        assert!(proves_nothing(&outcome(2.0, f64::INFINITY, 2.0)));
        // Right and telling, right by a zero that was asked for, wrong, and not run.
        assert!(!proves_nothing(&outcome(2.0, 0.5, 2.25)));
        assert!(!proves_nothing(&outcome(0.0, 0.0, 0.0)));
        assert!(!proves_nothing(&outcome(0.25, 0.5, 1.0)));
        assert!(!proves_nothing(&Err(GpuError::DeviceLost { reason: "test".into() }.into())));
    }
}
