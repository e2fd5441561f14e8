//! The memory that is planned is the memory that is taken.

use langevin::{Capabilities, Format};
use langevin_diffusion::{
    Caching, DiffusionError, DitConfig, DitWeights, Guidance, Passes, Pipeline, PipelineOptions,
    PipelinePlan, Precision, Sampler, Storage,
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

/// A block more is seven dispatches more, and eleven where every input is quantized by a scale for each token.
#[test]
fn a_block_is_few_dispatches() {
    let dispatches = |num_layers, precision: Option<&Precision>| -> usize {
        let config = DitConfig { num_layers, ..DitConfig::dit_s_2() };
        let weights = DitWeights::random(&config, 0).unwrap();
        let weights = match precision {
            Some(precision) => weights.with_precision(precision, None).unwrap(),
            None => weights,
        };
        let plan = PipelinePlan::new(&weights, options(1)).unwrap();
        let kernels = plan.evaluation_kernels(&Capabilities::minimal()).unwrap();
        kernels.iter().map(|kernel| kernel.dispatches).sum()
    };
    assert_eq!(dispatches(3, None) - dispatches(2, None), 7);
    let quantized = Precision::of_blocks(Storage::Plain(Format::I8), Format::I8);
    let block = dispatches(3, Some(&quantized)) - dispatches(2, Some(&quantized));
    assert!(block <= 11, "{block}");
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
