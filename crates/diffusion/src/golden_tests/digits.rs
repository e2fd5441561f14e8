//! The digit model: its activations, and the start of a sampling run.

use super::{Goldens, assert_within, signs, widen};
use crate::dit::{DitProgram, DitShape};
use crate::program::Slot;
use crate::verify::{DRAWS, carried_bound};
use crate::{Caching, DitWeights, Guidance, Noise, Pipeline, PipelineOptions, Start};
use langevin::Format;
use langevin_testkit::gpu;

/// Of the eight steps in the file: the first three, since the references take their time. The tiny model's runs go to the end.
const STEPS: usize = 3;

fn options() -> PipelineOptions {
    PipelineOptions { samples: 4, steps: 8, guidance: Guidance::classifier_free(2.0), ..Default::default() }
}

#[test]
fn one_forward_pass_matches_jax() {
    let goldens = Goldens::read(include_bytes!("../../goldens/digits_dit.safetensors"));
    let weights = DitWeights::digits().unwrap();
    // Each sample has its own time here: as many evaluations of one sample have the same rows of features.
    let shape = DitShape {
        samples: 2,
        predictions: 1,
        turns: 1,
        evaluations: 1,
        states: 1,
        noise: false,
        text_tokens: 0,
        caching: Caching::None,
        weights: Format::F32,
        calibrating: false,
    };
    let mut dit = DitProgram::new(&weights, shape).unwrap();
    dit.taps.iter().for_each(|(_, slot)| dit.program.hold(*slot));
    let x = goldens.f32s("forward.x");
    let mut times = dit.feature_rows(weights.config().timestep_scale, goldens.f64s("forward.t").into_iter());
    let row = times.len() / 4;
    times = [&times[..row], &times[2 * row..3 * row]].concat();
    let labels = dit.label_rows(&weights, &goldens.classes("forward.label")).unwrap();
    let features = dit.inputs.features;
    let inputs: [(Slot, &[f32]); 3] =
        [(dit.state, &x), (features, &times), (dit.inputs.labels.unwrap(), &labels)];
    let commands = [dit.before(), dit.evaluation(0, 1)].concat();

    let run = |disturb: &mut dyn FnMut(f64, f64) -> f64| {
        let mut memory = dit.program.host_memory().unwrap();
        for (slot, values) in inputs {
            // The features are rounded to F32 once: disturb them too.
            let values: Vec<f32> = match slot == features {
                true => values
                    .iter()
                    .map(|&v| disturb(v.into(), Format::F32.rounding_error(v.into())) as f32)
                    .collect(),
                false => values.to_vec(),
            };
            memory.write(slot, &values).unwrap();
        }
        dit.program.run_on_cpu(&mut memory, &commands, disturb).unwrap();
        dit.taps.iter().map(|(_, slot)| widen(memory.get(*slot).to_f32())).collect::<Vec<_>>()
    };
    let exact = run(&mut |value, _| value);
    let disturbed: Vec<_> = (0..DRAWS).map(|seed| run(&mut signs(seed))).collect();

    let on_gpu = gpu().map(|gpu| {
        let program = dit.program.prepare(&gpu, |_, _| ()).unwrap();
        for (slot, values) in inputs {
            program.write(&gpu, slot, values).unwrap();
        }
        program.run(&gpu, &commands).unwrap();
        let read =
            |slot| gpu.download(program.buffer(slot)).unwrap().into_iter().map(f32::from_bits).collect();
        dit.taps.iter().map(|(_, slot)| widen(read(*slot))).collect::<Vec<_>>()
    });
    for (i, (name, _)) in dit.taps.iter().enumerate() {
        let golden = goldens.f64s(&format!("forward.{name}"));
        let runs: Vec<_> = disturbed.iter().map(|run| run[i].clone()).collect();
        let bound = carried_bound(&exact[i], &runs);
        assert_within(&format!("cpu {name}"), &exact[i], &golden, &bound);
        if let Some(on_gpu) = &on_gpu {
            assert_within(&format!("gpu {name}"), &on_gpu[i], &golden, &bound);
        }
    }
}

#[test]
fn a_sampling_run_matches_jax() {
    let goldens = Goldens::read(include_bytes!("../../goldens/digits_dit.safetensors"));
    let weights = DitWeights::digits().unwrap();
    let options = options();
    let (noise, classes) = (goldens.f32s("trajectory.noise"), goldens.classes("trajectory.label"));
    let trajectory = |sampler: &mut Pipeline| {
        let start = Start { classes: &classes, noise: Noise::Given(&noise), ..Default::default() };
        sampler.start(&start).unwrap();
        let mut states = Vec::new();
        for step in 0..STEPS {
            sampler.evaluate(step).unwrap();
            states.push(widen(sampler.pictures().unwrap()));
        }
        states
    };
    let cpu = trajectory(&mut Pipeline::on_cpu(&weights, options).unwrap());
    let disturbed: Vec<_> = (0..DRAWS)
        .map(|seed| trajectory(&mut Pipeline::on_cpu_disturbed(&weights, options, seed).unwrap()))
        .collect();
    let on_gpu = gpu().map(|gpu| trajectory(&mut Pipeline::on_gpu(&gpu, &weights, options).unwrap()));
    for step in 0..STEPS {
        let golden = goldens.f64s(&format!("trajectory.x.{step}"));
        let runs: Vec<_> = disturbed.iter().map(|run| run[step].clone()).collect();
        let bound = carried_bound(&cpu[step], &runs);
        assert_within(&format!("cpu step {step}"), &cpu[step], &golden, &bound);
        if let Some(on_gpu) = &on_gpu {
            assert_within(&format!("gpu step {step}"), &on_gpu[step], &golden, &bound);
        }
    }
}

/// The bound must reject a network that differs where rounding does not reach: here, another class.
#[test]
fn the_wrong_class_is_rejected() {
    let goldens = Goldens::read(include_bytes!("../../goldens/digits_dit.safetensors"));
    let weights = DitWeights::digits().unwrap();
    let options = options();
    let first_state = |seed: Option<u64>, classes: &[usize]| {
        let mut sampler = match seed {
            Some(seed) => Pipeline::on_cpu_disturbed(&weights, options, seed).unwrap(),
            None => Pipeline::on_cpu(&weights, options).unwrap(),
        };
        let noise = goldens.f32s("trajectory.noise");
        sampler.start(&Start { classes, noise: Noise::Given(&noise), ..Default::default() }).unwrap();
        sampler.evaluate(0).unwrap();
        widen(sampler.pictures().unwrap())
    };
    let right = goldens.classes("trajectory.label");
    let exact = first_state(None, &right);
    let disturbed: Vec<_> = (0..DRAWS).map(|seed| first_state(Some(seed), &right)).collect();
    let bound = carried_bound(&exact, &disturbed);
    let wrong = first_state(None, &[1, 3, 5, 9]);
    let golden = goldens.f64s("trajectory.x.0");
    let beyond = |state: &[f64]| {
        state.iter().zip(&golden).zip(&bound).filter(|((s, g), b)| (*s - *g).abs() > **b).count()
    };
    assert_eq!(beyond(&exact), 0);
    assert!(beyond(&wrong) > 32, "only {} of 64 changed elements are beyond the bound", beyond(&wrong));
}
