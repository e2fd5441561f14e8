use crate::BindError;
use crate::Capabilities;
use crate::recipe::{Recipe, SCRATCH, Stage, Window};
use langevin_gpu::ComputeStage;
use langevin_reference::{Op, Role, TensorSpec};

/// A plan bound to buffers, ready to be recorded any number of times, in any pass of its device.
#[derive(Clone, Debug)]
pub struct Call {
    dispatches: Vec<Dispatch>,
}

#[derive(Clone, Debug)]
struct Dispatch {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl Call {
    /// Records the dispatches into the caller's pass, of the device that the plan was made on. Allocates nothing and cannot fail.
    ///
    /// A pass of another device is wgpu's to refuse: with a validation error, or with a panic where the devices belong to
    /// different instances.
    pub fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        for Dispatch { pipeline, bind_group, workgroups: [x, y, z] } in &self.dispatches {
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, bind_group, &[]);
            pass.dispatch_workgroups(*x, *y, *z);
        }
    }

    /// Records into a compute pass of its own.
    pub fn encode(&self, encoder: &mut wgpu::CommandEncoder) {
        self.record(&mut encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default()));
    }

    /// How many dispatches it records; 0 for an empty output.
    pub fn dispatches(&self) -> usize {
        self.dispatches.len()
    }
}

/// The size of a stand-in for an empty tensor: one element of any binding's type.
pub(crate) const STAND_IN_BYTES: u64 = 16;

/// How much of the range that is given for a tensor is bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The tensor's own bytes, so that the driver's bounds checks are the tensor's.
    Exact,
    /// All of it, where the device can bind as much: a write past the tensor's end is done, and can be noticed.
    Given,
}

/// The tensors and the scratch of a plan: what must be bound.
#[derive(Debug)]
pub(crate) struct Memory {
    specs: Vec<TensorSpec>,
    scratch_bytes: u64,
    alignment: u32,
    /// Bound in place of tensors without elements: wgpu has no empty bindings. One for each such tensor, in order, since
    /// a dispatch may not read and write the same buffer.
    stand_ins: Vec<wgpu::Buffer>,
}

impl Memory {
    pub(crate) fn of<D: Op>(desc: &D, recipe: &Recipe, capabilities: &Capabilities) -> Self {
        let alignment = capabilities.limits.min_storage_buffer_offset_alignment;
        let (specs, scratch_bytes) = (desc.tensors(), recipe.scratch_bytes);
        Self { specs, scratch_bytes, alignment, stand_ins: Vec::new() }
    }

    /// How many tensors have no elements.
    pub(crate) fn empty_tensors(&self) -> usize {
        self.specs.iter().filter(|spec| bytes_of(spec) == 0).count()
    }

    /// The same with a stand-in for each empty tensor.
    pub(crate) fn with_stand_ins(self, stand_ins: Vec<wgpu::Buffer>) -> Self {
        Self { stand_ins, ..self }
    }

    pub(crate) fn specs(&self) -> &[TensorSpec] {
        &self.specs
    }

    /// The size of the binding of that name: never zero, which wgpu does not allow; a stand-in's then.
    pub(crate) fn bytes(&self, name: &str) -> u64 {
        match self.bytes_or_zero(name) {
            0 => STAND_IN_BYTES,
            bytes => bytes,
        }
    }

    pub(crate) fn bytes_or_zero(&self, name: &str) -> u64 {
        if name == SCRATCH {
            return self.scratch_bytes;
        }
        self.specs.iter().find(|spec| spec.name == name).map_or(0, bytes_of)
    }

