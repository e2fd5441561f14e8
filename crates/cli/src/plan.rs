//! `langevin plan`: what a run of a diffusion transformer will take, before it takes anything.

mod measured;

use crate::bench::Rates;
use crate::device::DeviceArgs;
use crate::model::Model;
use crate::{CliError, output, precision};
use langevin::Format;
use langevin_diffusion::{
    Caching, DitConfig, Guidance, KernelCost, Passes, PipelineOptions, PipelinePlan, Sampler,
};
use std::path::PathBuf;

/// Print the memory and the cost of sampling from a diffusion transformer, before anything is allocated.
///
/// Exits with 1 and the table where the memory is more than --budget, or a buffer more than the device allows. With the
/// adapter's ceilings it says what bounds a step: compute, bandwidth or the dispatches.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  langevin bench --ceilings --json ceilings.json\n  \
    langevin plan --model dit-xl-2 --weights f16 --samples 4 --budget 8GiB --ceilings ceilings.json --measure")]
pub(crate) struct PlanArgs {
    #[command(flatten)]
    device: DeviceArgs,
    /// digits, dit-s-2 or dit-xl-2 (random weights of the published shapes), a configuration in a file .json (random weights
    /// too), or a directory as diffusers saves a model.
    #[arg(long, default_value = "digits", value_parser = Model::parse)]
    model: Model,
    /// Pictures (or latents) of this size instead of the model's.
    #[arg(long)]
    size: Option<usize>,
    /// Pictures made at once.
    #[arg(long, default_value_t = 1)]
    samples: usize,
    /// Steps from noise to picture.
    #[arg(long, default_value_t = 30)]
    steps: usize,
    /// How a step is made: euler, euler-ancestral, heun, ddim[:ETA], dpmpp-2m or lms[:ORDER].
    #[arg(long, default_value_t = Sampler::DpmSolver2M)]
    sampler: Sampler,
    /// The guidance scale; 1 for none. A model that embeds it takes one forward pass.
    #[arg(long, default_value_t = 2.0, allow_negative_numbers = true)]
    guidance: f64,
    /// Run guidance's two forward passes one after the other.
    #[arg(long)]
    in_turn: bool,
    /// What is reused from step to step: none, static:EVERY, teacache:THRESHOLD, dbcache:BLOCKS:THRESHOLD or
    /// taylor:EVERY:ORDER.
    #[arg(long, default_value_t = Caching::None)]
    cache: Caching,
    /// Tokens of a text, for models that attend to one.
    #[arg(long, default_value_t = 0)]
    text_tokens: usize,
    /// How the transformer's matrices are stored: f32, f16, bf16, e4m3, e5m2 or i8.
    #[arg(long, default_value = "f32")]
    weights: Format,
    /// A policy of precisions by layer names, in TOML, for what `weights` does not decide: see the documentation of
    /// `langevin_diffusion::Precision`.
    #[arg(long, value_name = "FILE.toml")]
    precision: Option<PathBuf>,
    /// The most memory it may take, in bytes or with KiB, MiB or GiB.
    #[arg(long, value_parser = bytes)]
    budget: Option<u64>,
    /// The adapter's ceilings, as `langevin bench --ceilings --json` writes them.
    #[arg(long, value_name = "FILE")]
    ceilings: Option<PathBuf>,
    /// Also make the pipeline, and time its steps beside their kernels.
    #[arg(long)]
    measure: bool,
    /// Write what was measured to a file.
    #[arg(long, value_name = "FILE", requires = "measure")]
    json: Option<PathBuf>,
    /// The commit that was built, for --json.
    #[arg(long, requires = "json")]
    commit: Option<String>,
}

fn bytes(text: &str) -> Result<u64, String> {
    let units = [("KiB", 1u64 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30), ("", 1)];
    let wrong = || format!("'{text}' is no number of bytes, KiB, MiB or GiB");
    let parsed = units.iter().find_map(|(unit, size)| Some((text.strip_suffix(unit)?, *size)));
    let (number, size) = parsed.ok_or_else(wrong)?;
    let number: f64 = number.trim().parse().map_err(|_| wrong())?;
    if number.is_finite() && number >= 0.0 { Ok((number * size as f64) as u64) } else { Err(wrong()) }
}

pub(crate) fn run(args: &PlanArgs) -> Result<(), CliError> {
    if let Some(path) = &args.json {
        output::check_writable(path)?;
    }
    let policy = args.precision.as_deref();
    let narrow = precision::narrows_activations(policy)?;
    let rates = args.ceilings.as_deref().map(|path| Rates::read(path, narrow)).transpose()?;
    let gpu = args.device.open()?;
    let weights = args.model.weights(args.size)?;
    let weights = precision::planned(weights, policy)?;
    let plan = PipelinePlan::new(&weights, args.options(weights.config()))?;
    let (config, capabilities) = (plan.config(), gpu.capabilities());
    let memory = plan.fitting_memory(capabilities)?;
    output::print(&format!(
        "{} parameters in {} weights{}, {} tokens, {} forward passes of {} samples to a step, {} evaluations\non {}\n\n{memory}\n\n",
        weights.parameters(),
        args.weights,
        policy.map_or(String::new(), |policy| format!(" but for the layers of {}", policy.display())),
        config.tokens(),
        if args.guidance == 1.0 || config.guidance_embeds { 1 } else { 2 },
        args.samples,
        plan.schedule().evaluations.len(),
        capabilities.adapter,
    ))?;
    let kernels = plan.evaluation_kernels(capabilities)?;
    output::print(&cost_table(&kernels, rates.as_ref()))?;
    if args.measure {
        measured::run(args, &gpu, &weights)?;
    }
    Ok(())
}

