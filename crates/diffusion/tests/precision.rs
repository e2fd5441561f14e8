//! Layers stored and multiplied as a policy says: the references agree, and the digits stay digits.

use langevin::{Capabilities, Format, Gpu};
use langevin_diffusion::quality::RealDigits;
use langevin_diffusion::{
    Checkpoint, DitConfig, DitWeights, Noise, Pipeline, PipelineOptions, PipelinePlan, Precision, Start,
    Storage, check_step,
};
use langevin_testkit::gpu;

fn policy(json: &str) -> Precision {
    serde_json::from_str(&format!(r#"{{"layer": [{json}]}}"#)).unwrap()
}

fn tiny() -> DitWeights {
    let checkpoint = Checkpoint::from_bytes(include_bytes!("../goldens/tiny_dit.safetensors").as_slice());
    let json = include_str!("../goldens/tiny_dit.json");
    DitWeights::new(checkpoint.unwrap(), &DitConfig::from_json(json).unwrap()).unwrap()
}

const CALIBRATED: &str = r#"{"names": "transformer_blocks.*.attn1.**", "weights": "e4m3", "activations": "e4m3",
                            "calibrated": true},
                           {"names": "transformer_blocks.*.ff.**", "weights": "i8", "activations": "i8",
                            "calibrated": true}"#;

/// The first step on the GPU against the references, within the bound that is carried through the network; the same twice,
/// and other numbers than F32, so that the precision is really used.
fn steps_are_right(gpu: &Gpu, policies: &[(&str, Precision)]) {
    let options = PipelineOptions { samples: 2, steps: 5, ..Default::default() };
    let start = Start { classes: &[2, 0], noise: Noise::Seeded { seed: 4, first: 0 }, ..Default::default() };
    let first_step = |pipeline: &mut Pipeline| {
        pipeline.start(&start).unwrap();
        pipeline.evaluate(0).unwrap();
        pipeline.pictures().unwrap()
    };
    let plain = first_step(&mut Pipeline::on_cpu(&tiny(), options).unwrap());
    for (name, precision) in policies {
        let needed = precision.rules.iter().any(|rule| rule.calibrated);
        let calibration = needed.then(|| Pipeline::calibrate(gpu, &tiny(), options, &start).unwrap());
        let weights = tiny().with_precision(precision, calibration.as_ref()).unwrap();
        let comparison = check_step(gpu, &weights, options, &start).unwrap();
        println!("{name}: {comparison}");
        assert!(comparison.passed(), "{name}: {comparison}");
        let mut pipeline = Pipeline::on_gpu(gpu, &weights, options).unwrap();
        let pictures = first_step(&mut pipeline);
        assert_eq!(pictures, first_step(&mut pipeline), "{name}");
        let distance = pictures.iter().zip(&plain).fold(0f32, |far, (a, b)| far.max((a - b).abs()));
        println!("{name}: {distance} from f32");
        assert!(distance > 1e-5 && distance < 0.5, "{name}: {distance} from f32");
    }
}

fn plain(format: Format) -> Precision {
    Precision::of_blocks(Storage::Plain(format), format)
}

#[test]
fn steps_in_16_bits_and_with_mx_weights_are_those_of_the_references() {
    let Some(gpu) = gpu() else { return };
    let mx = |activations| Precision::of_blocks(Storage::Mxfp8, activations);
    steps_are_right(
        &gpu,
        &[
            ("mxfp8", mx(Format::F32)),
            ("mxfp8 by bf16", mx(Format::BF16)),
            ("f16 by f16", plain(Format::F16)),
        ],
    );
}

#[test]
fn steps_in_8_bits_are_those_of_the_references() {
    let Some(gpu) = gpu() else { return };
    steps_are_right(
        &gpu,
        &[
            ("e5m2 by e5m2", plain(Format::E5m2)),
            ("i8 by i8", plain(Format::I8)),
            ("calibrated", policy(CALIBRATED)),
        ],
    );
}

fn digits_are_right(gpu: &Gpu, name: &str, weights: &DitWeights) {
    let classes: Vec<usize> = (0..50).map(|i| i % 10).collect();
    let options = PipelineOptions { samples: classes.len(), steps: 10, ..Default::default() };
    let start = Start { classes: &classes, noise: Noise::Seeded { seed: 1, first: 0 }, ..Default::default() };
    let pictures = Pipeline::on_gpu(gpu, weights, options).unwrap().sample(&start, |_| ()).unwrap();
    let right = RealDigits::load().unwrap().accuracy(&pictures, &classes);
    println!("{name}: {:.1} % right", 100.0 * right);
    assert!(right >= 0.9, "{name}: {right}");
}

#[test]
fn digits_in_mixed_precision_are_right() {
    let Some(gpu) = gpu() else { return };
    let digits = || DitWeights::digits().unwrap();
    let mixed = policy(
        r#"{"names": "transformer_blocks.3.**", "weights": "bf16"},
           {"names": "transformer_blocks.*.attn1.**", "weights": "mxfp8", "activations": "e4m3"},
           {"names": "transformer_blocks.*.ff.**", "weights": "i8", "activations": "i8"}"#,
    );
    // The modulations of the last block are one matrix with those of the others.
    let error = digits().with_precision(&mixed, None).unwrap_err().to_string();
    assert!(error.ends_with("are parts of one matrix and must be of one rule"), "{error}");
    let mixed = Precision {
        rules: policy(
            r#"{"names": ["transformer_blocks.3.attn1.**", "transformer_blocks.3.ff.**"], "weights": "bf16"}"#,
        )
        .rules
        .into_iter()
        .chain(mixed.rules.into_iter().skip(1))
        .collect(),
    };
    digits_are_right(&gpu, "mixed", &digits().with_precision(&mixed, None).unwrap());
    let i8 = Precision::of_blocks(Storage::Plain(Format::I8), Format::I8);
    digits_are_right(&gpu, "i8 by i8", &digits().with_precision(&i8, None).unwrap());
}

#[test]
fn digits_with_calibrated_activations_are_right() {
    let Some(gpu) = gpu() else { return };
    let digits = DitWeights::digits().unwrap();
    let classes: Vec<usize> = (0..10).collect();
    let options = PipelineOptions { samples: 10, steps: 10, ..Default::default() };
    // Another seed than that of the digits that are judged.
    let start =
        Start { classes: &classes, noise: Noise::Seeded { seed: 77, first: 0 }, ..Default::default() };
    let calibration = Pipeline::calibrate(&gpu, &digits, options, &start).unwrap();
    // Four inputs in each of four blocks.
    assert_eq!(calibration.iter().count(), 16);
    let weights = digits.with_precision(&policy(CALIBRATED), Some(&calibration)).unwrap();
    digits_are_right(&gpu, "calibrated", &weights);
}

#[test]
fn policies_change_the_plan_and_senseless_ones_are_one_sentence() {
    let digits = || DitWeights::digits().unwrap();
    let plan = |weights: &DitWeights| PipelinePlan::new(weights, PipelineOptions::default()).unwrap();
    let capabilities = Capabilities::minimal();
    let of = |weights: DitWeights| plan(&weights).memory(&capabilities).unwrap().weights;
    let mx = Precision::of_blocks(Storage::Mxfp8, Format::F32);
    let (plain, small) = (of(digits()), of(digits().with_precision(&mx, None).unwrap()));
    println!("{plain} bytes of weights, {small} with mxfp8 blocks");
    assert!(small < plain * 2 / 3, "{plain} {small}");
    // A plan needs no calibration, and is that of the calibrated weights.
    let planned = digits().with_planned_precision(&policy(CALIBRATED)).unwrap();
    assert!(of(planned) < plain * 2 / 3);
    for (rules, sentence) in [
        (
            r#"{"names": "blocks.**", "weights": "i8"}"#,
            "precision rule 1: no layer of the model is named `blocks.**`",
        ),
        (
            r#"{"names": "**.attn1.to_q", "weights": "i8"}"#,
            "precision rule 1: layers `transformer_blocks.0.attn1.to_q` and `transformer_blocks.0.attn1.to_k` are parts of one \
             matrix and must be of one rule",
        ),
        (
            r#"{"names": "pos_embed.proj", "weights": "i8", "activations": "i8"}"#,
            "precision rule 1: the activations of layer `pos_embed.proj` stay f32",
        ),
        (
            r#"{"names": "**.ff.net.2", "weights": "i8", "activations": "i8", "calibrated": true}"#,
            "precision rule 1: there is no calibration of layer `transformer_blocks.0.ff.net.2`",
        ),
    ] {
        let error = digits().with_precision(&policy(rules), None).unwrap_err().to_string();
        assert_eq!(error, sentence);
    }
}
