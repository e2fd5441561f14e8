use super::engine::{Engine, download, upload};
use super::{Histogram, QuantizationError};
use langevin::gpu::{Gpu, wgpu};
use langevin::reference::{Dtype, Tensor};
use langevin::{Call, Format, HistogramBuffers, HistogramDesc, Plan};

/// Numbers of which a device's counts, which are I32, can still tell how often they occurred.
const MOST: u64 = i32::MAX as u64;

/// Sees batches of a tensor on a device: a [`Histogram`] in two of its buffers, to which the kernel
/// [`langevin::Histogram`] adds.
#[derive(Debug)]
pub struct Calibrator {
    counts: wgpu::Buffer,
    range: wgpu::Buffer,
    /// What was seen before the buffers were last emptied.
    before: Histogram,
    /// How many numbers the buffers have seen, and whether all were BF16.
    seen: u64,
    exact: bool,
}

impl Calibrator {
    /// One that has seen nothing.
    ///
    /// # Errors
    /// [`QuantizationError::Gpu`].
    pub fn new(gpu: &Gpu) -> Result<Self, QuantizationError> {
        let counts = gpu.empty("counts", 4 * HistogramDesc::BINS as u64)?;
        let range = gpu.empty("range", 8)?;
        Ok(Self { counts, range, before: Histogram::default(), seen: 0, exact: true })
    }

    /// Sees numbers of the host.
    ///
    /// # Errors
    /// [`QuantizationError`] for what a plan, its buffers or the device refuse.
    pub fn observe(&mut self, gpu: &Gpu, batch: &Tensor) -> Result<(), QuantizationError> {
        self.observe_by(&mut Engine::new(gpu), batch)
    }

    pub(crate) fn observe_by(
        &mut self,
        engine: &mut Engine<'_>,
        batch: &Tensor,
    ) -> Result<(), QuantizationError> {
        let Dtype::Number(x) = batch.dtype() else { return Ok(()) };
        let gpu = engine.gpu();
        let desc = HistogramDesc { shape: batch.shape().to_vec(), x };
        let plan = engine.histogram(&desc)?;
        let buffer = upload(gpu, "x", batch)?;
        let call = self.call(gpu, plan, buffer.as_entire_buffer_binding())?;
        Ok(gpu.run(|encoder| call.encode(encoder))?)
    }

    /// A call that sees the numbers in a buffer of the device, to be recorded once, where the caller wants; nothing waits for
    /// it here. Bind again for the next batch, and [`read`](Self::read) after at most 2^31 numbers.
    ///
    /// # Errors
    /// [`QuantizationError::Bind`]; [`QuantizationError::Gpu`] where what was counted had to be read first.
    pub fn call(
        &mut self,
        gpu: &Gpu,
        plan: &Plan<HistogramDesc>,
        x: wgpu::BufferBinding<'_>,
    ) -> Result<Call, QuantizationError> {
        let elements = plan.desc().shape.iter().product::<usize>() as u64;
        if self.seen + elements > MOST {
            self.read(gpu)?;
        }
        self.seen += elements;
        self.exact &= plan.desc().x == Format::BF16;
        let [counts, range] = [&self.counts, &self.range].map(wgpu::Buffer::as_entire_buffer_binding);
        Ok(plan.bind(gpu.device(), HistogramBuffers::new(x, counts, range))?)
    }

    /// All that was seen so far; waits for the device and empties its counts.
    ///
    /// # Errors
    /// [`QuantizationError::Gpu`].
    pub fn read(&mut self, gpu: &Gpu) -> Result<&Histogram, QuantizationError> {
        let counts = download(gpu, &self.counts, HistogramDesc::BINS)?;
        let range = download(gpu, &self.range, 2)?;
        let [high, below] = [range[0], range[1]].map(f32::from_bits);
        self.before.merge(&Histogram::from_parts(&counts, (0.0 - below, high), self.exact));
        gpu.write(&self.counts, &vec![0; HistogramDesc::BINS])?;
        gpu.write(&self.range, &[0; 2])?;
        (self.seen, self.exact) = (0, true);
        Ok(&self.before)
    }
}
