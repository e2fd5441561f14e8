//! Generated digits, judged by a nearest-neighbour classifier on the real ones.

use langevin::Format;
use langevin_diffusion::{DitWeights, Noise, Pipeline, PipelineOptions, Start, noise};
use langevin_testkit::gpu;
use safetensors::SafeTensors;

const EACH: usize = 20;
const NEIGHBOURS: usize = 3;

/// The real digits: pictures scaled to -1..1, and their labels.
fn real_digits() -> Vec<(Vec<f32>, usize)> {
    let file = SafeTensors::deserialize(include_bytes!("../goldens/digits.safetensors")).unwrap();
    let pictures = file.tensor("images").unwrap().data().chunks_exact(64);
    let scaled = pictures.map(|picture| picture.iter().map(|&value| f32::from(value) / 8.0 - 1.0).collect());
    scaled.zip(file.tensor("labels").unwrap().data().iter().map(|&label| usize::from(label))).collect()
}

/// The label that most of the nearest neighbours have; of equally many, that of the nearest.
fn classify(real: &[(Vec<f32>, usize)], picture: &[f32]) -> usize {
    let distance = |other: &[f32]| -> f32 { picture.iter().zip(other).map(|(a, b)| (a - b).powi(2)).sum() };
    let mut nearest: Vec<_> = real.iter().map(|(other, label)| (distance(other), *label)).collect();
    nearest.sort_by(|a, b| a.0.total_cmp(&b.0));
    let votes = |label: usize| nearest[..NEIGHBOURS].iter().filter(|(_, other)| *other == label).count();
    let most = (0..10).map(votes).max().unwrap();
    nearest.iter().map(|(_, label)| *label).find(|&label| votes(label) == most).unwrap()
}

/// The fraction of samples that are the digit `offset` after the one asked for.
fn accuracy(real: &[(Vec<f32>, usize)], pictures: &[f32], classes: &[usize], offset: usize) -> f64 {
    let right = |(picture, class): &(&[f32], &usize)| classify(real, picture) == (**class + offset) % 10;
    pictures.chunks_exact(64).zip(classes).filter(right).count() as f64 / classes.len() as f64
}

#[test]
fn generated_digits_are_the_digits_asked_for() {
    let Some(gpu) = gpu() else { return };
    let real = real_digits();
    let weights = DitWeights::digits().unwrap();
    let classes: Vec<usize> = (0..10 * EACH).map(|i| i % 10).collect();
    let start = Start { classes: &classes, noise: Noise::Seeded { seed: 1, first: 0 }, pictures: None };
    for format in [Format::F32, Format::E4m3] {
        let options =
            PipelineOptions { samples: classes.len(), steps: 10, weights: format, ..Default::default() };
        let mut pipeline = Pipeline::on_gpu(&gpu, &weights, options).unwrap();
        let started = std::time::Instant::now();
        let pictures = pipeline.sample(&start, |_| ()).unwrap();
        let right = accuracy(&real, &pictures, &classes, 0);
        println!("{format}: {:.1} % right, {:.1} s", right * 100.0, started.elapsed().as_secs_f64());
        assert!(right >= 0.9, "{format}: only {right} of the digits are right");
        // The next digit must not do: a classifier that agrees with everything proves nothing.
        assert!(accuracy(&real, &pictures, &classes, 1) < 0.1, "{format}");
    }
}

/// Every format of the weights gives other pictures than f32, so it is really used, and nearer ones than other noise gives.
#[test]
fn every_weight_format_runs_and_differs() {
    let Some(gpu) = gpu() else { return };
    let weights = DitWeights::digits().unwrap();
    let sample_from = |seed, weights_format| {
        let options = PipelineOptions { samples: 2, steps: 4, weights: weights_format, ..Default::default() };
        let start = Start { classes: &[3, 8], noise: Noise::Seeded { seed, first: 0 }, pictures: None };
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
