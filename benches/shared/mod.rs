//! What the benches of all kernels share: every variant of a descriptor, checked, then timed by the GPU's own timestamps.
//!
//! `LANGEVIN_ADAPTER` picks an adapter. `langevin bench` measures more, against the adapter's ceilings.

use criterion::{BenchmarkId, Criterion, Throughput};
use langevin::gpu::{Gpu, OpenOptions, Stopwatch};
use langevin::reference::generate;
use langevin::verify::{self, RunOptions};
use langevin::{Cost, Kernel, Plan, PlanOptions};
use std::time::Duration;

/// One adapter, and what criterion knows.
pub(crate) struct Bench {
    gpu: Gpu,
    stopwatch: Stopwatch,
    criterion: Criterion,
}

/// Floating-point operations as criterion's elements, so that Gelem/s reads as GFLOP/s; bytes where there are so few of
/// them to a byte that memory bounds the kernel.
fn throughput(cost: Cost) -> Throughput {
    if cost.arithmetic_intensity() < 8.0 {
        Throughput::Bytes((cost.bytes_read + cost.bytes_written) as u64)
    } else {
        Throughput::Elements(cost.flops as u64)
    }
}

impl Bench {
    /// Opens the adapter.
    pub(crate) fn open() -> Self {
        let adapter = std::env::var("LANGEVIN_ADAPTER").ok();
        let gpu = Gpu::open(&OpenOptions { adapter, cooperative: true, minimal: false }).expect("an adapter");
        println!("on {}", gpu.capabilities());
        let stopwatch = Stopwatch::new(&gpu).expect("timestamps");
        Self { gpu, stopwatch, criterion: Criterion::default().sample_size(10).configure_from_args() }
    }

    /// Times every variant of `desc`; `small` is the same problem at a size that the reference answers at once.
    pub(crate) fn time<D: Kernel>(&mut self, name: &str, desc: &D, small: &D) {
        let (gpu, stopwatch) = (&self.gpu, &self.stopwatch);
        let mut group = self.criterion.benchmark_group(D::NAME);
        group.throughput(throughput(desc.cost()));
        let inputs = generate::inputs(desc, 1);
        for variant in desc.variants(gpu.capabilities()) {
            let capabilities = Some(gpu.capabilities().clone());
            let options = PlanOptions { pick: variant.into(), capabilities, ..Default::default() };
            let checked = RunOptions { plan: options.clone() };
            let comparisons = verify::check(gpu, small, &generate::inputs(small, 2), &checked);
            assert!(comparisons.expect("the check runs").iter().all(verify::Comparison::passed));

            let plan = Plan::with_options(gpu.device(), desc, &options).expect("a plan");
            let buffer = |spec: &langevin::reference::TensorSpec| match inputs.get(spec.name) {
                Some(tensor) => gpu.upload(spec.name, &tensor.to_words(0)).expect("a buffer"),
                None => gpu.empty(spec.name, spec.gpu_bytes().expect("a size")).expect("a buffer"),
            };
            let mut buffers: Vec<_> = plan.tensors().iter().map(|spec| (spec.name, buffer(spec))).collect();
            buffers.push(("scratch", gpu.empty("scratch", plan.scratch_bytes()).expect("a buffer")));
            let bindings: Vec<_> =
                buffers.iter().map(|(name, buffer)| (*name, buffer.as_entire_buffer_binding())).collect();
            let call = plan.bind_named(gpu.device(), &bindings).expect("a call");
            group.bench_function(BenchmarkId::new(variant.name, name), |bencher| {
                bencher.iter_custom(|iterations| {
                    let time = |_| stopwatch.time(gpu, |pass| call.record(pass)).expect("a time");
                    (0..iterations).map(time).sum::<Duration>()
                });
            });
        }
        group.finish();
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.criterion.final_summary();
    }
}
