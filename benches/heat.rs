//! One step of the heat equation by the GPU's own timestamps; the answer is checked before it is timed.
//!
//! `cargo bench --bench heat`, optionally with `LANGEVIN_ADAPTER` to pick an adapter.

use criterion::{BenchmarkId, Criterion, Throughput};
use langevin::gpu::{Gpu, OpenOptions, Stopwatch};
use langevin::reference::generate;
use langevin::verify::{self, RunOptions};
use langevin::{Format, Heat, HeatBuffers, HeatDesc};
use std::time::Duration;

fn time_step(criterion: &mut Criterion, gpu: &Gpu, stopwatch: &Stopwatch, spatial: &[usize], format: Format) {
    let square = |spatial: &[usize]| HeatDesc {
        spatial: spatial.to_vec(),
        time_step: 0.1,
        u: format,
        out: format,
        ..Default::default()
    };
    let small = square(&spatial.iter().map(|extent| extent / 16 + 3).collect::<Vec<_>>());
    let comparisons = verify::check(gpu, &small, &generate::inputs(&small, 2), &RunOptions::default());
    assert!(comparisons.expect("the check runs").iter().all(verify::Comparison::passed));

    let desc = square(spatial);
    let heat = Heat::new(gpu.device(), &desc).expect("a plan");
    let inputs = generate::inputs(&desc, 1);
    let words = inputs.get("u").expect("an input").to_words(0);
    let u = gpu.upload("u", &words).expect("a buffer");
    let out = gpu.empty("out", words.len() as u64 * 4).expect("a buffer");
    let [u, out] = [&u, &out].map(wgpu::Buffer::as_entire_buffer_binding);
    let call = heat.bind(gpu.device(), HeatBuffers::new(u, out)).expect("a call");
    let mut group = criterion.benchmark_group("heat");
    group.throughput(Throughput::Elements(spatial.iter().product::<usize>() as u64));
    group.bench_function(BenchmarkId::new(format.name(), format!("{spatial:?}")), |bencher| {
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
    for format in [Format::F32, Format::F16] {
        time_step(&mut criterion, &gpu, &stopwatch, &[1024, 1024], format);
    }
    time_step(&mut criterion, &gpu, &stopwatch, &[4096, 4096], Format::F32);
    time_step(&mut criterion, &gpu, &stopwatch, &[128, 128, 128], Format::F32);
    criterion.final_summary();
}
