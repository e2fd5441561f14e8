use crate::{Gpu, GpuError, with_scopes};
use std::time::{Duration, Instant};

/// How long one submit took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timing {
    /// Between the two timestamps of the pass: the GPU's work alone.
    pub gpu: Duration,
    /// From the start of recording until the GPU was found done, on the host's clock.
    pub wall: Duration,
}

/// Two timestamps around one compute pass: how long the GPU worked.
#[derive(Debug)]
pub struct Stopwatch {
    queries: wgpu::QuerySet,
    resolved: wgpu::Buffer,
}

impl Stopwatch {
    /// A stopwatch of this device.
    ///
    /// # Errors
    /// [`GpuError::Unsupported`] without `TIMESTAMP_QUERY`; [`GpuError::OutOfMemory`].
    pub fn new(gpu: &Gpu) -> Result<Self, GpuError> {
        if !gpu.capabilities().features.contains(wgpu::Features::TIMESTAMP_QUERY) {
            return Err(GpuError::Unsupported { feature: "timestamp queries" });
        }
        with_scopes(gpu.device(), "a stopwatch", || Self {
            queries: gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
                label: Some("stopwatch"),
                ty: wgpu::QueryType::Timestamp,
                count: 2,
            }),
            resolved: gpu.device().create_buffer(&wgpu::BufferDescriptor {
                label: Some("stopwatch"),
                size: 16,
                usage: wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            }),
        })
    }

    /// Records a timed pass into one submit and returns how long the GPU took.
    ///
    /// # Errors
    /// Those of [`Gpu::run`] and [`Gpu::download`].
    pub fn time(
        &self,
        gpu: &Gpu,
        record: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<Duration, GpuError> {
        Ok(self.measure(gpu, record)?.gpu)
    }

    /// The same, with the time on the host's clock beside it; reading the timestamps back is in neither.
    ///
    /// # Errors
    /// Those of [`Gpu::run`] and [`Gpu::download`].
    pub fn measure(
        &self,
        gpu: &Gpu,
        record: impl FnOnce(&mut wgpu::ComputePass<'_>),
    ) -> Result<Timing, GpuError> {
        let start = Instant::now();
        gpu.run(|encoder| {
            let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
                label: Some("timed"),
                timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                    query_set: &self.queries,
                    beginning_of_pass_write_index: Some(0),
                    end_of_pass_write_index: Some(1),
                }),
            });
            record(&mut pass);
            drop(pass);
            encoder.resolve_query_set(&self.queries, 0..2, &self.resolved, 0);
        })?;
        let wall = start.elapsed();
        let words = gpu.download(&self.resolved)?;
        let ticks = |i: usize| u64::from(words[2 * i]) | u64::from(words[2 * i + 1]) << 32;
        let period = f64::from(gpu.queue().get_timestamp_period());
        let gpu = Duration::from_nanos((ticks(1).saturating_sub(ticks(0)) as f64 * period) as u64);
        Ok(Timing { gpu, wall })
    }
}