    /// Checks the buffers given and returns the exact ranges to bind, by name.
    pub(crate) fn check<'a>(
        &'a self,
        op: &'static str,
        device: &wgpu::Device,
        given: &[(&str, wgpu::BufferBinding<'a>)],
        extent: Extent,
    ) -> Result<Vec<(&'static str, wgpu::BufferBinding<'a>)>, BindError> {
        let mut wanted: Vec<(&'static str, u64)> =
            self.specs.iter().map(|spec| (spec.name, bytes_of(spec))).collect();
        if self.scratch_bytes > 0 {
            wanted.push((SCRATCH, self.scratch_bytes));
        }
        for (i, (name, _)) in given.iter().enumerate() {
            if given[..i].iter().any(|(earlier, _)| earlier == name) {
                return Err(BindError::Twice { op, tensor: (*name).to_owned() });
            }
            // Scratch may be lent where none is needed: a plan's need depends on the variant.
            if *name != SCRATCH && !wanted.iter().any(|(tensor, _)| tensor == name) {
                return Err(BindError::Unexpected { op, tensor: (*name).to_owned() });
            }
        }
        let alignment = u64::from(self.alignment.max(device.limits().min_storage_buffer_offset_alignment));
        let mut bound = Vec::with_capacity(wanted.len());
        let mut stand_ins = self.stand_ins.iter();
        for (name, bytes) in wanted {
            let found = given.iter().find(|(tensor, _)| *tensor == name).map(|(_, binding)| binding);
            let stand_in = if bytes == 0 { stand_ins.next() } else { None };
            let binding = match (stand_in, found) {
                (Some(stand_in), _) => stand_in.as_entire_buffer_binding(),
                (None, Some(binding)) => {
                    let exact = exact_range(op, name, bytes, alignment, binding)?;
                    let given =
                        binding.size.map_or(binding.buffer.size() - binding.offset, |size| size.get());
                    let allowed = device.limits().max_storage_buffer_binding_size;
                    if extent == Extent::Given && given <= allowed { binding.clone() } else { exact }
                }
                (None, None) => return Err(BindError::Missing { op, tensor: name.to_owned() }),
            };
            bound.push((name, binding));
        }
        self.check_aliases(op, &bound)?;
        Ok(bound)
    }

    fn check_aliases(
        &self,
        op: &'static str,
        bound: &[(&'static str, wgpu::BufferBinding<'_>)],
    ) -> Result<(), BindError> {
        let written = |name: &str| {
            name == SCRATCH || self.specs.iter().any(|spec| spec.name == name && spec.role != Role::Input)
        };
        let has_elements = |name: &str| self.bytes_or_zero(name) > 0;
        for (i, (output, binding)) in bound.iter().enumerate() {
            for (j, (other, other_binding)) in bound.iter().enumerate() {
                let same = i != j && binding.buffer == other_binding.buffer;
                if same && written(output) && has_elements(output) && has_elements(other) {
                    return Err(BindError::Aliased { op, output, other });
                }
            }
        }
        Ok(())
    }
}

fn bytes_of(spec: &TensorSpec) -> u64 {
    // The descriptor's check has bounded every tensor; what does not fit cannot be bound.
    spec.gpu_bytes().unwrap_or(u64::MAX)
}

/// The first `bytes` of a binding.
fn exact_range<'a>(
    op: &'static str,
    tensor: &'static str,
    bytes: u64,
    alignment: u64,
    binding: &wgpu::BufferBinding<'a>,
) -> Result<wgpu::BufferBinding<'a>, BindError> {
    let usage = binding.buffer.usage();
    if !usage.contains(wgpu::BufferUsages::STORAGE) {
        return Err(BindError::Usage { op, tensor, got: format!("{usage:?}") });
    }
    let rest = binding.buffer.size().saturating_sub(binding.offset);
    let got = binding.size.map_or(rest, |size| size.get().min(rest));
    if got < bytes {
        return Err(BindError::TooSmall { op, tensor, expected: bytes, got });
    }
    if !binding.offset.is_multiple_of(alignment) {
        return Err(BindError::Misaligned { op, tensor, alignment, offset: binding.offset });
    }
    Ok(wgpu::BufferBinding { size: wgpu::BufferSize::new(bytes), ..binding.clone() })
}

/// Makes the bind groups; call inside error scopes.
pub(crate) fn bind_stages<'s>(
    device: &wgpu::Device,
    stages: impl Iterator<Item = (&'s Stage, &'s ComputeStage, [u32; 3])>,
    bound: &[(&'static str, wgpu::BufferBinding<'_>)],
) -> Call {
    let dispatches = stages.map(|(stage, compiled, workgroups)| {
        let binding = |(name, window): (&str, Option<Window>)| {
            let (_, whole) = bound.iter().find(|(tensor, _)| *tensor == name)?;
            Some(match window {
                None => whole.clone(),
                Some(Window { offset, bytes }) => wgpu::BufferBinding {
                    buffer: whole.buffer,
                    offset: whole.offset + offset,
                    size: wgpu::BufferSize::new(bytes),
                },
            })
        };
        let buffers: Vec<_> = stage.bound().filter_map(binding).collect();
        debug_assert_eq!(buffers.len(), stage.shader.bindings.len(), "{}: an unknown binding", stage.label);
        let bind_group = compiled.bind(device, stage.label, &buffers);
        Dispatch { pipeline: compiled.pipeline().clone(), bind_group, workgroups }
    });
    Call { dispatches: dispatches.collect() }
}
