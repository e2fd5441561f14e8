//! Times every kernel on an adapter, beside what the adapter can do at best.

mod arena;
mod cases;
mod ceilings;
mod clock;
mod compare;
mod markdown;
mod overhead;
mod page;
mod pick;
#[cfg(test)]
mod published;
mod record;
mod reduced;
mod selection;
mod stats;
mod subject;
mod table;
mod timing;

use crate::device::DeviceArgs;
use crate::{CliError, output, progress};
use cases::{Case, Unit};
use ceilings::Ceilings;
use clock::Clock;
use langevin::{Gpu, Variant, wgpu};
use record::{Record, Row, Timing};
use selection::Selection;
use std::path::{Path, PathBuf};
use subject::{Lane, Prepared, Ready};
use timing::{Effort, Timed};

/// Bytes in and out per second of a copy, measured for about that long.
pub(crate) fn copy_rate(gpu: &Gpu, seconds: f64) -> Result<f64, CliError> {
    Ok(Ceilings::copy(gpu, seconds / 2.0)?)
}

/// Time every kernel on an adapter, at sizes named after their use.
///
/// Each variant's answer is checked against the CPU reference first; a wrong one gets no time and exit code 1. The
/// variants of a case run in turns, on random tensors of which there are enough to exceed a GPU's cache. Rates are
/// shown as fractions of what the adapter reached in the same run with a plain copy or plain multiply-adds.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  langevin bench --kernel matmul --chosen --json record.json")]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    device: DeviceArgs,
    #[command(flatten)]
    selection: Selection,
    /// Small cases only, and few samples.
    #[arg(long)]
    quick: bool,
    /// Seconds for each variant of a case; at least 20 samples are taken unless they take ten times as long [default: 1].
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    seconds: Option<f64>,
    /// Megabytes of tensors to use in turn [default: 256 on GPUs, 0 on CPUs].
    #[arg(long, value_name = "MB")]
    rotate: Option<u64>,
    /// Print the names of the cases and stop.
    #[arg(long)]
    list: bool,
    /// Measure what the adapter and the host can do at best, and no case.
    #[arg(long, conflicts_with_all = ["list", "from"])]
    ceilings: bool,
    /// Write the result, with the adapter's identity, as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print the ratios to a result that was written with --json.
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
    /// Write the result as a page with plots.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Print the result as Markdown: what a plan takes by itself.
    #[arg(long)]
    markdown: bool,
    /// Measure nothing: take a result that was written with --json.
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// The commit that this program was built from, for the record [default: LANGEVIN_COMMIT].
    #[arg(long, value_name = "HASH")]
    commit: Option<String>,
}

fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if seconds > 0.0 && seconds <= 3600.0 => Ok(seconds),
        _ => Err("a number of seconds is above 0 and at most 3600".into()),
    }
}

/// No cache of a GPU is larger.
const CACHE_BYTES: u64 = 256 << 20;

pub(crate) fn run(args: &BenchArgs) -> Result<(), CliError> {
    let mut selected = args.selection.cases(args.quick)?;
    if args.ceilings {
        selected.clear();
    }
    if args.list {
        let line = |case: &Case| format!("{}: {}\n", case.subject.kernel(), case.name);
        return output::print(&selected.iter().map(line).collect::<String>());
    }
    for path in args.json.iter().chain(&args.html) {
        output::check_writable(path)?;
    }
    let old = args.compare.as_deref().map(Record::read).transpose()?;
    let record = match &args.from {
        Some(path) => Record::read(path)?,
        None => {
            let gpu = args.device.open()?;
            Bench::new(args, &gpu)?.run(args, selected)?
        }
    };
    output::print(&if args.markdown { record.markdown() } else { record.text() })?;
    if let Some(old) = &old {
        output::print(&compare::text(old, &record))?;
    }
    if let Some(path) = &args.json {
        output::write_file(path, &output::json(&record)?)?;
    }
    if let Some(path) = &args.html {
        output::write_file(path, record.html().as_bytes())?;
    }
    let failures = record.rows.iter().filter(|row| row.failed).count();
    if failures > 0 {
        let adapter = record.adapter.name;
        return Err(CliError::BenchFailed { adapter, rows: record.rows.len(), failures });
    }
    Ok(())
}

/// The rates at which an adapter works at best, and what a dispatch takes beside.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Rates {
    /// Floating-point operations per second of the fastest shaders that a plan may take.
    pub(crate) flops: f64,
    /// Bytes in and out per second.
    pub(crate) bytes: f64,
    /// Seconds on the host.
    pub(crate) dispatch_seconds: f64,
}

impl Rates {
    /// Reads those of a record; cooperative matrices count where some layers multiply numbers that f16 holds.
    pub(crate) fn read(path: &Path, narrow: bool) -> Result<Self, CliError> {
        let record = Record::read(path)?;
        let (Some(ceilings), Some(overhead)) = (record.ceilings, record.overhead) else {
            return Err(CliError::NoCeilings { path: path.to_owned() });
        };
        // No plan takes cooperative matrices on a CPU.
        let taken = narrow && record.adapter.device_type != "Cpu";
        let cooperative = ceilings.cooperative_flops.filter(|_| taken);
        Ok(Self {
            flops: cooperative.unwrap_or(ceilings.f32_flops),
            bytes: ceilings.copy_bytes,
            dispatch_seconds: overhead.record_seconds.median,
        })
    }
}

/// How a run measures.
struct Bench<'g> {
    gpu: &'g Gpu,
    clock: Clock,
    effort: Effort,
    rotate: u64,
}

