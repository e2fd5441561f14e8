//! Evaluations that reuse what earlier ones left: the digits stay digits at the documented settings, near the uncached run.

use langevin_diffusion::quality::{RealDigits, psnr};
use langevin_diffusion::{
    Caching, DitWeights, Guidance, Noise, Passes, Pipeline, PipelineOptions, PipelinePlan, Sampler, Start,
};
use langevin_testkit::gpu;

/// The settings that `langevin evaluate` compares, and the most of 30 evaluations that each computes.
const SETTINGS: [(&str, usize); 4] =
    [("static:2", 16), ("taylor:3:1", 12), ("teacache:0.3", 24), ("dbcache:1:0.2", 27)];

#[test]
fn digits_of_a_run_that_reuses_are_right() {
    let Some(gpu) = gpu() else { return };
    let (weights, real) = (DitWeights::digits().unwrap(), RealDigits::load().unwrap());
    let classes: Vec<usize> = (0..20).map(|i| i % 10).collect();
    let start = Start { classes: &classes, noise: Noise::Seeded { seed: 1, first: 0 }, ..Default::default() };
    let run = |caching: &str| {
        let caching = caching.parse().unwrap();
        let options = PipelineOptions { samples: classes.len(), caching, ..Default::default() };
        let mut pipeline = Pipeline::on_gpu(&gpu, &weights, options).unwrap();
        let started = std::time::Instant::now();
        let pictures = pipeline.sample(&start, |_| ()).unwrap();
        (pictures, pipeline.computed().len(), started.elapsed().as_secs_f64())
    };
    let (baseline, all, seconds) = run("none");
    assert_eq!(all, 30);
    println!("none: {seconds:.1} s");
    for (setting, most) in SETTINGS {
        let (pictures, computed, cached) = run(setting);
        let (right, near) = (real.accuracy(&pictures, &classes), psnr(&pictures, &baseline, 2.0));
        println!(
            "{setting}: {:.1} % right, {near:.1} dB from the uncached run, {computed} of 30 computed, {:.2} of the time",
            100.0 * right,
            cached / seconds
        );
        assert!(right >= 0.9, "{setting}: {right}");
        assert!(near > 15.0, "{setting}: {near} dB");
        assert!(computed > 1 && computed <= most, "{setting}: {computed}");
    }
}

/// A run under a cache starts anew: the second is the first to the bit, whatever the first left behind.
#[test]
fn runs_do_not_depend_on_earlier_ones() {
    let Some(gpu) = gpu() else { return };
    let weights = DitWeights::digits().unwrap();
    for setting in ["taylor:2:2", "teacache:0.3"] {
        let options = PipelineOptions {
            samples: 2,
            steps: 6,
            sampler: Sampler::DpmSolver2M,
            caching: setting.parse().unwrap(),
            ..Default::default()
        };
        let mut pipeline = Pipeline::on_gpu(&gpu, &weights, options).unwrap();
        let mut run = |seed| {
            let noise = Noise::Seeded { seed, first: 0 };
            let pictures =
                pipeline.sample(&Start { classes: &[4, 7], noise, ..Default::default() }, |_| ()).unwrap();
            (pictures, pipeline.computed().to_vec())
        };
        let first = run(3);
        run(4);
        assert_eq!(run(3), first, "{setting}");
    }
}

/// A run whose numbers leave their range spoils nothing for the next: what it left is multiplied by zero, which does not help.
#[test]
fn a_spoilt_run_leaves_nothing_to_the_next() {
    let Some(gpu) = gpu() else { return };
    let weights = DitWeights::digits().unwrap();
    let plain = PipelineOptions { samples: 2, steps: 4, ..Default::default() };
    // At the first times the second pass does not run.
    let guidance = Guidance::ClassifierFree { scale: 2.0, interval: [0.0, 0.5], passes: Passes::InTurn };
    let cached = |text: &str| PipelineOptions { caching: text.parse().unwrap(), ..plain };
    for options in [
        PipelineOptions { guidance, ..plain },
        PipelineOptions { sampler: Sampler::Lms { order: 2 }, ..cached("teacache:1") },
        cached("taylor:2:2"),
    ] {
        let mut pipeline = Pipeline::on_gpu(&gpu, &weights, options).unwrap();
        let mut run = |noise| {
            pipeline.sample(&Start { classes: &[4, 7], noise, ..Default::default() }, |_| ()).unwrap()
        };
        let seeded = Noise::Seeded { seed: 3, first: 0 };
        let before = run(seeded);
        assert!(run(Noise::Given(&[f32::NAN; 128])).iter().any(|number| number.is_nan()), "{options:?}");
        assert_eq!(run(seeded), before, "{options:?}");
    }
}

#[test]
fn what_cannot_be_reused_is_one_sentence() {
    let weights = DitWeights::digits().unwrap();
    let error = |options: PipelineOptions| PipelinePlan::new(&weights, options).unwrap_err().to_string();
    let caching = |text: &str| text.parse::<Caching>().unwrap();
    let options = PipelineOptions { caching: caching("dbcache:4:0.1"), ..Default::default() };
    assert_eq!(
        error(options),
        "the first blocks of the cache must be from 1 to 3, one less than there are, got 4"
    );
    let guidance = Guidance::ClassifierFree { scale: 2.0, interval: [0.0, 1.0], passes: Passes::InTurn };
    let options = PipelineOptions { caching: caching("static:2"), guidance, ..Default::default() };
    assert_eq!(error(options), "caching must be none where guidance's passes run in turn, got static:2");
}
