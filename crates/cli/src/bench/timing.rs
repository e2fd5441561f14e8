//! The variants of a case, timed in turns.

use super::clock::Clock;
use super::stats::Spread;
use super::subject::Ready;
use langevin::gpu::GpuError;
use langevin::{Gpu, wgpu};
use std::time::Instant;

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Effort {
    /// Seconds for each variant of a case.
    pub(super) seconds: f64,
    /// Samples of each, unless they take ten times as long.
    pub(super) samples: usize,
}

/// No more samples than this: the median no longer moves.
const MOST_SAMPLES: usize = 200;
/// Runs in one pass take about this long together, so that a timestamp's resolution does not matter.
const PASS_SECONDS: f64 = 2e-3;
/// Warm-up: caches fill, drivers compile.
const WARM_UP_SECONDS: f64 = 0.05;
/// Clocks rise. 4096^3 of f16 took an H200 3.7 ms when 0.05 s of work followed two seconds of compiling, 0.66 ms after this.
const GPU_WARM_UP_SECONDS: f64 = 0.4;

/// How long one call took.
#[derive(Clone, Copy, Debug)]
pub(super) struct Timed {
    /// On the GPU; of calls that follow each other in one pass.
    pub(super) gpu: Spread,
    /// One call alone in a submit, until the host knew that it was done.
    pub(super) wall: Spread,
    pub(super) samples: usize,
    pub(super) calls_per_pass: usize,
}

/// One variant while it is timed.
struct Runner<'r> {
    ready: &'r Ready,
    /// The set to use next: every run finds other tensors than the one before.
    next: usize,
    calls_per_pass: usize,
    gpu: Vec<f64>,
    wall: Vec<f64>,
}

/// Times the variants one sample each in turn, so that whatever else the machine does meets all of them.
pub(super) fn time(
    gpu: &Gpu,
    clock: &Clock,
    variants: &[&Ready],
    effort: Effort,
) -> Result<Vec<Timed>, GpuError> {
    let mut runners: Vec<Runner<'_>> = variants.iter().map(|ready| Runner::new(ready)).collect();
    let is_cpu = gpu.capabilities().device_type == wgpu::DeviceType::Cpu;
    let mut warm_up = if is_cpu { WARM_UP_SECONDS.min(effort.seconds) } else { GPU_WARM_UP_SECONDS };
    for runner in &mut runners {
        runner.warm_up(gpu, clock, warm_up)?;
        warm_up = WARM_UP_SECONDS.min(effort.seconds);
    }
    let (start, budget) = (Instant::now(), effort.seconds * variants.len() as f64);
    for round in 1..=MOST_SAMPLES {
        for runner in &mut runners {
            runner.sample(gpu, clock)?;
        }
        let elapsed = start.elapsed().as_secs_f64();
        let enough = round >= effort.samples && elapsed >= budget;
        if enough || (round >= 3 && elapsed >= 10.0 * budget) {
            break;
        }
    }
    Ok(runners.iter().filter_map(Runner::timed).collect())
}

impl<'r> Runner<'r> {
    fn new(ready: &'r Ready) -> Self {
        Self { ready, next: 0, calls_per_pass: 1, gpu: Vec::new(), wall: Vec::new() }
    }

    /// Seconds of that many calls in one pass, on the GPU and on the host.
    fn run(&mut self, gpu: &Gpu, clock: &Clock, calls: usize) -> Result<(f64, f64), GpuError> {
        let sets = self.ready.calls.len();
        let of = |i: usize| &self.ready.calls[(self.next + i) % sets];
        let seconds = clock.measure(gpu, |pass| (0..calls).for_each(|i| of(i).record(pass)))?;
        self.next = (self.next + calls) % sets;
        Ok((seconds.gpu, seconds.wall))
    }

    fn warm_up(&mut self, gpu: &Gpu, clock: &Clock, least_seconds: f64) -> Result<(), GpuError> {
        let start = Instant::now();
        self.run(gpu, clock, 1)?;
        loop {
            let (seconds, _) = self.run(gpu, clock, self.calls_per_pass)?;
            let one = seconds / self.calls_per_pass as f64;
            self.calls_per_pass = (PASS_SECONDS / one.max(1e-9)).round().clamp(1.0, 256.0) as usize;
            if start.elapsed().as_secs_f64() >= least_seconds {
                return Ok(());
            }
        }
    }

    fn sample(&mut self, gpu: &Gpu, clock: &Clock) -> Result<(), GpuError> {
        let (seconds, mut wall) = self.run(gpu, clock, self.calls_per_pass)?;
        if self.calls_per_pass > 1 {
            (_, wall) = self.run(gpu, clock, 1)?;
        }
        self.gpu.push(seconds / self.calls_per_pass as f64);
        self.wall.push(wall);
        Ok(())
    }

    fn timed(&self) -> Option<Timed> {
        let (gpu, wall) = (Spread::of(&self.gpu)?, Spread::of(&self.wall)?);
        Some(Timed { gpu, wall, samples: self.gpu.len(), calls_per_pass: self.calls_per_pass })
    }
}
