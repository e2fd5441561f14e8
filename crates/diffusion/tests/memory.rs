//! The memory that is planned is the memory that is taken.

use langevin::gpu::Traffic;
use langevin::{Capabilities, Format};
use langevin_diffusion::quantization::Calibration;
use langevin_diffusion::{
    Caching, DiffusionError, DitConfig, DitWeights, Guidance, Passes, Pipeline, PipelineOptions,
    PipelinePlan, Positions, Precision, QkNorm, Sampler, Start, Storage,
};
use langevin_testkit::gpu;

fn options(samples: usize) -> PipelineOptions {
    PipelineOptions { samples, steps: 10, ..Default::default() }
}

/// wgpu's own account of what the device has given out, before and after a pipeline is made.
#[test]
fn what_is_planned_is_what_is_allocated() {
    let Some(gpu) = gpu() else { return };
    let allocated = || {
        gpu.wait().unwrap();
        gpu.device().generate_allocator_report().map(|report| report.total_allocated_bytes)
    };
    let weights = DitWeights::digits().unwrap();
    let in_turn = Guidance::ClassifierFree { scale: 2.0, interval: [0.0, 1.0], passes: Passes::InTurn };
    for options in [
        options(40),
        PipelineOptions { weights: Format::E4m3, sampler: Sampler::Lms { order: 4 }, ..options(40) },
        PipelineOptions { guidance: in_turn, ..options(40) },
        PipelineOptions { caching: Caching::Taylor { every: 2, order: 2 }, ..options(20) },
    ] {
        let Some(before) = allocated() else { return println!("skipped: the backend gives no account") };
        let pipeline = Pipeline::on_gpu(&gpu, &weights, options).unwrap();
        let after = allocated().unwrap();
        let memory = *pipeline.memory().unwrap();
        let (planned, taken) = (memory.total(), after - before);
        println!("planned {planned}, taken {taken}: {:.4}", planned as f64 / taken as f64);
        assert!((planned as f64 / taken as f64 - 1.0).abs() < 0.02, "{taken} bytes were taken:\n{memory}");
    }
}

#[test]
fn activations_share_memory_and_the_parts_follow_the_options() {
    let weights = DitWeights::digits().unwrap();
    let memory =
        |options| PipelinePlan::new(&weights, options).unwrap().memory(&Capabilities::minimal()).unwrap();
    let plain = memory(options(40));
    assert!(plain.activations * 4 < plain.activations_unshared, "{plain}");
    assert_eq!(plain.parts().iter().map(|(_, bytes)| bytes).sum::<u64>(), plain.total());
    let eight_bits = memory(PipelineOptions { weights: Format::E4m3, ..options(40) });
    assert!(eight_bits.weights * 3 < plain.weights, "{eight_bits}");
    assert_eq!(eight_bits.activations, plain.activations);
    // Half the batch, half the activations.
    let in_turn = Guidance::ClassifierFree { scale: 2.0, interval: [0.0, 1.0], passes: Passes::InTurn };
    let half = memory(PipelineOptions { guidance: in_turn, ..options(40) });
    assert_eq!(half.activations * 2, plain.activations, "{half}");
    // Three more slopes of 40 pictures of 64 numbers.
    let lms = memory(PipelineOptions { sampler: Sampler::Lms { order: 4 }, ..options(40) });
    assert!(lms.run - plain.run >= 3 * 40 * 64 * 4 && lms.run - plain.run < 4 * 40 * 64 * 4, "{lms}");
}

/// DiT-XL/2 in 16 bits and 8: 675 million parameters, most of which are in the chosen format.
#[test]
fn a_large_model_is_planned_without_its_weights() {
    let weights = DitWeights::random(&DitConfig::dit_xl_2(), 0).unwrap();
    let of = |format| {
        let options = PipelineOptions { weights: format, ..options(1) };
        PipelinePlan::new(&weights, options).unwrap().memory(&Capabilities::minimal()).unwrap()
    };
    let [wide, narrow] = [of(Format::BF16), of(Format::E4m3)];
    println!("{wide}\n{narrow}");
    let parameters = weights.parameters();
    assert!((2 * parameters..2 * parameters + 20_000_000).contains(&wide.weights), "{wide}");
    assert!((parameters..parameters + 20_000_000).contains(&narrow.weights), "{narrow}");
    assert_eq!(wide.binds().0, "weights");
}

