use crate::{Gpu, GpuError, with_scopes};
use std::sync::mpsc;
use std::time::Duration;

/// How long a blocking read waits before it gives up.
const PATIENCE: Duration = Duration::from_secs(300);

/// Everything a kernel or a copy may do with a buffer.
const USAGES: wgpu::BufferUsages =
    wgpu::BufferUsages::STORAGE.union(wgpu::BufferUsages::COPY_SRC).union(wgpu::BufferUsages::COPY_DST);

impl Gpu {
    /// A storage buffer of `bytes` bytes (at least 4, rounded up to 4), zero-filled.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`], [`GpuError::Validation`] beyond the device's limits, [`GpuError::DeviceLost`].
    pub fn empty(&self, label: &str, bytes: u64) -> Result<wgpu::Buffer, GpuError> {
        self.create(label, bytes, USAGES)
    }

    /// A storage buffer with these words.
    ///
    /// # Errors
    /// Those of [`Gpu::empty`].
    pub fn upload(&self, label: &str, words: &[u32]) -> Result<wgpu::Buffer, GpuError> {
        let buffer = self.empty(label, words.len() as u64 * 4)?;
        if !words.is_empty() {
            self.write(&buffer, words)?;
        }
        Ok(buffer)
    }

    /// Overwrites the start of a buffer.
    ///
    /// # Errors
    /// [`GpuError::Buffer`] when it is too small, [`GpuError::Validation`] when it lacks `COPY_DST`.
    pub fn write(&self, buffer: &wgpu::Buffer, words: &[u32]) -> Result<(), GpuError> {
        self.write_at(buffer, 0, bytemuck::cast_slice(words))
    }

    /// Overwrites bytes of a buffer; offset and length are multiples of 4.
    ///
    /// # Errors
    /// [`GpuError::Buffer`] when it ends before the data, [`GpuError::Validation`] for a broken multiple or where it lacks
    /// `COPY_DST`.
    pub fn write_at(&self, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) -> Result<(), GpuError> {
        if offset.saturating_add(bytes.len() as u64) > buffer.size() {
            return Err(GpuError::Buffer {
                buffer: "the destination".into(),
                expected: "be at least as large as the data",
                got: format!("{} bytes for {} from {offset} on", buffer.size(), bytes.len()),
            });
        }
        self.counters().bytes_written.add(bytes.len() as u64);
        with_scopes(&self.device().clone(), "a write", || self.queue().write_buffer(buffer, offset, bytes))
    }

    /// Reads a buffer back; submits one copy and waits for it.
    ///
    /// # Errors
    /// [`GpuError::DeviceLost`], [`GpuError::Timeout`], [`GpuError::Validation`] when it lacks `COPY_SRC`.
    pub fn download(&self, buffer: &wgpu::Buffer) -> Result<Vec<u32>, GpuError> {
        let (staging, receiver) = self.begin_download(buffer)?;
        self.wait()?;
        receive(&receiver)?;
        self.take_words(&staging)
    }

    /// Reads a buffer back without blocking: the future is ready when the device, which the caller polls, has copied it.
    ///
    /// # Errors
    /// Those of [`Gpu::download`] but [`GpuError::Timeout`].
    pub async fn download_async(&self, buffer: &wgpu::Buffer) -> Result<Vec<u32>, GpuError> {
        let (staging, receiver) = self.begin_download(buffer)?;
        // The waker is called from the mapping callback; until then the channel is empty.
        std::future::poll_fn(|context| match receiver.try_recv() {
            Ok(result) => std::task::Poll::Ready(map_result(result)),
            Err(mpsc::TryRecvError::Disconnected) => std::task::Poll::Ready(Err(dropped_callback())),
            Err(mpsc::TryRecvError::Empty) => {
                context.waker().wake_by_ref();
                std::task::Poll::Pending
            }
        })
        .await?;
        self.take_words(&staging)
    }

    /// Records with `record` into one encoder, submits it and waits.
    ///
    /// # Errors
    /// [`GpuError::Validation`] for what was recorded, [`GpuError::DeviceLost`], [`GpuError::Timeout`].
    pub fn run(&self, record: impl FnOnce(&mut wgpu::CommandEncoder)) -> Result<(), GpuError> {
        self.counters().submits.add(1);
        with_scopes(&self.device().clone(), "the recorded commands", || {
            let mut encoder = self.device().create_command_encoder(&Default::default());
            record(&mut encoder);
            self.queue().submit([encoder.finish()])
        })?;
        self.wait()
    }

    /// Waits until everything submitted has finished.
    ///
    /// # Errors
    /// [`GpuError::DeviceLost`], [`GpuError::Timeout`].
    pub fn wait(&self) -> Result<(), GpuError> {
        self.check_alive()?;
        let poll = wgpu::PollType::Wait { submission_index: None, timeout: Some(PATIENCE) };
        let result = self.device().poll(poll);
        self.check_alive()?;
        result.map(|_| ()).map_err(|_| GpuError::Timeout { seconds: PATIENCE.as_secs() })
    }

    fn create(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer, GpuError> {
        self.check_alive()?;
        let size = bytes.max(4).next_multiple_of(4);
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        self.counters().buffers.add(1);
        with_scopes(self.device(), &format!("buffer `{label}` of {size} bytes"), || {
            self.device().create_buffer(&descriptor)
        })
    }

    fn begin_download(&self, buffer: &wgpu::Buffer) -> Result<(wgpu::Buffer, Mapped), GpuError> {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST;
        let staging = self.create("readback", buffer.size(), usage)?;
        let (sender, receiver) = mpsc::channel();
        self.counters().submits.add(1);
        self.counters().bytes_read.add(buffer.size());
        with_scopes(self.device(), "a readback", || {
            let mut encoder = self.device().create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(buffer, 0, &staging, 0, buffer.size());
            self.queue().submit([encoder.finish()]);
            staging.map_async(wgpu::MapMode::Read, .., move |result| {
                // The receiver is gone when the caller gave up; then nobody wants the result.
                let _ = sender.send(result);
            });
        })?;
        Ok((staging, receiver))
    }

    fn take_words(&self, staging: &wgpu::Buffer) -> Result<Vec<u32>, GpuError> {
        let view = staging
            .get_mapped_range(..)
            .map_err(|error| GpuError::Internal { what: "a readback".into(), message: error.to_string() })?;
        Ok(view.chunks_exact(4).map(|b| u32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect())
    }
}

type Mapped = mpsc::Receiver<Result<(), wgpu::BufferAsyncError>>;

fn receive(receiver: &Mapped) -> Result<(), GpuError> {
    map_result(receiver.try_recv().map_err(|_| dropped_callback())?)
}

fn map_result(result: Result<(), wgpu::BufferAsyncError>) -> Result<(), GpuError> {
    result.map_err(|error| GpuError::Internal { what: "a readback".into(), message: error.to_string() })
}

fn dropped_callback() -> GpuError {
    GpuError::Internal { what: "a readback".into(), message: "the mapping never finished".into() }
}
