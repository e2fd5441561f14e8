//! Generated digits, judged by a nearest-neighbour classifier on the real ones.

use langevin::verify::{Dtype, Op, Tensor, Tensors};
use langevin::{Format, Gpu};
use langevin_diffusion::quality::RealDigits;
use langevin_diffusion::quantization::{Policy, Schemes, Source, quantize_file, scale_name};
use langevin_diffusion::{Checkpoint, DitConfig, DitWeights, Noise, Pipeline, PipelineOptions, Start, noise};
use langevin_testkit::gpu;
use safetensors::SafeTensors;
use std::io::Cursor;

const EACH: usize = 20;

/// Samples of every digit, most of which must be that digit.
fn digits_are_right(gpu: &Gpu, weights: &DitWeights, format: Format, each: usize, what: &str) {
    let real = RealDigits::load().unwrap();
    let classes: Vec<usize> = (0..10 * each).map(|i| i % 10).collect();
    let start = Start { classes: &classes, noise: Noise::Seeded { seed: 1, first: 0 }, ..Default::default() };
    let options =
        PipelineOptions { samples: classes.len(), steps: 10, weights: format, ..Default::default() };
    let mut pipeline = Pipeline::on_gpu(gpu, weights, options).unwrap();
    let started = std::time::Instant::now();
    let pictures = pipeline.sample(&start, |_| ()).unwrap();
    let right = real.accuracy(&pictures, &classes);
    println!("{what}: {:.1} % right, {:.1} s", right * 100.0, started.elapsed().as_secs_f64());
    assert!(right >= 0.9, "{what}: only {right} of the digits are right");
    // The next digit must not do: a classifier that agrees with everything proves nothing.
    let next: Vec<usize> = classes.iter().map(|class| (class + 1) % 10).collect();
    assert!(real.accuracy(&pictures, &next) < 0.1, "{what}");
}

#[test]
fn generated_digits_are_the_digits_asked_for() {
    let Some(gpu) = gpu() else { return };
    let weights = DitWeights::digits().unwrap();
    for format in [Format::F32, Format::E4m3] {
        digits_are_right(&gpu, &weights, format, EACH, format.name());
    }
    // Half as many tell 90 % from less as well.
    for format in [Format::E5m2, Format::I8] {
        digits_are_right(&gpu, &weights, format, EACH / 2, format.name());
    }
}

/// The model's file quantized to MXFP8 by a policy, and its numbers as they then are.
#[test]
fn digits_of_a_model_quantized_to_mxfp8_are_right() {
    let Some(gpu) = gpu() else { return };
    let policy = r#"{"rule": [{"tensors": "transformer_blocks.*.norm1.emb.**", "format": "keep"},
                              {"tensors": "transformer_blocks.**.weight", "format": "e4m3",
                               "granularity": {"per_group": 32}, "scale_rounding": "rceil"}]}"#;
    let mut source = Source::new(Cursor::new(include_bytes!("../weights/digits_dit.safetensors"))).unwrap();
    let mut quantized = Cursor::new(Vec::new());
    let policy = Policy::from_json(policy).unwrap();
    let reports = quantize_file(&gpu, &policy, &mut source, &mut quantized, |_| ()).unwrap();
    let changed: Vec<_> = reports.iter().filter_map(|report| report.measure).collect();
    // Seven matrices in each of four blocks.
    assert_eq!(changed.len(), 28);
    for measure in changed {
        // An error is at most 2^-4 of its number: 24.08 dB, less what the subnormals of the codes add.
        assert!(measure.snr_db() > 24.0 && measure.clipped == 0, "{measure:?}");
    }
    let config = DitConfig::from_json(include_str!("../weights/digits_dit.json")).unwrap();
    let weights =
        DitWeights::new(Checkpoint::from_bytes(dequantized(&quantized.into_inner())).unwrap(), &config)
            .unwrap();
    digits_are_right(&gpu, &weights, Format::F32, EACH / 2, "mxfp8");
}

/// The file of the numbers that the codes of another stand for.
fn dequantized(bytes: &[u8]) -> Vec<u8> {
    let file = SafeTensors::deserialize(bytes).unwrap();
    let (_, header) = SafeTensors::read_metadata(bytes).unwrap();
    let schemes = Schemes::from_metadata(header.metadata().as_ref()).unwrap();
    let scales: Vec<String> = schemes.iter().map(|(name, _)| scale_name(name)).collect();
    let mut parts = Vec::new();
    for (name, view) in file.tensors().into_iter().filter(|(name, _)| !scales.contains(name)) {
        let Some(scheme) = schemes.get(&name) else {
            parts.push((name, view.dtype(), view.shape().to_vec(), view.data().to_vec()));
            continue;
        };
        let desc = scheme.dequantize(view.shape(), Format::F32);
        let scale = file.tensor(&scale_name(&name)).unwrap();
        let mut inputs = Tensors::new();
        inputs.insert("q", Tensor::new(scheme.format, &desc.shape, view.data().to_vec()).unwrap());
        inputs.insert("scale", Tensor::new(Dtype::E8m0, scale.shape(), scale.data().to_vec()).unwrap());
        let numbers = desc.evaluate(&inputs).unwrap()[0].values();
        let data = numbers.iter().flat_map(|&number| (number as f32).to_le_bytes()).collect();
        parts.push((name, safetensors::Dtype::F32, view.shape().to_vec(), data));
    }
    let views = parts.iter().map(|(name, dtype, shape, data)| {
        (name, safetensors::tensor::TensorView::new(*dtype, shape.clone(), data).unwrap())
    });
    safetensors::serialize(views, None).unwrap()
}

/// Every format of the weights gives other pictures than f32, so it is really used, and nearer ones than other noise gives.
#[test]
fn every_weight_format_runs_and_differs() {
    let Some(gpu) = gpu() else { return };
    let weights = DitWeights::digits().unwrap();
    let sample_from = |seed, weights_format| {
        let options = PipelineOptions { samples: 2, steps: 4, weights: weights_format, ..Default::default() };
        let start = Start { classes: &[3, 8], noise: Noise::Seeded { seed, first: 0 }, ..Default::default() };
        Pipeline::on_gpu(&gpu, &weights, options).unwrap().sample(&start, |_| ()).unwrap()
    };
    let sample = |weights_format| sample_from(2, weights_format);
    let exact = sample(Format::F32);
    assert_eq!(exact, sample(Format::F32), "the same seed gives the same bits");
    let distance =
        |x: &[f32]| x.iter().zip(&exact).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
    let other_noise = distance(&sample_from(3, Format::F32));
    for format in [Format::BF16, Format::E4m3, Format::E5m2, Format::I8] {
        let off = distance(&sample(format));
        println!("{format}: {off:.4} from f32; other noise {other_noise:.4}");
        assert!(off > 0.0 && off < other_noise, "{format}: {off}");
    }
    // The weights were trained into F16, so F16 loses nothing.
    assert_eq!(exact, sample(Format::F16));
}

#[test]
fn noise_depends_on_the_seed_the_draw_and_the_index_alone() {
    let all = noise(5, 0, 0..4, 64);
    assert_eq!(noise(5, 0, 2..3, 64), all[128..192]);
    assert_ne!(noise(6, 0, 0..4, 64), all);
    assert_ne!(noise(5, 1, 0..4, 64), all);
    let mean = noise(5, 0, 0..500, 64).iter().map(|&x| f64::from(x)).sum::<f64>() / 32_000.0;
    // Six standard errors of the mean of 32,000 unit normals.
    assert!(mean.abs() < 6.0 / 32_000f64.sqrt(), "{mean}");
}
