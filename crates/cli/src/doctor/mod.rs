//! Proves every kernel on an adapter against the CPU reference.

mod cases;
mod exhaustive;
mod report;

use crate::device::DeviceArgs;
use crate::{CliError, output, progress};
use indicatif::ProgressBar;
use langevin::gpu::GpuError;
use langevin::reference::generate;
use langevin::verify::{self, RunOptions, VerifyError};
use langevin::{Capabilities, Gpu, Kernel, PlanOptions};
use report::Report;
pub(crate) use report::finding;
use std::path::PathBuf;

/// Check every kernel on every tier of an adapter against the CPU reference.
///
/// Each variant runs small and odd shapes over its formats and options, twice with different garbage in outputs,
/// scratch and padding, and must give the same bits within the stated error bound. The exit code is 1 when one fails.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  langevin doctor --json report.json")]
pub(crate) struct DoctorArgs {
    #[command(flatten)]
    device: DeviceArgs,
    /// A few cases per variant, done in seconds on a GPU; this is the default.
    #[arg(long)]
    quick: bool,
    /// Instead, all 2^32 numbers of F32 through every encoder and quantizer, bit by bit against the CPU: minutes. Of the 256
    /// parts, only that many if a number is given.
    #[arg(long, value_name = "PARTS", num_args = 0..=1, require_equals = true, default_missing_value = "256",
          conflicts_with = "quick", value_parser = clap::value_parser!(u32).range(1..=256))]
    exhaustive: Option<u32>,
    /// Write the result, with the adapter's identity, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The cases of one kernel, whatever the type of its descriptor.
trait Group {
    /// How many cases there are on such an adapter, each variant counted.
    fn count(&self, capabilities: &Capabilities) -> usize;

    /// Runs them all; stops where the device is lost.
    fn check(&self, gpu: &Gpu, report: &mut Report, bar: &ProgressBar) -> Result<(), Lost>;
}

/// The device is gone; the report holds the reason.
struct Lost;

impl<D: Kernel> Group for Vec<D> {
    fn count(&self, capabilities: &Capabilities) -> usize {
        self.iter().map(|desc| desc.variants(capabilities).len()).sum()
    }

    fn check(&self, gpu: &Gpu, report: &mut Report, bar: &ProgressBar) -> Result<(), Lost> {
        for (seed, desc) in self.iter().enumerate() {
            let inputs = generate::inputs(desc, seed as u64);
            for variant in desc.variants(gpu.capabilities()) {
                bar.set_message(format!("{} {}", D::NAME, variant.name));
                let plan = PlanOptions { pick: variant.into(), ..Default::default() };
                let outcome = verify::check(gpu, desc, &inputs, &RunOptions { plan });
                let lost = matches!(outcome, Err(VerifyError::Gpu(GpuError::DeviceLost { .. })));
                report.add(desc, variant, outcome);
                bar.inc(1);
                if lost {
                    return Err(Lost);
                }
            }
        }
        Ok(())
    }
}

pub(crate) fn run(args: &DoctorArgs) -> Result<(), CliError> {
    if let Some(path) = &args.json {
        output::check_writable(path)?;
    }
    let gpu = args.device.open()?;
    let mut report = Report::new(gpu.capabilities());
    match args.exhaustive {
        Some(parts) => exhaustive::check(&gpu, parts, &mut report),
        None => check_cases(&gpu, &mut report),
    }
    output::print(&report.text())?;
    if let Some(path) = &args.json {
        output::write_file(path, &report.json()?)?;
    }
    let (cases, failures) = report.counts();
    if !report.passed() {
        return Err(CliError::DoctorFailed { adapter: gpu.capabilities().adapter.clone(), cases, failures });
    }
    output::print(&format!("\n{cases} cases, all within their bounds\n"))
}

fn check_cases(gpu: &Gpu, report: &mut Report) {
    let groups = cases::groups();
    let count: usize = groups.iter().map(|group| group.count(gpu.capabilities())).sum();
    let bar = progress::bar(count as u64, "checking");
    // After a loss nothing more can run, and the report says why.
    let _ = groups.iter().try_for_each(|group| group.check(gpu, report, &bar));
    bar.finish_and_clear();
}