impl PlanArgs {
    fn options(&self, config: &DitConfig) -> PipelineOptions {
        let passes = if self.in_turn { Passes::InTurn } else { Passes::Together };
        let guidance = match self.guidance {
            scale if config.guidance_embeds => Guidance::Distilled { scale },
            1.0 => Guidance::None,
            scale => Guidance::ClassifierFree { scale, interval: [0.0, 1.0], passes },
        };
        PipelineOptions {
            samples: self.samples,
            steps: self.steps,
            sampler: self.sampler,
            guidance,
            caching: self.cache,
            text_tokens: self.text_tokens,
            budget: self.budget,
            weights: self.weights,
            ..Default::default()
        }
    }
}

/// What a step costs by kernel; with rates, how long that takes at least and what bounds it.
fn cost_table(kernels: &[KernelCost], rates: Option<&Rates>) -> String {
    let mut rows = vec![["kernel", "dispatches", "GFLOP", "MB", "FLOP/byte"].map(str::to_owned).to_vec()];
    if rates.is_some() {
        rows[0].extend(["compute", "bandwidth", "overhead", "bound by"].map(str::to_owned));
    }
    let mut total = Seconds::default();
    let (mut dispatches, mut flops, mut moved) = (0, 0.0, 0.0);
    let mut row = |name: &str, count: usize, flops: f64, moved: f64, seconds: Option<Seconds>| {
        let numbers = [
            format!("{:.3}", flops / 1e9),
            format!("{:.2}", moved / 1e6),
            format!("{:.1}", flops / moved.max(1.0)),
        ];
        let mut cells = vec![name.to_owned(), count.to_string()];
        cells.extend(numbers);
        if let Some(seconds) = seconds {
            cells.extend([seconds.compute, seconds.bandwidth, seconds.overhead].map(milliseconds));
            cells.push(seconds.binds().to_owned());
        }
        rows.push(cells);
    };
    for KernelCost { kernel, dispatches: count, cost } in kernels {
        let bytes = cost.bytes_read + cost.bytes_written;
        let seconds = rates.map(|rates| Seconds::of(cost.flops, bytes, *count, rates));
        if let Some(seconds) = seconds {
            total = total.plus(seconds);
        }
        row(kernel, *count, cost.flops, bytes, seconds);
        dispatches += count;
        flops += cost.flops;
        moved += bytes;
    }
    row("a step", dispatches, flops, moved, rates.map(|_| total));
    let table = output::table(&rows);
    match rates {
        None => table,
        Some(_) => format!(
            "{table}a step takes at least {}, and {} bounds it\n",
            milliseconds(total.floor),
            total.binds()
        ),
    }
}

fn milliseconds(seconds: f64) -> String {
    format!("{:.3} ms", seconds * 1e3)
}

/// How long some work takes at the ceilings, by what limits it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Seconds {
    compute: f64,
    bandwidth: f64,
    overhead: f64,
    /// Each kernel by the slower of compute and bandwidth, and the dispatches.
    floor: f64,
}

impl Seconds {
    fn of(flops: f64, bytes: f64, dispatches: usize, rates: &Rates) -> Self {
        let (compute, bandwidth) = (flops / rates.flops, bytes / rates.bytes);
        let overhead = dispatches as f64 * rates.dispatch_seconds;
        Self { compute, bandwidth, overhead, floor: compute.max(bandwidth) + overhead }
    }

    fn plus(self, other: Self) -> Self {
        Self {
            compute: self.compute + other.compute,
            bandwidth: self.bandwidth + other.bandwidth,
            overhead: self.overhead + other.overhead,
            floor: self.floor + other.floor,
        }
    }

    fn binds(&self) -> &'static str {
        let Self { compute, bandwidth, overhead, .. } = *self;
        if overhead >= compute.max(bandwidth) {
            "overhead"
        } else if compute >= bandwidth {
            "compute"
        } else {
            "bandwidth"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::Cost;

    #[test]
    fn budgets_have_units() {
        assert_eq!(bytes("8GiB"), Ok(8 << 30));
        assert_eq!(bytes("1.5 KiB"), Ok(1536));
        assert_eq!(bytes("77"), Ok(77));
        for wrong in ["", "x", "3GB", "-1", "inf"] {
            assert_eq!(bytes(wrong), Err(format!("'{wrong}' is no number of bytes, KiB, MiB or GiB")));
        }
    }

    #[test]
    fn the_slowest_of_the_three_binds() {
        let rates = Rates { flops: 1e9, bytes: 1e9, dispatch_seconds: 1e-3 };
        let of = |flops, bytes, dispatches| Seconds::of(flops, bytes, dispatches, &rates);
        assert_eq!(of(5e6, 1e6, 1).binds(), "compute");
        assert_eq!(of(1e6, 5e6, 1).binds(), "bandwidth");
        assert_eq!(of(1e6, 5e6, 9).binds(), "overhead");
        // One kernel waits for its arithmetic, another for its memory.
        let kernel = |kernel, flops, bytes_read| KernelCost {
            kernel,
            dispatches: 1,
            cost: Cost { flops, bytes_read, bytes_written: 0.0 },
        };
        let table = cost_table(&[kernel("matmul", 5e6, 1e6), kernel("norm", 1e6, 4e6)], Some(&rates));
        assert!(table.ends_with("a step takes at least 11.000 ms, and compute bounds it\n"), "{table}");
        let alone = cost_table(&[kernel("matmul", 5e6, 1e6)], None);
        assert!(alone.contains("matmul  1           0.005  1.00  5.0"), "{alone}");
    }
}
