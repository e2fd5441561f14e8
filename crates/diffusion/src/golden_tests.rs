//! The network against activations and a sampling run that JAX computed in f64 from the same weights.
//!
//! The error allowed is computed: see [`carried_bound`].

use crate::dit::{DitProgram, DitShape};
use crate::program::Slot;
use crate::verify::{DRAWS, carried_bound};
use crate::{DitSampler, DitWeights, SamplerOptions};
use langevin::Format;
use langevin::reference::generate::Random;
use langevin_testkit::gpu;
use safetensors::SafeTensors;

struct Goldens(SafeTensors<'static>);

impl Goldens {
    fn read() -> Self {
        let bytes: &[u8] = include_bytes!("../goldens/digits_dit.safetensors");
        Self(SafeTensors::deserialize(bytes).unwrap())
    }

    fn f64s(&self, name: &str) -> Vec<f64> {
        let view = self.0.tensor(name).unwrap();
        view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn f32s(&self, name: &str) -> Vec<f32> {
        self.f64s(name).into_iter().map(|value| value as f32).collect()
    }

    fn classes(&self, name: &str) -> Vec<usize> {
        let view = self.0.tensor(name).unwrap();
        view.data().chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap()) as usize).collect()
    }
}

fn assert_within(what: &str, got: &[f64], golden: &[f64], bound: &[f64]) {
    assert_eq!(got.len(), golden.len(), "{what}");
    let mut worst = 0.0f64;
    for (i, ((got, golden), bound)) in got.iter().zip(golden).zip(bound).enumerate() {
        assert!((got - golden).abs() <= *bound, "{what}[{i}]: {got}, expected {golden} +- {bound}");
        worst = worst.max((got - golden).abs() / bound);
    }
    let (largest, loosest) =
        (golden.iter().fold(0.0, |m: f64, v| m.max(v.abs())), bound.iter().fold(0.0, |m, &b| b.max(m)));
    println!(
        "{what}: worst {worst:.4} of the bound; largest value {largest:.3}, largest bound {loosest:.2e}"
    );
    assert!(loosest < 0.1 * largest, "{what}: a bound of {loosest} tests nothing for values up to {largest}");
}

/// Moves a value by its bound, up or down.
fn signs(seed: u64) -> impl FnMut(f64, f64) -> f64 {
    let mut random = Random::new(seed);
    move |value, bound| if random.next_u64() & 1 == 0 { value + bound } else { value - bound }
}

fn widen(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}

#[test]
fn one_forward_pass_matches_jax() {
    let goldens = Goldens::read();
    let weights = DitWeights::digits().unwrap();
    let dit =
        DitProgram::new(&weights, DitShape { samples: 2, guided: false, weights: Format::F32 }).unwrap();
    let x = goldens.f32s("forward.x");
    let times = dit.timestep_rows(weights.config(), &goldens.f64s("forward.t"));
    let labels = dit.label_rows(&weights, &goldens.classes("forward.label"));
    let inputs: [(Slot, &[f32]); 4] =
        [(dit.x, &x), (dit.timestep, &times), (dit.labels, &labels), (dit.factors, &[1.0, 0.0])];

    let run = |disturb: &mut dyn FnMut(f64, f64) -> f64| {
        let mut memory = dit.program.host_memory().unwrap();
        for (slot, values) in inputs {
            // The features are rounded to F32 once: disturb them too.
            let values: Vec<f32> = match slot == dit.timestep {
                true => values
                    .iter()
                    .map(|&v| disturb(v.into(), Format::F32.rounding_error(v.into())) as f32)
                    .collect(),
                false => values.to_vec(),
            };
            memory.write(slot, &values).unwrap();
        }
        dit.program.run_on_cpu(&mut memory, disturb).unwrap();
        dit.taps.iter().map(|(_, slot)| widen(memory.get(*slot).to_f32())).collect::<Vec<_>>()
    };
    let exact = run(&mut |value, _| value);
    let disturbed: Vec<_> = (0..DRAWS).map(|seed| run(&mut signs(seed))).collect();

    let on_gpu = gpu().map(|gpu| {
        let program = dit.program.prepare(&gpu).unwrap();
        for (slot, values) in inputs {
            program.write(&gpu, slot, values).unwrap();
        }
        gpu.run(|encoder| program.record(&mut encoder.begin_compute_pass(&Default::default()))).unwrap();
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
    let goldens = Goldens::read();
    let weights = DitWeights::digits().unwrap();
    let options = SamplerOptions { samples: 4, steps: 8, guidance: 2.0, weights: Format::F32 };
    let (noise, classes) = (goldens.f32s("trajectory.noise"), goldens.classes("trajectory.label"));
    let trajectory = |sampler: &mut DitSampler| {
        sampler.start(&noise, &classes).unwrap();
        let mut states = Vec::new();
        for step in 0..options.steps {
            sampler.step(step).unwrap();
            states.push(widen(sampler.pictures().unwrap()));
        }
        states
    };
    let cpu = trajectory(&mut DitSampler::on_cpu(&weights, options).unwrap());
    let disturbed: Vec<_> = (0..DRAWS)
        .map(|seed| trajectory(&mut DitSampler::on_cpu_disturbed(&weights, options, seed).unwrap()))
        .collect();
    let on_gpu = gpu().map(|gpu| trajectory(&mut DitSampler::on_gpu(&gpu, &weights, options).unwrap()));
    for step in 0..options.steps {
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
    let goldens = Goldens::read();
    let weights = DitWeights::digits().unwrap();
    let options = SamplerOptions { samples: 4, steps: 8, guidance: 2.0, weights: Format::F32 };
    let first_state = |seed: Option<u64>, classes: &[usize]| {
        let mut sampler = match seed {
            Some(seed) => DitSampler::on_cpu_disturbed(&weights, options, seed).unwrap(),
            None => DitSampler::on_cpu(&weights, options).unwrap(),
        };
        sampler.start(&goldens.f32s("trajectory.noise"), classes).unwrap();
        sampler.step(0).unwrap();
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
