//! What the host pays: plans, bindings, recording and submits.

use super::stats::Spread;
use crate::CliError;
use langevin::gpu::{GpuError, with_scopes};
use langevin::verify::VerifyError;
use langevin::{Activation, MatmulDesc};
use langevin::{Gpu, Plan, PlanOptions, StageSource, wgpu};
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// Seconds on the host's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Overhead {
    /// The first plan of the process. The driver's own cache on disk may know its shader.
    pub(super) plan_cold_seconds: f64,
    /// The same plan once more.
    pub(super) plan_warm_seconds: Spread,
    /// Binding a plan of three tensors.
    pub(super) bind_seconds: Spread,
    /// One call in a pass of many, encoding included.
    pub(super) record_seconds: Spread,
    /// The same pipeline, bind group and dispatch recorded with wgpu by hand.
    pub(super) record_by_hand_seconds: Spread,
    /// An empty pass from recording until the host knows that it is done.
    pub(super) submit_seconds: Spread,
}

impl Overhead {
    /// Seconds of a call on top of what wgpu takes by itself; below zero within the noise.
    pub(super) fn record_on_top(&self) -> f64 {
        self.record_seconds.median - self.record_by_hand_seconds.median
    }
}

/// Calls in one pass, so that beginning and ending it does not count.
const CALLS: usize = 1000;

/// Measures all of it, with `samples` samples each. Call it before any other plan is made.
pub(super) fn measure(gpu: &Gpu, samples: usize) -> Result<Overhead, CliError> {
    let desc = MatmulDesc { m: 64, k: 64, n: 64, activation: Activation::Silu, ..Default::default() };
    let options = PlanOptions { capabilities: Some(gpu.capabilities().clone()), ..Default::default() };
    let make = || Plan::with_options(gpu.device(), &desc, &options).map_err(VerifyError::from);
    let (plan, plan_cold_seconds) = timed(make)?;
    let plan_warm_seconds = spread(samples, || Ok(timed(make)?.1))?;

    let buffers = plan
        .tensors()
        .iter()
        .map(|spec| Ok((spec.name, gpu.empty(spec.name, spec.gpu_bytes().unwrap_or(0))?)))
        .collect::<Result<Vec<_>, GpuError>>()?;
    let scratch = gpu.empty("scratch", plan.scratch_bytes())?;
    let mut bindings: Vec<_> =
        buffers.iter().map(|(name, buffer)| (*name, buffer.as_entire_buffer_binding())).collect();
    bindings.push(("scratch", scratch.as_entire_buffer_binding()));
    let bind = || plan.bind_named(gpu.device(), &bindings).map_err(VerifyError::from);
    let bind_seconds = spread(samples * 10, || Ok(timed(bind)?.1))?;

    let call = bind()?;
    let by_hand = plan
        .sources()
        .iter()
        .map(|source| ByHand::new(gpu.device(), source, &bindings))
        .collect::<Result<Vec<_>, _>>()?;
    // In turns, so that both meet the same machine.
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for _ in 0..samples {
        ours.push(encode(gpu, |pass| call.record(pass)));
        theirs.push(encode(gpu, |pass| by_hand.iter().for_each(|stage| stage.record(pass))));
    }
    let [record_seconds, record_by_hand_seconds] = [ours, theirs].map(|samples| some(&samples));
    let empty_pass = || gpu.run(|encoder| drop(encoder.begin_compute_pass(&Default::default())));
    let submit_seconds = spread(samples * 5, || Ok(timed(|| empty_pass().map_err(VerifyError::from))?.1))?;
    Ok(Overhead {
        plan_cold_seconds,
        plan_warm_seconds,
        bind_seconds,
        record_seconds,
        record_by_hand_seconds,
        submit_seconds,
    })
}

fn timed<T>(make: impl FnOnce() -> Result<T, VerifyError>) -> Result<(T, f64), VerifyError> {
    let start = Instant::now();
    let made = make()?;
    Ok((made, start.elapsed().as_secs_f64()))
}

fn spread(samples: usize, mut one: impl FnMut() -> Result<f64, VerifyError>) -> Result<Spread, CliError> {
    let samples = (0..samples).map(|_| one()).collect::<Result<Vec<_>, _>>()?;
    Ok(some(&samples))
}

/// Every measurement here has samples.
fn some(samples: &[f64]) -> Spread {
    let nothing = Spread { median: f64::NAN, lower_quartile: f64::NAN, upper_quartile: f64::NAN };
    Spread::of(samples).unwrap_or(nothing)
}

/// Seconds of one call among many, from the empty pass to the finished commands, which are not submitted.
fn encode(gpu: &Gpu, record: impl Fn(&mut wgpu::ComputePass<'_>)) -> f64 {
    let start = Instant::now();
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    let mut pass = encoder.begin_compute_pass(&Default::default());
    (0..CALLS).for_each(|_| record(&mut pass));
    drop(pass);
    drop(encoder.finish());
    start.elapsed().as_secs_f64() / CALLS as f64
}

/// A dispatch as a program without this library records it.
struct ByHand {
    pipeline: wgpu::ComputePipeline,
    bind_group: wgpu::BindGroup,
    workgroups: [u32; 3],
}

impl ByHand {
    fn new(
        device: &wgpu::Device,
        source: &StageSource,
        tensors: &[(&'static str, wgpu::BufferBinding<'_>)],
    ) -> Result<Self, GpuError> {
        with_scopes(device, "a pipeline by hand", || {
            let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: None,
                source: wgpu::ShaderSource::Wgsl(source.wgsl.as_str().into()),
            });
            let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                label: None,
                layout: None,
                module: &module,
                entry_point: Some("main"),
                compilation_options: Default::default(),
                cache: None,
            });
            let params = device.create_buffer(&wgpu::BufferDescriptor {
                label: None,
                size: source.params.len() as u64 * 4,
                usage: wgpu::BufferUsages::UNIFORM,
                mapped_at_creation: false,
            });
            let bound = |name: &&str| tensors.iter().find(|(tensor, _)| tensor == name);
            let storage = source.bindings.iter().filter_map(bound).map(|(_, binding)| binding.clone());
            let entries: Vec<_> = std::iter::once(params.as_entire_buffer_binding())
                .chain(storage)
                .enumerate()
                .map(|(i, buffer)| wgpu::BindGroupEntry {
                    binding: i as u32,
                    resource: wgpu::BindingResource::Buffer(buffer),
                })
                .collect();
            let bind_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: None,
                layout: &pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            Self { pipeline, bind_group, workgroups: source.workgroups }
        })
    }

    fn record(&self, pass: &mut wgpu::ComputePass<'_>) {
        let [x, y, z] = self.workgroups;
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.bind_group, &[]);
        pass.dispatch_workgroups(x, y, z);
    }
}