/// Dispatches that a block more takes.
fn block_dispatches(config: &DitConfig, precision: Option<&Precision>, options: PipelineOptions) -> usize {
    block_dispatches_on(&whole(), config, precision, options)
}

/// A device on which no call is divided among more workgroups than its output has tiles.
fn whole() -> Capabilities {
    Capabilities { device_type: langevin::wgpu::DeviceType::Cpu, ..Capabilities::minimal() }
}

fn block_dispatches_on(
    capabilities: &Capabilities,
    config: &DitConfig,
    precision: Option<&Precision>,
    options: PipelineOptions,
) -> usize {
    let dispatches = |num_layers| -> usize {
        let config = DitConfig { num_layers, ..config.clone() };
        let mut weights = DitWeights::random(&config, 0).unwrap();
        if let Some(precision) = precision {
            let mut known = Calibration::default();
            for (block, layer) in (0..num_layers)
                .flat_map(|i| ["attn1.to_q", "attn1.to_out.0", "ff.net.0.proj", "ff.net.2"].map(|l| (i, l)))
            {
                known.histogram(&format!("transformer_blocks.{block}.{layer}")).observe(&[1.0, -2.0]);
            }
            weights = weights.with_precision(precision, Some(&known)).unwrap();
        }
        let plan = PipelinePlan::new(&weights, options).unwrap();
        let kernels = plan.evaluation_kernels(capabilities).unwrap();
        kernels.iter().map(|kernel| kernel.dispatches).sum()
    };
    dispatches(3) - dispatches(2)
}

/// What [`PipelinePlan::evaluation_kernels`] says of a block, for every policy.
#[test]
fn a_block_is_few_dispatches() {
    let config = DitConfig::dit_s_2();
    let plain = |weights| block_dispatches(&config, None, PipelineOptions { weights, ..options(1) });
    for format in Format::ALL {
        assert_eq!(plain(format), 7, "{format}");
    }
    // On a GPU small products and the attention may each have a second dispatch, which adds up their parts.
    let divided = block_dispatches_on(&Capabilities::minimal(), &config, None, options(1));
    assert!((7..=7 + 5).contains(&divided), "{divided}");
    let of = |precision: &Precision| block_dispatches(&config, Some(precision), options(1));
    let storages = Format::ALL.map(Storage::Plain).into_iter().chain([Storage::Mxfp8]);
    for (weights, activations) in storages.flat_map(|weights| Format::ALL.map(|format| (weights, format))) {
        let mut precision = Precision::of_blocks(weights, activations);
        let found = activations.bits() == 8;
        assert_eq!(of(&precision), if found { 9 } else { 7 }, "{weights} by {activations}");
        if found {
            precision.rules[0].calibrated = true;
            assert_eq!(of(&precision), 8, "{weights} by calibrated {activations}");
        }
    }
    let text = DitConfig { cross_attention_dim: Some(64), ..config.clone() };
    let options = PipelineOptions { text_tokens: 77, ..options(1) };
    assert_eq!(block_dispatches(&text, None, options), 11);
    for positions in [Positions::Rotary, Positions::Learned] {
        for qk_norm in [None, Some(QkNorm::RmsNorm)] {
            let turned = positions == Positions::Rotary || qk_norm.is_some();
            let config = DitConfig { positions, qk_norm, ..config.clone() };
            let got = block_dispatches(&config, None, crate::options(1));
            assert_eq!(got, if turned { 8 } else { 7 }, "{positions:?} {qk_norm:?}");
        }
    }
}

#[test]
fn what_does_not_fit_is_refused_with_the_table() {
    let weights = DitWeights::digits().unwrap();
    let plan = |budget| {
        let options = PipelineOptions { budget: Some(budget), ..options(40) };
        PipelinePlan::new(&weights, options).unwrap()
    };
    let capabilities = Capabilities::minimal();
    let needed = plan(0).memory(&capabilities).unwrap().total();
    plan(needed).fitting_memory(&capabilities).unwrap();
    let error = plan(needed - 1).fitting_memory(&capabilities).unwrap_err();
    let sentence = error.to_string();
    assert!(matches!(error, DiffusionError::Budget { .. }));
    let start =
        format!("the pipeline needs {needed} bytes, more than the {} it may take:\nweights", needed - 1);
    assert!(sentence.starts_with(&start) && sentence.contains("activations"), "{sentence}");
    let mut small = capabilities.clone();
    small.limits.max_buffer_size = 100_000;
    let error = plan(needed).fitting_memory(&small).unwrap_err().to_string();
    assert!(error.contains("and this device allows 100000 in one:\nweights"), "{error}");
    if let Some(gpu) = gpu() {
        let options = PipelineOptions { budget: Some(1000), ..options(1) };
        let error = Pipeline::on_gpu(&gpu, &weights, options).unwrap_err();
        assert!(matches!(error, DiffusionError::Budget { .. }), "{error}");
    }
}

