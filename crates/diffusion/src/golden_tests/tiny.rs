//! A small random model: every sampler and guidance mode, to the end of a run.

use super::{Goldens, assert_within, widen};
use crate::verify::{DRAWS, carried_bound};
use crate::{
    Checkpoint, DitConfig, DitWeights, Guidance, Noise, NoiseSchedule, Passes, Pipeline, PipelineOptions,
    Prediction, Sampler, Start, Texts,
};
use langevin_testkit::gpu;

const CLASSES: [usize; 2] = [2, 0];

/// A run of the golden file.
struct Case {
    golden: &'static str,
    schedule: NoiseSchedule,
    prediction: Prediction,
    options: PipelineOptions,
    model: Model,
}

#[derive(Clone, Copy)]
struct Model {
    json: &'static str,
    weights: &'static [u8],
    /// The width of a text's tokens.
    text: usize,
}

const CLASSES_ONLY: Model = Model {
    json: include_str!("../../goldens/tiny_dit.json"),
    weights: include_bytes!("../../goldens/tiny_dit.safetensors"),
    text: 0,
};
const CLASSES_AND_TEXT: Model = Model {
    json: include_str!("../../goldens/tiny_text.json"),
    weights: include_bytes!("../../goldens/tiny_text.safetensors"),
    text: 6,
};
const DISTILLED: Model = Model {
    json: include_str!("../../goldens/tiny_distilled.json"),
    weights: include_bytes!("../../goldens/tiny_distilled.safetensors"),
    text: 4,
};
const ROTARY: Model = Model {
    json: include_str!("../../goldens/tiny_rotary.json"),
    weights: include_bytes!("../../goldens/tiny_rotary.safetensors"),
    text: 0,
};
const TEXT_TOKENS: usize = 3;

fn case(golden: &'static str, sampler: &str) -> Case {
    let options = PipelineOptions {
        samples: 2,
        steps: 5,
        sampler: sampler.parse().unwrap(),
        guidance: Guidance::classifier_free(2.0),
        ..Default::default()
    };
    let (schedule, prediction) = (NoiseSchedule::RectifiedFlow, Prediction::Velocity);
    Case { golden, schedule, prediction, options, model: CLASSES_ONLY }
}

impl Case {
    fn guidance(mut self, guidance: Guidance) -> Self {
        self.options.guidance = guidance;
        self
    }

    fn shift(mut self, shift: f64) -> Self {
        self.options.shift = shift;
        self
    }

    fn starting_at(mut self, start_step: usize) -> Self {
        self.options.start_step = start_step;
        self
    }

    fn of(self, schedule: NoiseSchedule, prediction: Prediction) -> Self {
        Self { schedule, prediction, ..self }
    }

    fn by(mut self, model: Model) -> Self {
        self.options.text_tokens = if model.text > 0 { TEXT_TOKENS } else { 0 };
        Self { model, ..self }
    }

    fn weights(&self) -> DitWeights {
        let checkpoint = Checkpoint::from_bytes(self.model.weights).unwrap();
        let config = DitConfig::from_json(self.model.json).unwrap();
        let mut weights = DitWeights::new(checkpoint, &config).unwrap();
        (weights.config.noise_schedule, weights.config.prediction) = (self.schedule, self.prediction);
        weights
    }

    /// The samples after every step, from the golden's own noise.
    fn states(&self, goldens: &Goldens, mut pipeline: Pipeline) -> Vec<Vec<f64>> {
        let noise = goldens.f32s(&format!("{}.noise", self.golden));
        let pictures = goldens.f32s("pictures");
        let pictures = (self.options.start_step > 0).then_some(&pictures[..]);
        let texts = (self.model.text > 0).then(|| goldens.f32s(&format!("{}.texts", self.golden)));
        let row = TEXT_TOKENS * self.model.text;
        let texts = texts.as_ref().map(|all| Texts { texts: &all[..2 * row], without: &all[2 * row..] });
        let classes = if pipeline.plan().config().num_embeds_ada_norm.is_some() { &CLASSES[..] } else { &[] };
        pipeline.start(&Start { classes, noise: Noise::Given(&noise), pictures, texts }).unwrap();
        let mut states = Vec::new();
        for evaluation in 0..pipeline.evaluations() {
            pipeline.evaluate(evaluation).unwrap();
            // A trial step of Heun's is no state of the run.
            let last = evaluation + 1 == pipeline.evaluations();
            if self.options.sampler != Sampler::Heun || evaluation % 2 == 1 || last {
                states.push(widen(pipeline.pictures().unwrap()));
            }
        }
        states
    }
}

fn guidance_cases() -> Vec<Case> {
    let scaled = |interval, passes| Guidance::ClassifierFree { scale: 2.0, interval, passes };
    let (all, some) = ([0.0, 1.0], [0.3, 0.7]);
    vec![
        case("euler", "euler"),
        case("euler", "euler").guidance(scaled(all, Passes::InTurn)),
        case("euler unguided", "euler").guidance(Guidance::None),
        case("euler interval", "euler").guidance(scaled(some, Passes::Together)),
        case("euler interval", "euler").guidance(scaled(some, Passes::InTurn)),
        case("text", "euler").by(CLASSES_AND_TEXT),
        case("text", "euler").by(CLASSES_AND_TEXT).guidance(scaled(all, Passes::InTurn)),
        case("distilled", "euler").by(DISTILLED).guidance(Guidance::Distilled { scale: 2.0 }),
    ]
}

