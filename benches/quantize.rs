//! Quantize and dequantize beside the machine's own copy of as many bytes, and beside a shader that only copies, all in
//! turns; the answer is checked before it is timed.
//!
//! `cargo bench --bench quantize`, optionally with `LANGEVIN_ADAPTER` to pick an adapter, and a part of a case's name.

use langevin::gpu::{
    Access, Binding, ComputeStage, Element, Gpu, OpenOptions, ParamValue, Shader, ShaderPart, StageDesc,
};
use langevin::reference::{Role, generate};
use langevin::verify::{self, RunOptions};
use langevin::{DequantizeDesc, Format, Granularity, Kernel, Plan, PlanOptions, QuantizeDesc};
use std::hint::black_box;
use std::time::{Duration, Instant};

const ROUNDS: usize = 11;

/// Copies words; a workgroup of 8 takes 64 neighbouring ones, what a vector of a CPU does best.
const COPY: &str = "
@compute @workgroup_size(8)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>,
        @builtin(local_invocation_index) local: u32) {
  let start = (group.x + group.y * groups.x) * 64u + local;
  // @repeat U 8
  let word_U = source[min(start + U * 8u, p.last)];
  // @end
  // @repeat U 8
  target_words[min(start + U * 8u, p.last)] = word_U;
  // @end
}";

/// The time of one submit, the waiting included.
fn time(gpu: &Gpu, record: impl FnOnce(&mut wgpu::ComputePass<'_>)) -> Duration {
    let start = Instant::now();
    gpu.run(|encoder| record(&mut encoder.begin_compute_pass(&Default::default()))).expect("a run");
    start.elapsed()
}

/// A shader that copies so many words.
struct CopyShader {
    stage: ComputeStage,
    group: wgpu::BindGroup,
    words: u32,
}

impl CopyShader {
    fn new(gpu: &Gpu, words: u32) -> Self {
        let binding = |name, access| Binding { name, element: Element::Word, access };
        let shader = Shader {
            params: vec![("last", ParamValue::U32(words - 1))],
            bindings: vec![binding("source", Access::Read), binding("target_words", Access::ReadWrite)],
            parts: vec![ShaderPart::new("copy", COPY)],
            ..Default::default()
        };
        let desc = StageDesc { label: "copy", shader: &shader, binding_bytes: &[4, 4], checked: false };
        let stage = ComputeStage::new(gpu.device(), &desc).expect("a shader");
        let buffers =
            ["source", "target"].map(|label| gpu.empty(label, u64::from(words) * 4).expect("memory"));
        let bindings = buffers.each_ref().map(wgpu::Buffer::as_entire_buffer_binding);
        let group = stage.bind(gpu.device(), "copy", &bindings);
        Self { stage, group, words }
    }

    fn time(&self, gpu: &Gpu) -> Duration {
        let groups = self.words.div_ceil(64);
        time(gpu, |pass| {
            pass.set_pipeline(self.stage.pipeline());
            pass.set_bind_group(0, &self.group, &[]);
            pass.dispatch_workgroups(groups.min(32768), groups.div_ceil(32768), 1);
        })
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort();
    times[times.len() / 2].as_secs_f64()
}

/// Times every variant of a descriptor; `small` is the same at a size whose answer is quickly known.
fn bench<D: Kernel>(gpu: &Gpu, name: &str, desc: &D, small: &D) {
    if !std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).all(|part| name.contains(&part)) {
        return;
    }
    let cost = desc.cost();
    let bytes = (cost.bytes_read + cost.bytes_written) as usize;
    let copy = CopyShader::new(gpu, (bytes / 8) as u32);
    let (source, mut target) = (vec![1_u8; bytes / 2], vec![0_u8; bytes / 2]);
    for variant in desc.variants(gpu.capabilities()) {
        let plan = PlanOptions { pick: variant.into(), ..Default::default() };
        let options = RunOptions { plan: plan.clone() };
        let comparisons = verify::check(gpu, small, &generate::inputs(small, 2), &options).expect("a check");
        assert!(comparisons.iter().all(verify::Comparison::passed), "{comparisons:?}");

        let kernel = Plan::with_options(gpu.device(), desc, &plan).expect("a plan");
        let inputs = generate::inputs(desc, 1);
        let mut buffers = Vec::new();
        for spec in desc.tensors() {
            let buffer = match spec.role {
                Role::Output => gpu.empty(spec.name, spec.gpu_bytes().expect("a size")),
                _ => gpu.upload(spec.name, &inputs.get(spec.name).expect("an input").to_words(0)),
            };
            buffers.push((spec.name, buffer.expect("a buffer")));
        }
        if kernel.scratch_bytes() > 0 {
            buffers.push(("scratch", gpu.empty("scratch", kernel.scratch_bytes()).expect("a buffer")));
        }
        let bound: Vec<_> = buffers.iter().map(|(name, b)| (*name, b.as_entire_buffer_binding())).collect();
        let call = kernel.bind_named(gpu.device(), &bound).expect("a call");
        let [mut kernels, mut shaders, mut copies] = [const { Vec::new() }; 3];
        for round in 0..=ROUNDS {
            let kernel = time(gpu, |pass| call.record(pass));
            let shader = copy.time(gpu);
            let start = Instant::now();
            target.copy_from_slice(black_box(&source));
            black_box(&mut target);
            // The first round warms up.
            if round > 0 {
                kernels.push(kernel);
                shaders.push(shader);
                copies.push(start.elapsed());
            }
        }
        let [kernel, shader, copy] = [kernels, shaders, copies].map(median);
        println!(
            "{name:32} {:8} {:8.2} ms {:7.2} GB/s | {:5.1} % of the copying shader | {:5.1} % of the host's copy ({:.1} GB/s)",
            variant.name,
            kernel * 1e3,
            bytes as f64 / kernel / 1e9,
            100.0 * shader / kernel,
            100.0 * copy / kernel,
            bytes as f64 / copy / 1e9,
        );
    }
}

fn main() {
    let options = OpenOptions { adapter: std::env::var("LANGEVIN_ADAPTER").ok(), ..Default::default() };
    let gpu = Gpu::open(&options).expect("an adapter");
    println!("on {}, medians of {ROUNDS}", gpu.capabilities());
    let shapes = [vec![8192, 4096], vec![40, 300]];
    for (x, q) in [(Format::BF16, Format::E4m3), (Format::BF16, Format::I8), (Format::F32, Format::E4m3)] {
        for granularity in [Granularity::PerRow, Granularity::PerGroup(128), Granularity::PerTensor] {
            let descs =
                shapes.clone().map(|shape| QuantizeDesc { shape, x, q, granularity, ..Default::default() });
            let name = format!("quantize {x} -> {q} {granularity:?}");
            bench(&gpu, &name, &descs[0], &descs[1]);
        }
    }
    for q in [Format::E4m3, Format::I8] {
        let (out, granularity) = (Format::F16, Granularity::PerRow);
        let descs =
            shapes.clone().map(|shape| DequantizeDesc { shape, q, out, granularity, ..Default::default() });
        bench(&gpu, &format!("dequantize {q} -> {out} {granularity:?}"), &descs[0], &descs[1]);
    }
}
