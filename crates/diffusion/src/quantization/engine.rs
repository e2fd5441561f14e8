//! Runs plans on host tensors.

use super::QuantizationError;
use langevin::gpu::Gpu;
use langevin::gpu::wgpu;
use langevin::reference::{Role, Tensor, TensorSpec, Tensors};
use langevin::{Plan, PlanOptions, QuantizeDesc};
use std::collections::HashMap;

/// Plans of a device, each compiled once.
#[derive(Debug)]
pub(crate) struct Engine<'a> {
    gpu: &'a Gpu,
    plans: HashMap<String, Plan<QuantizeDesc>>,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(gpu: &'a Gpu) -> Self {
        Self { gpu, plans: HashMap::new() }
    }

    /// The outputs of a quantizer.
    pub(crate) fn quantize(&mut self, desc: &QuantizeDesc, inputs: &Tensors) -> Result<Tensors, QuantizationError> {
        let key = format!("{desc:?}");
        if !self.plans.contains_key(&key) {
            let capabilities = Some(self.gpu.capabilities().clone());
            let options = PlanOptions { capabilities, ..Default::default() };
            self.plans.insert(key.clone(), Plan::with_options(self.gpu.device(), desc, &options)?);
        }
        run(self.gpu, &self.plans[&key], inputs)
    }
}

/// Uploads, runs and downloads.
fn run(gpu: &Gpu, plan: &Plan<QuantizeDesc>, inputs: &Tensors) -> Result<Tensors, QuantizationError> {
    let buffer = |spec: &TensorSpec| match inputs.get(spec.name) {
        Some(tensor) => gpu.upload(spec.name, &tensor.to_words(0)),
        None => gpu.empty(spec.name, spec.gpu_bytes().unwrap_or(u64::MAX)),
    };
    let mut buffers: Vec<(&str, wgpu::Buffer)> = Vec::new();
    for spec in plan.tensors() {
        buffers.push((spec.name, buffer(spec)?));
    }
    if plan.scratch_bytes() > 0 {
        buffers.push(("scratch", gpu.empty("scratch", plan.scratch_bytes())?));
    }
    let bindings: Vec<_> =
        buffers.iter().map(|(name, buffer)| (*name, buffer.as_entire_buffer_binding())).collect();
    let call = plan.bind_named(gpu.device(), &bindings)?;
    gpu.run(|encoder| call.encode(encoder))?;
    let mut outputs = Tensors::new();
    for (spec, (name, buffer)) in plan.tensors().iter().zip(&buffers) {
        if spec.role != Role::Input {
            let mut words = gpu.download(buffer)?;
            words.truncate((spec.gpu_bytes().unwrap_or(0) / 4) as usize);
            outputs.insert(*name, Tensor::from_words(spec.dtype, &spec.shape, &words)?);
        }
    }
    Ok(outputs)
}
