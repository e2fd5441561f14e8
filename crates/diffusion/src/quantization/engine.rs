//! Runs plans on host tensors.

use super::QuantizationError;
use langevin::gpu::{Gpu, wgpu};
use langevin::reference::{Role, Tensor, Tensors};
use langevin::{HistogramDesc, Kernel, Plan, PlanOptions, QuantizeDesc};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Plans of a device, each compiled once.
#[derive(Debug)]
pub(crate) struct Engine<'a> {
    gpu: &'a Gpu,
    quantizers: HashMap<String, Plan<QuantizeDesc>>,
    histograms: HashMap<String, Plan<HistogramDesc>>,
}

impl<'a> Engine<'a> {
    pub(crate) fn new(gpu: &'a Gpu) -> Self {
        Self { gpu, quantizers: HashMap::new(), histograms: HashMap::new() }
    }

    pub(crate) fn gpu(&self) -> &'a Gpu {
        self.gpu
    }

    pub(crate) fn histogram(
        &mut self,
        desc: &HistogramDesc,
    ) -> Result<&Plan<HistogramDesc>, QuantizationError> {
        plan(self.gpu, &mut self.histograms, desc)
    }

    /// The outputs of a quantizer.
    pub(crate) fn quantize(
        &mut self,
        desc: &QuantizeDesc,
        inputs: &Tensors,
    ) -> Result<Tensors, QuantizationError> {
        run(self.gpu, plan(self.gpu, &mut self.quantizers, desc)?, inputs)
    }
}

fn plan<'p, D: Kernel>(
    gpu: &Gpu,
    plans: &'p mut HashMap<String, Plan<D>>,
    desc: &D,
) -> Result<&'p Plan<D>, QuantizationError> {
    match plans.entry(format!("{desc:?}")) {
        Entry::Occupied(known) => Ok(known.into_mut()),
        Entry::Vacant(unknown) => {
            let capabilities = Some(gpu.capabilities().clone());
            let options = PlanOptions { capabilities, ..Default::default() };
            Ok(unknown.insert(Plan::with_options(gpu.device(), desc, &options)?))
        }
    }
}

/// Uploads, runs and downloads.
fn run<D: Kernel>(gpu: &Gpu, plan: &Plan<D>, inputs: &Tensors) -> Result<Tensors, QuantizationError> {
    let mut buffers: Vec<(&str, wgpu::Buffer)> = Vec::new();
    for spec in plan.tensors() {
        let buffer = match inputs.get(spec.name) {
            Some(tensor) => upload(gpu, spec.name, tensor)?,
            None => gpu.empty(spec.name, spec.gpu_bytes().unwrap_or(u64::MAX))?,
        };
        buffers.push((spec.name, buffer));
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
            let words = download(gpu, buffer, (spec.gpu_bytes().unwrap_or(0) / 4) as usize)?;
            outputs.insert(*name, Tensor::from_words(spec.dtype, &spec.shape, &words)?);
        }
    }
    Ok(outputs)
}

pub(crate) fn upload(gpu: &Gpu, name: &str, tensor: &Tensor) -> Result<wgpu::Buffer, QuantizationError> {
    Ok(gpu.upload(name, &tensor.to_words(0))?)
}

/// The first words of a buffer, which is never empty.
pub(crate) fn download(
    gpu: &Gpu,
    buffer: &wgpu::Buffer,
    words: usize,
) -> Result<Vec<u32>, QuantizationError> {
    let mut all = gpu.download(buffer)?;
    all.truncate(words);
    Ok(all)
}
