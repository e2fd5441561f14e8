//! Matmul variants side by side, by the GPU's own timestamps; the answer is checked before it is timed.
//!
//! `cargo bench --bench matmul`, optionally with `LANGEVIN_ADAPTER` to pick an adapter.

use criterion::{BenchmarkId, Criterion, Throughput};
use langevin::gpu::{Gpu, OpenOptions, Stopwatch};
use langevin::reference::{Op, generate};
use langevin::verify::{self, RunOptions};
use langevin::{Format, Kernel, Matmul, MatmulBuffers, MatmulDesc, PlanOptions};
use std::time::Duration;

fn time_variants(criterion: &mut Criterion, gpu: &Gpu, stopwatch: &Stopwatch, b: Format, size: usize) {
    let desc = MatmulDesc { m: size, k: size, n: size, b: b.into(), ..Default::default() };
    let inputs = generate::inputs(&desc, 1);
    let mut group = criterion.benchmark_group(format!("matmul f32 x {b}"));
    // An element is a floating-point operation: Gelem/s reads as GFLOP/s.
    group.throughput(Throughput::Elements(desc.cost().flops as u64));
    for variant in desc.variants(gpu.capabilities()) {
        let plan = PlanOptions { pick: variant.into(), ..Default::default() };
        let small = MatmulDesc { m: 100, k: 100, n: 100, ..desc.clone() };
        let options = RunOptions { plan: plan.clone() };
        let comparisons =
            verify::check(gpu, &small, &generate::inputs(&small, 2), &options).expect("the check runs");
        assert!(comparisons.iter().all(verify::Comparison::passed), "{comparisons:?}");

        let matmul = Matmul::with_options(gpu.device(), &desc, &plan).expect("a plan");
        let words = |name: &str| inputs.get(name).expect("an input").to_words(0);
        let a = gpu.upload("a", &words("a")).expect("a buffer");
        let b = gpu.upload("b", &words("b")).expect("a buffer");
        let out = gpu.empty("out", size as u64 * size as u64 * 4).expect("a buffer");
        let [a, b, out] = [&a, &b, &out].map(wgpu::Buffer::as_entire_buffer_binding);
        let call = matmul.bind(gpu.device(), MatmulBuffers::new(a, b, out)).expect("a call");
        group.bench_function(BenchmarkId::new(variant.name, size), |bencher| {
            bencher.iter_custom(|iterations| {
                let time = |_| stopwatch.time(gpu, |pass| call.record(pass)).expect("a time");
                (0..iterations).map(time).sum::<Duration>()
            });
        });
    }
    group.finish();
}

fn main() {
    let options = OpenOptions { adapter: std::env::var("LANGEVIN_ADAPTER").ok(), ..Default::default() };
    let gpu = Gpu::open(&options).expect("an adapter");
    println!("on {}", gpu.capabilities());
    let stopwatch = Stopwatch::new(&gpu).expect("timestamps");
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    for size in [256, 512, 1024] {
        time_variants(&mut criterion, &gpu, &stopwatch, Format::F32, size);
    }
    for format in [Format::F16, Format::E4m3, Format::I8] {
        time_variants(&mut criterion, &gpu, &stopwatch, format, 512);
    }
    criterion.final_summary();
}