/// What an evaluation asks of the device: one submit, no buffer, and no numbers either way. Times, classes, texts and factors
/// are there since the start. Fresh noise is written; a cache that looks reads two numbers between two submits, and what it
/// reuses it is told by a few factors.
#[test]
fn an_evaluation_is_one_submit_and_moves_no_numbers() {
    let Some(gpu) = gpu() else { return };
    let weights = DitWeights::digits().unwrap();
    let classes = [3, 8];
    let in_turn = Guidance::ClassifierFree { scale: 2.0, interval: [0.3, 0.7], passes: Passes::InTurn };
    let plain = PipelineOptions { samples: 2, steps: 4, ..Default::default() };
    let cached = |caching| PipelineOptions { caching, ..plain };
    // Two numbers are read through a buffer of their own.
    let look = Traffic { submits: 3, buffers: 1, bytes_written: 0, bytes_read: 8 };
    let once = Traffic { submits: 1, ..Default::default() };
    let noise = Traffic { bytes_written: 2 * 64 * 4, ..once };
    // One factor for what leaves the blocks, one for each difference kept, one for what enters them.
    let reused = |from: Traffic, kept: u64| Traffic { bytes_written: 4 * (kept + 2), ..from };
    for (options, expected) in [
        (plain, [once; 4]),
        (PipelineOptions { guidance: in_turn, ..plain }, [once; 4]),
        (PipelineOptions { sampler: Sampler::EulerAncestral, ..plain }, [noise, noise, noise, once]),
        (cached(Caching::Taylor { every: 3, order: 1 }), [once, reused(once, 2), reused(once, 2), once]),
        (cached(Caching::TeaCache { threshold: 1e9 }), [look, reused(look, 1), reused(look, 1), look]),
    ] {
        let mut pipeline = Pipeline::on_gpu(&gpu, &weights, options).unwrap();
        pipeline.start(&Start { classes: &classes, ..Default::default() }).unwrap();
        for (evaluation, expected) in expected.iter().enumerate() {
            let before = gpu.traffic();
            pipeline.evaluate(evaluation).unwrap();
            assert_eq!(gpu.traffic().since(&before), *expected, "{options:?}: {evaluation}");
        }
        let before = gpu.traffic();
        pipeline.pictures().unwrap();
        assert_eq!(gpu.traffic().since(&before).submits, 1);
    }
}

/// A step is timed beside its kernels, every operation of it, and the run after it is not another one.
#[test]
fn a_step_is_timed_beside_its_kernels() {
    let Some(gpu) = gpu() else { return };
    let weights = DitWeights::digits().unwrap();
    let options = PipelineOptions { samples: 2, steps: 2, ..Default::default() };
    let start = Start { classes: &[1, 2], ..Default::default() };
    let mut pipeline = Pipeline::on_gpu(&gpu, &weights, options).unwrap();
    let before = pipeline.sample(&start, |_| ()).unwrap();
    let time = pipeline.time_step(&start, 2).unwrap();
    assert_eq!(before, pipeline.sample(&start, |_| ()).unwrap());
    let plan = pipeline.plan().evaluation_kernels(gpu.capabilities()).unwrap();
    let planned: Vec<_> = plan.iter().map(|kernel| kernel.kernel).collect();
    let timed: Vec<_> = time.kernels.iter().map(|kernel| kernel.kernel).collect();
    assert_eq!(planned, timed);
    // Seven in each of four blocks, and seven beside them.
    assert_eq!(time.kernels.iter().map(|kernel| kernel.operations).sum::<usize>(), 35);
    assert!(time.step > 0.0 && time.sum > 0.0 && time.ratio.is_finite(), "{time:?}");
    assert!(pipeline.time_step(&start, 0).is_err());
    assert!(Pipeline::on_cpu(&weights, options).unwrap().time_step(&start, 1).is_err());
}
