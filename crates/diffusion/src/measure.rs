//! How long a step takes beside its kernels.

use crate::pipeline::Pipeline;
use crate::program::GpuProgram;
use crate::{DiffusionError, Start};
use langevin::Gpu;
use std::time::Instant;

/// How long an evaluation of the network with its step takes, and its kernels by themselves, measured in turns. Seconds on the
/// host's clock, medians.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    /// The evaluation: one submit, from recording it until the host knows that it is done.
    pub step: f64,
    /// Its kernels, in the order in which they are first met.
    pub kernels: Vec<KernelTime>,
    /// How often everything was measured.
    pub rounds: usize,
}

/// How long the operations of one kernel take by themselves.
#[derive(Clone, Debug, PartialEq)]
pub struct KernelTime {
    /// The kernel.
    pub kernel: &'static str,
    /// How many operations.
    pub operations: usize,
    /// The sum of their times. Each is recorded several times in a submit that holds nothing else; of a submit's time that of
    /// an empty one is taken off.
    pub seconds: f64,
}

impl StepTime {
    /// All kernels together.
    pub fn sum(&self) -> f64 {
        self.kernels.iter().map(|kernel| kernel.seconds).sum()
    }

    /// What a step costs beside its kernels: its time over their sum.
    pub fn ratio(&self) -> f64 {
        self.step / self.sum()
    }
}

/// Calls of an operation in a submit take about this long together, so that what the submit itself costs does not count.
const SUBMIT_SECONDS: f64 = 2e-3;
const MOST_CALLS: usize = 64;

impl Pipeline {
    /// Times an evaluation that is computed, with its step, beside its kernels: `rounds` times in turns, after one that does
    /// not count. A run goes on behind it with [`Pipeline::start`].
    ///
    /// # Errors
    /// Those of [`Pipeline::start`], and [`DiffusionError::Config`] without a GPU or a round.
    pub fn time_step(&mut self, start: &Start<'_>, rounds: usize) -> Result<StepTime, DiffusionError> {
        if rounds == 0 {
            return Err(DiffusionError::config("rounds", "at least 1", 0));
        }
        let nodes: Vec<usize> = self.plan().evaluation_nodes().collect();
        let commands = self.plan().dit.evaluation(0, self.plan().dit.shape.turns);
        let (mut steps, mut calls) = (Vec::new(), vec![1; nodes.len()]);
        let mut alone = vec![Vec::new(); nodes.len()];
        for round in 0..=rounds {
            self.start(start)?;
            let (gpu, program) = self.on_device()?;
            let step = seconds(|| program.run(gpu, &commands))?;
            let empty = seconds(|| program.repeat(gpu, 0, 0))?;
            // In order, so that each finds its inputs: tensors share memory.
            for (i, &node) in nodes.iter().enumerate() {
                let taken = seconds(|| program.repeat(gpu, node, calls[i]))?;
                let one = (taken - empty).max(0.0) / calls[i] as f64;
                match round {
                    0 => {
                        calls[i] =
                            (SUBMIT_SECONDS / one.max(1e-9)).ceil().clamp(1.0, MOST_CALLS as f64) as usize
                    }
                    _ => alone[i].push(one),
                }
            }
            if round > 0 {
                steps.push(step);
            }
        }
        let mut kernels: Vec<KernelTime> = Vec::new();
        for (&node, samples) in nodes.iter().zip(alone) {
            let (kernel, _) = self.plan().dit.program.node_cost(node);
            let seconds = median(samples);
            match kernels.iter_mut().find(|known| known.kernel == kernel) {
                Some(known) => {
                    known.operations += 1;
                    known.seconds += seconds;
                }
                None => kernels.push(KernelTime { kernel, operations: 1, seconds }),
            }
        }
        Ok(StepTime { step: median(steps), kernels, rounds })
    }

    fn on_device(&self) -> Result<(&Gpu, &GpuProgram), DiffusionError> {
        self.gpu().ok_or_else(|| DiffusionError::config("a timed pipeline", "on a GPU", "the CPU references"))
    }
}

fn seconds(run: impl FnOnce() -> Result<(), DiffusionError>) -> Result<f64, DiffusionError> {
    let started = Instant::now();
    run()?;
    Ok(started.elapsed().as_secs_f64())
}

/// Of an even number of samples the larger of the two in the middle; 0 of none.
fn median(mut samples: Vec<f64>) -> f64 {
    samples.sort_by(f64::total_cmp);
    samples.get(samples.len() / 2).copied().unwrap_or(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_is_that_of_the_step_to_the_sum() {
        let kernel = |kernel, seconds| KernelTime { kernel, operations: 1, seconds };
        let kernels = vec![kernel("matmul", 3.0), kernel("norm", 1.0)];
        let time = StepTime { step: 5.0, kernels, rounds: 1 };
        assert_eq!((time.sum(), time.ratio()), (4.0, 1.25));
        assert_eq!(
            (median(vec![3.0, 1.0, 2.0]), median(vec![2.0, 1.0]), median(Vec::new())),
            (2.0, 2.0, 0.0)
        );
    }
}
