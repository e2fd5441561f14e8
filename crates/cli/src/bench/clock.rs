//! How long a GPU works.

use langevin::gpu::{GpuError, Stopwatch};
use langevin::{Gpu, wgpu};
use std::time::Instant;

/// The adapter's timestamps, or the host's clock where it has none.
pub(super) struct Clock {
    stopwatch: Option<Stopwatch>,
}

/// Seconds of one submit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seconds {
    /// On the GPU, from its timestamps.
    pub(super) gpu: f64,
    /// On the host, from recording until the GPU was found done.
    pub(super) wall: f64,
}

impl Clock {
    pub(super) fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        match Stopwatch::new(gpu) {
            Ok(stopwatch) => Ok(Self { stopwatch: Some(stopwatch) }),
            Err(GpuError::Unsupported { .. }) => Ok(Self { stopwatch: None }),
            Err(error) => Err(error),
        }
    }

    /// What it reads, for the record.
    pub(super) fn name(&self) -> &'static str {
        if self.stopwatch.is_some() { "gpu timestamps" } else { "wall time" }
    }

    /// Records one pass, submits it and waits.
    pub(super) fn measure(
        &self,
        gpu: &Gpu,
        record: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<Seconds, GpuError> {
        if let Some(stopwatch) = &self.stopwatch {
            let timing = stopwatch.measure(gpu, record)?;
            return Ok(Seconds { gpu: timing.gpu.as_secs_f64(), wall: timing.wall.as_secs_f64() });
        }
        let start = Instant::now();
        gpu.run(|encoder| record(&mut encoder.begin_compute_pass(&Default::default())))?;
        let wall = start.elapsed().as_secs_f64();
        Ok(Seconds { gpu: wall, wall })
    }
}
