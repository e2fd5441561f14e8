//! Ten handwritten digits from noise, drawn with characters: `cargo run --release --example generate_digits [STEPS]`.

use langevin::{Format, Gpu};
use langevin_diffusion::{DitWeights, Guidance, Noise, Passes, Pipeline, PipelineOptions, Sampler, Start};

const DIGITS: [usize; 10] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let steps = std::env::args().nth(1).map_or(Ok(12), |steps| steps.parse())?;
    let gpu = Gpu::open(&Default::default())?;
    println!("on {}", gpu.capabilities());
    // The weights come with the crate; the GPU holds them in 8 bits here.
    let weights = DitWeights::digits()?;
    let options = PipelineOptions {
        samples: DIGITS.len(),
        steps,
        sampler: Sampler::DpmSolver2M,
        guidance: Guidance::ClassifierFree { scale: 2.0, interval: [0.0, 1.0], passes: Passes::Together },
        weights: Format::E4m3,
        ..Default::default()
    };
    let mut pipeline = Pipeline::on_gpu(&gpu, &weights, options)?;
    let start = Start { classes: &DIGITS, noise: Noise::Seeded { seed: 7, first: 0 }, ..Default::default() };
    let pictures = pipeline.sample(&start, |_| ())?;

    let size = weights.config().sample_size;
    for y in 0..size {
        let row = |digit: usize| &pictures[(digit * size + y) * size..][..size];
        let line: Vec<String> =
            (0..DIGITS.len()).map(|digit| row(digit).iter().map(|&x| ink(x)).collect()).collect();
        println!("{}", line.join(" "));
    }
    Ok(())
}

/// From nothing at -1 to full at 1.
fn ink(value: f32) -> char {
    const INKS: [char; 5] = [' ', '.', 'o', 'O', '@'];
    INKS[((value.clamp(-1.0, 1.0) + 1.0) * 2.0).round_ties_even() as usize]
}
