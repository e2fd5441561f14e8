//! The tensors of a case, several times over.

use langevin::gpu::GpuError;
use langevin::reference::{Role, TensorSpec};
use langevin::verify::Tensors;
use langevin::{Gpu, wgpu};

/// NaN in every float format: what outputs hold before the first run.
const POISON: u32 = 0x7fff_7fff;

/// For every tensor one buffer that holds it in `sets` places, so that a run need not find its inputs in a cache.
///
/// All places of an output are one buffer on purpose: wgpu orders dispatches that write the same buffer, so that runs in
/// one pass follow each other instead of overlapping.
pub(super) struct Arena {
    places: Vec<Places>,
    sets: usize,
}

struct Places {
    spec: TensorSpec,
    buffer: wgpu::Buffer,
    /// Bytes from one place to the next.
    stride: u64,
    bytes: u64,
}

impl Arena {
    /// Places for at least `rotate` bytes in all where the device's limits allow it, and at least one set.
    pub(super) fn new(
        gpu: &Gpu,
        specs: &[TensorSpec],
        inputs: &Tensors,
        rotate: u64,
    ) -> Result<Self, GpuError> {
        let limits = &gpu.capabilities().limits;
        let alignment = u64::from(limits.min_storage_buffer_offset_alignment);
        let stride = |spec: &TensorSpec| bytes_of(spec).max(4).next_multiple_of(alignment);
        let set: u64 = specs.iter().map(stride).sum();
        let largest = specs.iter().map(stride).max().unwrap_or(4);
        let sets =
            rotate.div_ceil(set.max(1)).clamp(1, (limits.max_buffer_size / largest).clamp(1, MOST_SETS));
        let mut places = Vec::new();
        for spec in specs {
            let buffer = gpu.empty(spec.name, stride(spec) * sets)?;
            let places_of =
                Places { spec: spec.clone(), buffer, stride: stride(spec), bytes: bytes_of(spec) };
            places_of.fill(gpu, inputs)?;
            places.push(places_of);
        }
        let arena = Self { places, sets: sets as usize };
        arena.spread(gpu)?;
        Ok(arena)
    }

    /// How many sets there are.
    pub(super) fn sets(&self) -> usize {
        self.sets
    }

    /// Bytes of all sets.
    pub(super) fn bytes(&self) -> u64 {
        self.places.iter().map(|places| places.bytes * self.sets as u64).sum()
    }

    /// The tensors of one set, by name.
    pub(super) fn bindings(&self, set: usize) -> Vec<(&'static str, wgpu::BufferBinding<'_>)> {
        let binding =
            |places: &'_ Places| wgpu::BufferSize::new(places.bytes).map(|size| (places.spec.name, size));
        let place = |places| -> Option<(&'static str, wgpu::BufferBinding<'_>)> {
            let (name, size) = binding(places)?;
            let (buffer, offset) = (&places.buffer, places.stride * set as u64);
            Some((name, wgpu::BufferBinding { buffer, offset, size: Some(size) }))
        };
        self.places.iter().filter_map(place).collect()
    }

    /// Makes the outputs of the first set what no kernel writes, or what they are to be added to.
    pub(super) fn reset_outputs(&self, gpu: &Gpu, inputs: &Tensors) -> Result<(), GpuError> {
        self.outputs().try_for_each(|places| places.fill(gpu, inputs))
    }

    /// The words of the outputs of the first set.
    pub(super) fn download_outputs(&self, gpu: &Gpu) -> Result<Vec<(TensorSpec, Vec<u32>)>, GpuError> {
        let download = |places: &Places| {
            let first = gpu.empty("first set", places.bytes)?;
            gpu.run(|encoder| encoder.copy_buffer_to_buffer(&places.buffer, 0, &first, 0, places.bytes))?;
            Ok((places.spec.clone(), gpu.download(&first)?))
        };
        self.outputs().map(download).collect()
    }

    fn outputs(&self) -> impl Iterator<Item = &Places> {
        self.places.iter().filter(|places| places.spec.role != Role::Input && places.bytes > 0)
    }

    /// Copies the first set to all others, on the GPU: other addresses are what counts, not other numbers.
    fn spread(&self, gpu: &Gpu) -> Result<(), GpuError> {
        for places in self.places.iter().filter(|places| places.bytes > 0) {
            let first = gpu.empty("first set", places.bytes)?;
            gpu.run(|encoder| {
                encoder.copy_buffer_to_buffer(&places.buffer, 0, &first, 0, places.bytes);
                for set in 1..self.sets as u64 {
                    let to = places.stride * set;
                    encoder.copy_buffer_to_buffer(&first, 0, &places.buffer, to, places.bytes);
                }
            })?;
        }
        Ok(())
    }
}

/// A bind group for each set, of which a driver may have only so many.
const MOST_SETS: u64 = 1024;

impl Places {
    /// Writes the first place: the input, or poison.
    fn fill(&self, gpu: &Gpu, inputs: &Tensors) -> Result<(), GpuError> {
        let words = match inputs.get(self.spec.name) {
            Some(tensor) => tensor.to_words(0),
            None => vec![POISON; (self.bytes / 4) as usize],
        };
        if words.is_empty() { Ok(()) } else { gpu.write(&self.buffer, &words) }
    }
}

/// Descriptors bound the size of their tensors; what does not fit cannot be allocated and is an error there.
fn bytes_of(spec: &TensorSpec) -> u64 {
    spec.gpu_bytes().unwrap_or(u64::MAX / 2)
}