fn sampler_cases() -> Vec<Case> {
    let (linear, scaled_linear, cosine) =
        (NoiseSchedule::Linear, NoiseSchedule::ScaledLinear, NoiseSchedule::Cosine);
    let (velocity, noise, data) = (Prediction::Velocity, Prediction::Noise, Prediction::Data);
    vec![
        case("euler shifted", "euler").shift(3.0),
        case("euler from pictures", "euler").starting_at(2),
        case("heun", "heun"),
        case("euler-ancestral", "euler-ancestral"),
        case("ddim", "ddim:0.5"),
        case("dpmpp-2m", "dpmpp-2m").shift(2.0),
        case("lms", "lms:4"),
        case("ddim, linear", "ddim").of(linear, noise),
        case("heun, linear", "heun").of(linear, noise),
        case("euler-ancestral, linear", "euler-ancestral").of(linear, noise),
        case("dpmpp-2m, scaled linear", "dpmpp-2m").of(scaled_linear, velocity),
        case("lms, scaled linear", "lms:3").of(scaled_linear, noise),
        case("dpmpp-2m, cosine", "dpmpp-2m").of(cosine, data),
        case("lms from pictures, cosine", "lms:4").of(cosine, velocity).starting_at(1),
    ]
}

/// Rotary positions, and queries and keys that are normalised; two predictions in one pass or in turn.
#[test]
fn turned_queries_and_keys_match_jax() {
    let in_turn = Guidance::ClassifierFree { scale: 2.0, interval: [0.0, 1.0], passes: Passes::InTurn };
    let by = || case("rotary", "euler").by(ROTARY);
    runs_match_jax(vec![by(), by().guidance(in_turn)]);
}

#[test]
fn every_guidance_mode_matches_jax() {
    runs_match_jax(guidance_cases());
}

#[test]
fn every_sampler_matches_jax() {
    runs_match_jax(sampler_cases());
}

fn runs_match_jax(cases: Vec<Case>) {
    let goldens = Goldens::read(include_bytes!("../../goldens/tiny_runs.safetensors"));
    let on_gpu = gpu();
    for case in cases {
        let (weights, options) = (case.weights(), case.options);
        let exact = case.states(&goldens, Pipeline::on_cpu(&weights, options).unwrap());
        let disturbed: Vec<_> = (0..DRAWS)
            .map(|seed| case.states(&goldens, Pipeline::on_cpu_disturbed(&weights, options, seed).unwrap()))
            .collect();
        let on_gpu = on_gpu
            .as_ref()
            .map(|gpu| case.states(&goldens, Pipeline::on_gpu(gpu, &weights, options).unwrap()));
        let golden = goldens.f64s(&format!("{}.states", case.golden));
        let size = exact[0].len();
        assert_eq!(golden.len(), exact.len() * size, "{}", case.golden);
        for (step, golden) in golden.chunks(size).enumerate() {
            let runs: Vec<_> = disturbed.iter().map(|run| run[step].clone()).collect();
            let bound = carried_bound(&exact[step], &runs);
            let what = format!("{} step {step}", case.golden);
            assert_within(&format!("cpu {what}"), &exact[step], golden, &bound);
            if let Some(on_gpu) = &on_gpu {
                assert_within(&format!("gpu {what}"), &on_gpu[step], golden, &bound);
            }
        }
    }
}

/// A run under a cache on the GPU is that of the references, which reuse the same evaluations; and a cache that leaves nothing
/// out changes nothing.
#[test]
fn caches_reuse_on_the_gpu_what_the_references_reuse() {
    let goldens = Goldens::read(include_bytes!("../../goldens/tiny_runs.safetensors"));
    let on_gpu = gpu();
    let noise = goldens.f32s("euler.noise");
    let start = Start { classes: &CLASSES, noise: Noise::Given(&noise), ..Default::default() };
    let base = case("euler", "euler");
    let weights = base.weights();
    let run = |mut pipeline: Pipeline| {
        let pictures = widen(pipeline.sample(&start, |_| ()).unwrap());
        (pictures, pipeline.computed().to_vec())
    };
    let options =
        |caching: &str| PipelineOptions { steps: 8, caching: caching.parse().unwrap(), ..base.options };
    let (uncached, all) = run(Pipeline::on_cpu(&weights, options("none")).unwrap());
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6, 7]);
    for (caching, computed) in [
        ("static:1", vec![0, 1, 2, 3, 4, 5, 6, 7]),
        ("static:3", vec![0, 3, 6, 7]),
        ("taylor:2:2", vec![0, 2, 4, 6, 7]),
        ("teacache:0.2", vec![]),
        ("dbcache:1:0.7", vec![]),
    ] {
        let options = options(caching);
        let (exact, by_references) = run(Pipeline::on_cpu(&weights, options).unwrap());
        assert!(computed.is_empty() || computed == by_references, "{caching}: {by_references:?}");
        let disturbed: Vec<_> = (0..DRAWS)
            .map(|seed| run(Pipeline::on_cpu_disturbed(&weights, options, seed).unwrap()).0)
            .collect();
        let bound = carried_bound(&exact, &disturbed);
        let distance = exact.iter().zip(&uncached).fold(0.0f64, |d, (a, b)| d.max((a - b).abs()));
        println!("{caching}: computed {by_references:?}, {distance:.4} from the uncached run");
        if caching == "static:1" {
            assert_within("a cache that leaves nothing out", &exact, &uncached, &bound);
        } else {
            assert!(by_references.len() < 8 && distance > 0.0 && distance < 0.5, "{caching}: {distance}");
        }
        if let Some(gpu) = &on_gpu {
            let (got, computed) = run(Pipeline::on_gpu(gpu, &weights, options).unwrap());
            assert_eq!(computed, by_references, "{caching}");
            assert_within(&format!("gpu {caching}"), &got, &exact, &bound);
        }
    }
}
