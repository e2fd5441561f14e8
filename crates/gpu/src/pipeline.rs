use crate::{Access, GpuError, Shader, trusted, with_scopes};

/// One dispatch before it is compiled.
#[derive(Clone, Debug)]
pub struct StageDesc<'a> {
    /// What it is, for labels and errors.
    pub label: &'a str,
    /// The shader; its entry point is `main`.
    pub shader: &'a Shader,
    /// Bytes each binding takes at least, in order.
    pub binding_bytes: &'a [u64],
    /// What wgpu checks while it runs.
    pub checks: Checks,
}

/// What wgpu checks while a shader runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checks {
    /// Everything.
    #[default]
    All,
    /// Indices, but not how often loops run.
    Indices,
    /// Nothing: for shaders whose indices of workgroup memory are right whatever the tensors hold, on backends where the
    /// driver itself keeps accesses within buffers.
    None,
}

/// One dispatch, compiled: a pipeline, its layout and its parameters.
#[derive(Clone, Debug)]
pub struct ComputeStage {
    pipeline: wgpu::ComputePipeline,
    layout: wgpu::BindGroupLayout,
    params: wgpu::Buffer,
}

impl ComputeStage {
    /// Compiles the shader.
    ///
    /// # Errors
    /// [`GpuError::Validation`] for a shader the driver refuses, [`GpuError::OutOfMemory`], [`GpuError::Internal`].
    pub fn new(device: &wgpu::Device, desc: &StageDesc<'_>) -> Result<Self, GpuError> {
        with_scopes(device, desc.label, || {
            let params = uniform(device, desc.label, &desc.shader.param_words());
            let layout = bind_group_layout(device, desc, params.as_ref().map_or(16, wgpu::Buffer::size));
            let source = desc.shader.compose();
            let module = if desc.checks == Checks::All {
                device.create_shader_module(wgpu::ShaderModuleDescriptor {
                    label: Some(desc.label),
                    source: wgpu::ShaderSource::Wgsl(source.into()),
                })
            } else {
                trusted::module(device, desc.label, &source, desc.checks)
            };
            let pipeline_layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                label: Some(desc.label),
                bind_group_layouts: &[Some(&layout)],
                ..Default::default()
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: Some(desc.label),
                layout: Some(&pipeline_layout),
                module: &module,
                entry_point: Some("main"),
                compilation_options: wgpu::PipelineCompilationOptions {
                    // Every kernel writes workgroup memory before it reads it.
                    zero_initialize_workgroup_memory: desc.checks == Checks::All,
                    ..Default::default()
                },
                cache: None,
            });
            params.map(|params| Self { pipeline, layout, params })
        })?
        .ok_or_else(|| not_mapped(desc.label))
    }

    /// The same pipeline with the parameters of another shader of the same text.
    ///
    /// # Errors
    /// [`GpuError::OutOfMemory`], [`GpuError::Internal`].
    pub fn with_params(&self, device: &wgpu::Device, label: &str, shader: &Shader) -> Result<Self, GpuError> {
        let params = with_scopes(device, label, || uniform(device, label, &shader.param_words()))?;
        let params = params.ok_or_else(|| not_mapped(label))?;
        Ok(Self { pipeline: self.pipeline.clone(), layout: self.layout.clone(), params })
    }

    /// The pipeline.
    pub fn pipeline(&self) -> &wgpu::ComputePipeline {
        &self.pipeline
    }

    /// Binds the buffers, in the order of the shader's bindings. Call inside error scopes.
    pub fn bind(
        &self,
        device: &wgpu::Device,
        label: &str,
        buffers: &[wgpu::BufferBinding<'_>],
    ) -> wgpu::BindGroup {
        let params = std::iter::once(self.params.as_entire_buffer_binding());
        let entries: Vec<_> = params
            .chain(buffers.iter().cloned())
            .enumerate()
            .map(|(i, buffer)| wgpu::BindGroupEntry {
                binding: i as u32,
                resource: wgpu::BindingResource::Buffer(buffer),
            })
            .collect();
        device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(label),
            layout: &self.layout,
            entries: &entries,
        })
    }
}

fn not_mapped(label: &str) -> GpuError {
    GpuError::Internal { what: label.into(), message: "the parameters were not mapped".into() }
}

/// A uniform buffer with its contents; `None` when the driver mapped nothing, which the error scope reports.
fn uniform(device: &wgpu::Device, label: &str, words: &[u32]) -> Option<wgpu::Buffer> {
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        size: words.len() as u64 * 4,
        usage: wgpu::BufferUsages::UNIFORM,
        mapped_at_creation: true,
    });
    buffer.get_mapped_range_mut(..).ok()?.copy_from_slice(bytemuck::cast_slice(words));
    buffer.unmap();
    Some(buffer)
}

fn bind_group_layout(
    device: &wgpu::Device,
    desc: &StageDesc<'_>,
    uniform_bytes: u64,
) -> wgpu::BindGroupLayout {
    let entry = |binding: usize, ty, bytes: u64| wgpu::BindGroupLayoutEntry {
        binding: binding as u32,
        visibility: wgpu::ShaderStages::COMPUTE,
        ty: wgpu::BindingType::Buffer {
            ty,
            has_dynamic_offset: false,
            min_binding_size: wgpu::BufferSize::new(bytes),
        },
        count: None,
    };
    let mut entries = vec![entry(0, wgpu::BufferBindingType::Uniform, uniform_bytes)];
    for (i, (binding, &bytes)) in desc.shader.bindings.iter().zip(desc.binding_bytes).enumerate() {
        let read_only = binding.access == Access::Read;
        entries.push(entry(i + 1, wgpu::BufferBindingType::Storage { read_only }, bytes));
    }
    device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
        label: Some(desc.label),
        entries: &entries,
    })
}
