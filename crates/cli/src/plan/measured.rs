//! A step of a pipeline, timed beside its kernels.

use super::{PlanArgs, milliseconds};
use crate::stamp::Stamp;
use crate::{CliError, output, progress};
use langevin::Gpu;
use langevin_diffusion::{DitWeights, Noise, Pipeline, Start, StepTime, Texts};
use serde::Serialize;

/// How often everything is timed, one after the other in turns.
const ROUNDS: usize = 5;

/// What `--json` writes.
#[derive(Serialize)]
struct Record {
    #[serde(flatten)]
    stamp: Stamp,
    parameters: u64,
    rounds: usize,
    /// Medians.
    step_seconds: f64,
    kernels: Vec<Kernel>,
    kernels_seconds: f64,
    step_over_kernels: f64,
}

/// Operations of one kernel, by themselves.
#[derive(Serialize)]
struct Kernel {
    kernel: &'static str,
    operations: usize,
    seconds: f64,
}

pub(super) fn run(args: &PlanArgs, gpu: &Gpu, weights: &DitWeights) -> Result<(), CliError> {
    let time = time(args, gpu, weights)?;
    output::print(&table(&time))?;
    let Some(path) = &args.json else { return Ok(()) };
    let kernel = |time: &langevin_diffusion::KernelTime| Kernel {
        kernel: time.kernel,
        operations: time.operations,
        seconds: time.seconds,
    };
    let record = Record {
        stamp: Stamp::of(gpu, args.commit.clone()),
        parameters: weights.parameters(),
        rounds: time.rounds,
        step_seconds: time.step,
        kernels: time.kernels.iter().map(kernel).collect(),
        kernels_seconds: time.sum,
        step_over_kernels: time.ratio,
    };
    output::write_file(path, &output::json(&record)?)
}

fn time(args: &PlanArgs, gpu: &Gpu, weights: &DitWeights) -> Result<StepTime, CliError> {
    let bar = progress::bar(0, "weights");
    let mut pipeline =
        Pipeline::on_gpu_with_progress(gpu, weights, args.options(weights.config()), |done, total| {
            bar.set_length(total);
            bar.set_position(done);
        })?;
    bar.finish_and_clear();
    let config = weights.config();
    let classes = vec![0; if config.num_embeds_ada_norm.is_some() { args.samples } else { 0 }];
    let row = args.text_tokens * config.cross_attention_dim.unwrap_or(0);
    let text = vec![0.0; args.samples * row];
    let texts = (row > 0).then(|| Texts { texts: &text, without: &text[..row] });
    let start = Start { classes: &classes, texts, noise: Noise::default(), pictures: None };
    Ok(pipeline.time_step(&start, ROUNDS)?)
}

/// Each kernel's share of a step, then the step.
fn table(time: &StepTime) -> String {
    let mut rows = vec![["kernel", "operations", "alone", "of the step"].map(str::to_owned).to_vec()];
    let mut row = |name: &str, operations: usize, seconds: f64| {
        let share = format!("{:.1} %", 100.0 * seconds / time.step);
        rows.push(vec![name.to_owned(), operations.to_string(), milliseconds(seconds), share]);
    };
    time.kernels.iter().for_each(|kernel| row(kernel.kernel, kernel.operations, kernel.seconds));
    row("together", time.kernels.iter().map(|kernel| kernel.operations).sum(), time.sum);
    format!(
        "\n{}measured: a step takes {}, {:.3} times its kernels alone; medians of {} rounds\n",
        output::table(&rows),
        milliseconds(time.step),
        time.ratio,
        time.rounds
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin_diffusion::KernelTime;

    #[test]
    fn a_step_stands_below_its_kernels() {
        let kernel = |kernel, operations, seconds| KernelTime { kernel, operations, seconds };
        let kernels = vec![kernel("matmul", 4, 0.03), kernel("norm", 2, 0.01)];
        let table = table(&StepTime { step: 0.05, kernels, sum: 0.04, ratio: 1.25, rounds: 3 });
        assert!(table.contains("matmul    4           30.000 ms  60.0 %"), "{table}");
        let end = "measured: a step takes 50.000 ms, 1.250 times its kernels alone; medians of 3 rounds\n";
        assert!(table.contains("together  6           40.000 ms  80.0 %") && table.ends_with(end), "{table}");
    }
}
