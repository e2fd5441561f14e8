//! How long a step takes beside its kernels.

use crate::pipeline::Pipeline;
use crate::program::GpuProgram;
use crate::{DiffusionError, Start};
use langevin::Gpu;
use std::time::Instant;

/// How long an evaluation of the network with its step takes, and its kernels by themselves, measured in turns. Seconds on the
/// host's clock, medians over the rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTime {
    /// The evaluation: one submit, from recording it until the host knows that it is done.
    pub step: f64,
    /// Its kernels, in the order in which they are first met.
    pub kernels: Vec<KernelTime>,
    /// All kernels together.
    pub sum: f64,
    /// What a step costs beside its kernels: the median of its time over their sum in the same round.
    pub ratio: f64,
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
        let mut calls = vec![1; nodes.len()];
        let mut samples = Vec::new();
        for round in 0..=rounds {
            self.start(start)?;
            let (gpu, program) = self.on_device()?;
            let step = seconds(|| program.run(gpu, &commands))?;
            let empty = seconds(|| program.repeat(gpu, 0, 0))?;
            let mut alone = Vec::new();
            // In order, so that each finds its inputs: tensors share memory.
            for (&node, calls) in nodes.iter().zip(&mut calls) {
                let taken = seconds(|| program.repeat(gpu, node, *calls))?;
                let one = (taken - empty).max(0.0) / *calls as f64;
                alone.push(one);
                if round == 0 {
                    *calls = (SUBMIT_SECONDS / one.max(1e-9)).ceil().clamp(1.0, MOST_CALLS as f64) as usize;
                }
            }
            samples.push(Round { step, alone });
        }
        let kernels = nodes.iter().map(|node| self.plan().dit.program.node_cost(*node).0).collect::<Vec<_>>();
        Ok(StepTime::of(&kernels, &samples[1..]))
    }

    fn on_device(&self) -> Result<(&Gpu, &GpuProgram), DiffusionError> {
        self.gpu().ok_or_else(|| DiffusionError::config("a timed pipeline", "on a GPU", "the CPU references"))
    }
}

/// The seconds of a step, and of each of its operations alone.
struct Round {
    step: f64,
    alone: Vec<f64>,
}

impl Round {
    fn sum(&self) -> f64 {
        self.alone.iter().sum()
    }
}

impl StepTime {
    /// Of the kernels of a step's operations, and of rounds.
    fn of(names: &[&'static str], rounds: &[Round]) -> Self {
        let over_rounds = |of: &dyn Fn(&Round) -> f64| median(rounds.iter().map(of).collect());
        let mut kernels: Vec<KernelTime> = Vec::new();
        for &kernel in names {
            match kernels.iter_mut().find(|known| known.kernel == kernel) {
                Some(known) => known.operations += 1,
                None => kernels.push(KernelTime { kernel, operations: 1, seconds: 0.0 }),
            }
        }
        for KernelTime { kernel, seconds, .. } in &mut kernels {
            let own = |round: &Round| -> f64 {
                let operations = round.alone.iter().zip(names);
                operations.filter(|(_, name)| *name == kernel).map(|(seconds, _)| seconds).sum()
            };
            *seconds = over_rounds(&own);
        }
        Self {
            step: over_rounds(&|round| round.step),
            kernels,
            sum: over_rounds(&Round::sum),
            ratio: over_rounds(&|round| round.step / round.sum()),
            rounds: rounds.len(),
        }
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

    /// The ratio is that within a round: a machine that is slow for a while is slow for both.
    #[test]
    fn kernels_are_summed_within_a_round() {
        let rounds = [(5.0, [1.0, 2.0, 1.0]), (50.0, [10.0, 20.0, 10.0]), (4.0, [1.0, 1.0, 2.0])];
        let rounds = rounds.map(|(step, alone)| Round { step, alone: alone.to_vec() });
        let time = StepTime::of(&["matmul", "norm", "matmul"], &rounds);
        let kernel = |kernel, operations, seconds| KernelTime { kernel, operations, seconds };
        assert_eq!(time.kernels, [kernel("matmul", 2, 3.0), kernel("norm", 1, 2.0)]);
        assert_eq!((time.step, time.sum, time.ratio, time.rounds), (5.0, 4.0, 1.25, 3));
        assert_eq!((median(vec![2.0, 1.0]), median(Vec::new())), (2.0, 0.0));
    }
}
