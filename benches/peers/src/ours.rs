//! langevin's side.

use crate::cases::{self, Problem, Truth, format, inputs};
use crate::contender::Contender;
use crate::truth;
use langevin::reference::Role;
use langevin::verify::{Tensor, Tensors};
use langevin::{Call, Gpu, Kernel, Plan, PlanOptions, wgpu};
use std::error::Error;

/// A call that is bound, and where its answer is.
struct Ours<'g, D: Kernel> {
    gpu: &'g Gpu,
    plan: Plan<D>,
    call: Call,
    out: wgpu::Buffer,
}

type Prepared<'g> = (Box<dyn Contender + 'g>, Truth);

/// Makes a problem ready, with what its answer must be.
pub(crate) fn prepare<'g>(gpu: &'g Gpu, problem: &Problem) -> Result<Prepared<'g>, Box<dyn Error>> {
    match problem {
        Problem::Matmul { m, k, n, a, b, .. } => {
            let desc = cases::matmul(*m, *k, *n, format(a)?, format(b)?);
            let inputs = inputs(&desc);
            Ok((ready(gpu, &desc, &inputs)?, truth::of_matmul(&desc, &inputs)?))
        }
        Problem::Attention { heads, seq, head_dim, format: name } => {
            let desc = cases::attention(*heads, *seq, *head_dim, format(name)?);
            let inputs = inputs(&desc);
            Ok((ready(gpu, &desc, &inputs)?, truth::of_attention(&desc, &inputs)?))
        }
        Problem::Conv2d { channels, extent } => {
            let desc = cases::conv2d(*channels, *extent);
            let inputs = inputs(&desc);
            Ok((ready(gpu, &desc, &inputs)?, truth::of_conv2d(&desc, &inputs)?))
        }
        Problem::Heat { extent } => {
            let desc = cases::heat(*extent);
            let inputs = inputs(&desc);
            Ok((ready(gpu, &desc, &inputs)?, truth::of_heat(&desc, &inputs)?))
        }
    }
}

fn ready<'g, D: Kernel>(
    gpu: &'g Gpu,
    desc: &D,
    inputs: &Tensors,
) -> Result<Box<dyn Contender + 'g>, Box<dyn Error>> {
    let options = PlanOptions { capabilities: Some(gpu.capabilities().clone()), ..Default::default() };
    let plan = Plan::with_options(gpu.device(), desc, &options)?;
    let mut buffers = Vec::new();
    for spec in plan.tensors() {
        let buffer = match inputs.get(spec.name) {
            Some(tensor) => gpu.upload(spec.name, &tensor.to_words(0))?,
            None => gpu.empty(spec.name, spec.gpu_bytes().ok_or("a tensor too large")?)?,
        };
        buffers.push((spec.name, buffer));
    }
    let scratch = gpu.empty("scratch", plan.scratch_bytes())?;
    let mut bindings: Vec<_> =
        buffers.iter().map(|(name, buffer)| (*name, buffer.as_entire_buffer_binding())).collect();
    bindings.push(("scratch", scratch.as_entire_buffer_binding()));
    let call = plan.bind_named(gpu.device(), &bindings)?;
    let out = buffers.into_iter().find(|(name, _)| *name == "out").ok_or("no output")?.1;
    Ok(Box::new(Ours { gpu, plan, call, out }))
}

impl<D: Kernel> Contender for Ours<'_, D> {
    fn how(&self) -> String {
        self.plan.variant().name.to_owned()
    }

    fn run(&mut self, times: usize) -> Result<(), Box<dyn Error>> {
        // All in one submit, one after the other since they write the same buffer.
        Ok(self.gpu.run(|encoder| (0..times).for_each(|_| self.call.encode(encoder)))?)
    }

    fn answer(&mut self) -> Result<Vec<f32>, Box<dyn Error>> {
        self.run(1)?;
        let words = self.gpu.download(&self.out)?;
        let spec = self.plan.tensors().iter().find(|spec| spec.role == Role::Output).ok_or("no output")?;
        Ok(Tensor::from_words(spec.dtype, &spec.shape, &words)?.to_f32())
    }
}
