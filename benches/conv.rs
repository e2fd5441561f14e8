//! Convolutions by the GPU's own timestamps; the answer is checked before it is timed.
//!
//! `cargo bench --bench conv`, optionally with `LANGEVIN_ADAPTER` to pick an adapter.

use criterion::{BenchmarkId, Criterion, Throughput};
use langevin::gpu::{Gpu, OpenOptions, Stopwatch};
use langevin::reference::generate;
use langevin::verify::{self, RunOptions};
use langevin::{Boundary, Conv, ConvBuffers, ConvDesc};
use std::time::Duration;

fn time_layer(criterion: &mut Criterion, gpu: &Gpu, stopwatch: &Stopwatch, name: &str, desc: &ConvDesc) {
    let small = ConvDesc { spatial: vec![9, 11], ..desc.clone() };
    let comparisons = verify::check(gpu, &small, &generate::inputs(&small, 2), &RunOptions::default());
    assert!(comparisons.expect("the check runs").iter().all(verify::Comparison::passed));

    let conv = Conv::new(gpu.device(), desc).expect("a plan");
    let inputs = generate::inputs(desc, 1);
    let words = |name: &str| inputs.get(name).expect("an input").to_words(0);
    let x = gpu.upload("x", &words("x")).expect("a buffer");
    let w = gpu.upload("w", &words("w")).expect("a buffer");
    let out_spec = conv.tensors().last().expect("the output");
    let out = gpu.empty("out", out_spec.gpu_bytes().expect("a size")).expect("a buffer");
    let [x, w, out] = [&x, &w, &out].map(wgpu::Buffer::as_entire_buffer_binding);
    let call = conv.bind(gpu.device(), ConvBuffers::new(x, w, out)).expect("a call");
    let mut group = criterion.benchmark_group("conv");
    // An element is a floating-point operation: Gelem/s reads as GFLOP/s.
    group.throughput(Throughput::Elements(conv.cost().flops as u64));
    group.bench_function(BenchmarkId::new(name, format!("{:?}", desc.spatial)), |bencher| {
        bencher.iter_custom(|iterations| {
            let time = |_| stopwatch.time(gpu, |pass| call.record(pass)).expect("a time");
            (0..iterations).map(time).sum::<Duration>()
        });
    });
    group.finish();
}

fn main() {
    let options = OpenOptions { adapter: std::env::var("LANGEVIN_ADAPTER").ok(), ..Default::default() };
    let gpu = Gpu::open(&options).expect("an adapter");
    println!("on {}", gpu.capabilities());
    let stopwatch = Stopwatch::new(&gpu).expect("timestamps");
    let mut criterion = Criterion::default().sample_size(10).configure_from_args();
    let layer = |channels: usize, extent: usize| ConvDesc {
        in_channels: channels,
        out_channels: channels,
        spatial: vec![extent, extent],
        kernel: vec![3, 3],
        padding: vec![[1, 1]],
        boundary: vec![Boundary::Circular],
        ..Default::default()
    };
    time_layer(&mut criterion, &gpu, &stopwatch, "64 to 64", &layer(64, 64));
    time_layer(&mut criterion, &gpu, &stopwatch, "depthwise 64", &ConvDesc { groups: 64, ..layer(64, 64) });
    time_layer(&mut criterion, &gpu, &stopwatch, "1 to 1", &layer(1, 1024));
    criterion.final_summary();
}