impl<'g> Bench<'g> {
    fn new(args: &BenchArgs, gpu: &'g Gpu) -> Result<Self, CliError> {
        let is_cpu = gpu.capabilities().device_type == wgpu::DeviceType::Cpu;
        let (seconds, samples) = if args.quick { (0.05, 5) } else { (1.0, 20) };
        let rotate = args.rotate.map(|megabytes| megabytes.saturating_mul(1 << 20));
        Ok(Self {
            gpu,
            clock: Clock::new(gpu)?,
            effort: Effort { seconds: args.seconds.unwrap_or(seconds), samples },
            rotate: rotate.unwrap_or(if is_cpu { 0 } else { CACHE_BYTES }),
        })
    }

    fn run(&self, args: &BenchArgs, selected: Vec<Case>) -> Result<Record, CliError> {
        let suits = |case: &Case| case.suits(self.gpu.capabilities());
        let cases: Vec<Case> = selected.into_iter().filter(suits).collect();
        if !args.ceilings {
            args.selection.check_variants(&cases, self.gpu.capabilities())?;
        }
        let from_environment = || std::env::var("LANGEVIN_COMMIT").ok().filter(|commit| !commit.is_empty());
        let commit = args.commit.clone().or_else(from_environment);
        let mut record = Record::new(self.gpu, commit, self.clock.name());
        let bar = progress::bar(cases.len() as u64 + 2, "timing");
        bar.set_message("the host");
        record.overhead = Some(overhead::measure(self.gpu, self.effort.samples)?);
        bar.inc(1);
        bar.set_message("the ceilings");
        record.ceilings = Some(Ceilings::measure(self.gpu, &self.clock, self.effort.seconds / 4.0)?);
        bar.inc(1);
        for case in &cases {
            bar.set_message(format!("{} {}", case.subject.kernel(), case.name));
            let wanted = args.selection.variants(case, self.gpu.capabilities());
            match self.rows(case, &wanted, record.ceilings.as_ref()) {
                Ok(rows) => record.rows.extend(rows),
                // The other cases have their times, or may still have them.
                Err(error) => {
                    record.rows.extend(wanted.iter().map(|variant| not_run(case, *variant, &error)))
                }
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        Ok(record)
    }

    /// Every variant of a case that is wanted, checked and timed.
    fn rows(
        &self,
        case: &Case,
        wanted: &[Variant],
        ceilings: Option<&Ceilings>,
    ) -> Result<Vec<Row>, CliError> {
        let prepared = case.subject.prepare(self.gpu, wanted, self.rotate)?;
        let ready: Vec<&Ready> = prepared.lanes.iter().filter_map(|lane| lane.ready.as_ref().ok()).collect();
        let mut times = timing::time(self.gpu, &self.clock, &ready, self.effort)?.into_iter();
        let chosen = case.subject.chosen(self.gpu.capabilities());
        let mut rows = Vec::new();
        for lane in &prepared.lanes {
            let mut row = row(case, lane, chosen == Some(lane.variant));
            if let Ok(ready) = &lane.ready {
                let timed = times.next();
                row.timing = timed.map(|timed| timing_of(&row, lane, ready, &prepared, timed, ceilings));
            }
            rows.push(row);
        }
        Ok(rows)
    }
}

/// A row of a case that could not even be prepared.
fn not_run(case: &Case, variant: Variant, error: &CliError) -> Row {
    Row { finding: Some(format!("not run: {error}")), failed: true, ..empty_row(case, variant) }
}

/// A row without its times.
fn row(case: &Case, lane: &Lane, chosen: bool) -> Row {
    Row {
        chosen,
        checked: lane.ready.as_ref().ok().map(|ready| ready.checked.into()),
        finding: lane.ready.as_ref().err().map(ToString::to_string),
        failed: lane.ready.as_ref().is_err_and(subject::Unready::is_failure),
        ..empty_row(case, lane.variant)
    }
}

/// What a row says of its case and variant, whatever came of it.
fn empty_row(case: &Case, variant: Variant) -> Row {
    let cost = case.subject.cost();
    Row {
        kernel: case.subject.kernel().into(),
        case: case.name.clone(),
        variant: variant.name.into(),
        tier: variant.tier.name().into(),
        chosen: false,
        descriptor: case.subject.describe(),
        unit: case.unit,
        flops: cost.flops,
        bytes: cost.bytes_read + cost.bytes_written,
        checked: None,
        finding: None,
        failed: false,
        timing: None,
    }
}

fn timing_of(
    row: &Row,
    lane: &Lane,
    ready: &Ready,
    prepared: &Prepared,
    timed: Timed,
    ceilings: Option<&Ceilings>,
) -> Timing {
    let work = if row.unit == Unit::Flops { row.flops } else { row.bytes };
    let rate = work / timed.gpu.median;
    let ceiling = ceilings.map(|ceilings| ceilings.of(row.unit, lane.variant.tier));
    Timing {
        gpu_seconds: timed.gpu,
        wall_seconds: timed.wall,
        samples: timed.samples,
        calls_per_pass: timed.calls_per_pass,
        plan_seconds: ready.plan_seconds,
        sets: prepared.sets,
        rotated_bytes: prepared.bytes,
        cache_resident: prepared.bytes < CACHE_BYTES,
        rate,
        ceiling: ceiling.map(|(name, _)| name.into()),
        fraction_of_ceiling: ceiling.map(|(_, most)| rate / most),
    }
}
