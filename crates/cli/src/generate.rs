//! `langevin generate`: handwritten digits from the diffusion transformer that comes with the program.

use crate::device::DeviceArgs;
use crate::tensors::{self, F32, I32, Input};
use crate::{CliError, output, precision, progress};
use clap::Args;
use image::{GrayImage, Luma};
use langevin::reference::{Tensor, Tensors};
use langevin::{Format, Gpu};
use langevin_diffusion::{
    Caching, DitWeights, Guidance, Noise, Passes, Pipeline, PipelineOptions, Sampler, Start, check_step,
};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Pixels of the contact sheet for each pixel of a sample, and between samples.
const ZOOM: u32 = 8;
const MARGIN: u32 = 8;

/// How many samples are computed at once; more are made in several rounds, so that memory does not grow.
const ROUND: usize = 100;

/// Generate handwritten digits by a class-conditional diffusion transformer.
///
/// Example: langevin generate --digits 0123456789 --steps 30 --guidance 2 --weights e4m3 --seed 7 --out digits.png
#[derive(Clone, Debug, Args)]
pub(crate) struct GenerateArgs {
    /// The digits to write, one sample for each.
    #[arg(long, default_value = "0123456789", value_parser = parse_digits)]
    digits: Digits,
    /// How many samples of each; each is a row of the contact sheet.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    rows: u32,
    /// Steps from noise to picture.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    steps: u32,
    /// How a step is made: euler, euler-ancestral, heun, ddim[:ETA], dpmpp-2m or lms[:ORDER].
    #[arg(long, default_value_t = Sampler::Euler)]
    sampler: Sampler,
    /// Shifts the steps towards noise, as larger pictures need it; 1 leaves them.
    #[arg(long, default_value_t = 1.0)]
    shift: f64,
    /// The guidance scale: 1 follows the class as it was learnt, more exaggerates it.
    #[arg(long, default_value_t = 2.0, allow_negative_numbers = true)]
    guidance: f64,
    /// The times, from 0 (picture) to 1 (noise), at which the guidance applies.
    #[arg(long, value_names = ["FROM", "TO"], num_args = 2, default_values_t = [0.0, 1.0])]
    guidance_interval: Vec<f64>,
    /// What is reused from step to step: none, static:EVERY, teacache:THRESHOLD, dbcache:BLOCKS:THRESHOLD or
    /// taylor:EVERY:ORDER.
    #[arg(long, default_value_t = Caching::None)]
    cache: Caching,
    /// Run guidance's two forward passes one after the other: half the memory, and only one outside the interval.
    #[arg(long)]
    in_turn: bool,
    /// Start from the samples of a file that --samples wrote, as many as are made here.
    #[arg(long, value_name = "FILE.safetensors", requires = "strength")]
    from: Option<PathBuf>,
    /// How much of those samples becomes noise first: 1 all, little for little change.
    #[arg(long, requires = "from")]
    strength: Option<f64>,
    /// How the transformer's matrices are stored: f32, f16, bf16, e4m3, e5m2 or i8.
    #[arg(long, default_value = "f32")]
    weights: Format,
    /// A policy of precisions by layer names, in TOML, for what `weights` does not decide: see the documentation of
    /// `langevin_diffusion::Precision`.
    #[arg(long, value_name = "FILE.toml", conflicts_with = "cpu")]
    precision: Option<PathBuf>,
    /// The seed of the noise. The same seed and settings give the same bytes on the same adapter.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The contact sheet, a PNG.
    #[arg(long, value_name = "FILE.png")]
    out: PathBuf,
    /// Also write the samples: `samples` [n, 8, 8] in F32 from -1 to 1 and `labels` [n] in I32.
    #[arg(long, value_name = "FILE.safetensors")]
    samples: Option<PathBuf>,
    /// Compute by the CPU references instead: slow, and right.
    #[arg(long)]
    cpu: bool,
    /// Check the first step against the CPU references before sampling.
    #[arg(long, conflicts_with = "cpu")]
    check: bool,
    #[command(flatten)]
    device: DeviceArgs,
}

#[derive(Clone, Debug)]
struct Digits(Vec<usize>);

fn parse_digits(text: &str) -> Result<Digits, String> {
    let digit = |c: char| {
        c.to_digit(10).map(|d| d as usize).ok_or_else(|| format!("'{c}' is not a digit from 0 to 9"))
    };
    let digits = text.chars().map(digit).collect::<Result<Vec<_>, _>>()?;
    if digits.is_empty() { Err("at least one digit is needed".into()) } else { Ok(Digits(digits)) }
}

pub(crate) fn run(args: &GenerateArgs) -> Result<(), CliError> {
    output::check_writable(&args.out)?;
    if let Some(path) = &args.samples {
        output::check_distinct(&[("--out", args.out.as_path()), ("--samples", path.as_path())])?;
        output::check_writable(path)?;
    }
    let weights = DitWeights::digits()?;
    let per_row = args.digits.0.len();
    let classes: Vec<usize> =
        args.digits.0.iter().copied().cycle().take(per_row * args.rows as usize).collect();
    let started = Instant::now();
    let (pictures, computed) = sample(args, &weights, &classes)?;
    let seconds = started.elapsed().as_secs_f64();

    if let Some(sample) = pictures.iter().position(|value| !value.is_finite()) {
        let sample = sample / weights.config().sample_elements();
        return Err(CliError::NotFinite { sample, guidance: args.guidance });
    }
    let size = weights.config().sample_size;
    output::write_file(&args.out, &png(&contact_sheet(&pictures, size, per_row))?)?;
    if let Some(path) = &args.samples {
        write_samples(path, &pictures, &classes, size)?;
    }
    let policy = args.precision.as_ref().map(|path| format!(" but for the layers of {}", path.display()));
    output::print(&format!(
        "{} digits, {} {} steps, {} weights{}, {seconds:.1} s{}: {}\n",
        classes.len(),
        args.steps,
        args.sampler,
        args.weights,
        policy.unwrap_or_default(),
        computed
            .map(|[computed, all]| format!(", {computed} of {all} evaluations computed"))
            .unwrap_or_default(),
        args.out.display()
    ))
}

/// The pictures, and with a cache how many evaluations were computed of how many.
type Sampled = (Vec<f32>, Option<[usize; 2]>);

/// All samples, in rounds.
fn sample(args: &GenerateArgs, weights: &DitWeights, classes: &[usize]) -> Result<Sampled, CliError> {
    let gpu = if args.cpu { None } else { Some(args.device.open()?) };
    let on = gpu.as_ref().map_or("the CPU references".into(), |gpu| gpu.capabilities().adapter.clone());
    output::print(&format!("on {on}\n"))?;
    let elements = weights.config().sample_elements();
    let weights = &match &gpu {
        Some(gpu) => precision::apply(weights.clone(), args.precision.as_deref(), gpu)?,
        None => weights.clone(),
    };
    if let (Some(gpu), true) = (&gpu, args.check) {
        check(args, gpu, weights, classes)?;
    }
    let rounds = classes.len().div_ceil(ROUND);
    let bar = progress::bar(rounds as u64 * u64::from(args.steps), "steps");
    let given = args.from.as_deref().map(|path| read_samples(path, classes.len() * elements)).transpose()?;
    let mut pictures = Vec::with_capacity(classes.len() * elements);
    let mut evaluations = [0, 0];
    let mut pipeline: Option<(usize, Pipeline)> = None;
    for (round, classes) in classes.chunks(ROUND).enumerate() {
        let options = args.options(classes.len())?;
        // Only the last round may be of another size.
        let mut current = match pipeline.take() {
            Some((samples, pipeline)) if samples == classes.len() => pipeline,
            _ => match &gpu {
                Some(gpu) => Pipeline::on_gpu(gpu, weights, options)?,
                None => Pipeline::on_cpu(weights, options)?,
            },
        };
        bar.set_length((rounds * current.evaluations()) as u64);
        let first = round * ROUND;
        let given = given.as_ref().map(|all| &all[first * elements..][..classes.len() * elements]);
        let start =
            Start { classes, noise: Noise::Seeded { seed: args.seed, first }, pictures: given, texts: None };
        pictures.extend(current.sample(&start, |_| bar.inc(1))?);
        evaluations[0] += current.computed().len();
        evaluations[1] += current.evaluations();
        pipeline = Some((classes.len(), current));
    }
    bar.finish_and_clear();
    Ok((pictures, (args.cache != Caching::None).then_some(evaluations)))
}

impl GenerateArgs {
    fn options(&self, samples: usize) -> Result<PipelineOptions, CliError> {
        let Self { steps, guidance: scale, sampler, shift, cache: caching, weights, .. } = *self;
        let interval = [self.guidance_interval[0], self.guidance_interval[1]];
        let passes = if self.in_turn { Passes::InTurn } else { Passes::Together };
        let guidance = match scale {
            1.0 => Guidance::None,
            _ => Guidance::ClassifierFree { scale, interval, passes },
        };
        let steps = steps as usize;
        let options = PipelineOptions {
            samples,
            steps,
            sampler,
            shift,
            guidance,
            caching,
            weights,
            ..Default::default()
        };
        Ok(match self.strength {
            Some(strength) => options.with_strength(strength)?,
            None => options,
        })
    }
}

/// The samples of a file that [`write_samples`] wrote.
fn read_samples(path: &Path, numbers: usize) -> Result<Vec<f32>, CliError> {
    let inputs = [Input::required("samples", F32), Input::optional("labels", I32)];
    let tensors = tensors::read(path, "generate", &inputs)?;
    let samples = tensors.get("samples").map(Tensor::to_f32).unwrap_or_default();
    match samples.len() == numbers {
        true => Ok(samples),
        false => Err(CliError::SampleCount { path: path.to_owned(), expected: numbers, got: samples.len() }),
    }
}

/// The first step of the first samples against the CPU references.
fn check(args: &GenerateArgs, gpu: &Gpu, weights: &DitWeights, classes: &[usize]) -> Result<(), CliError> {
    let classes = &classes[..classes.len().min(10)];
    let start = Start { classes, noise: Noise::Seeded { seed: args.seed, first: 0 }, ..Default::default() };
    // From noise, whatever the run starts from.
    let options = PipelineOptions { start_step: 0, ..args.options(classes.len())? };
    let comparison = check_step(gpu, weights, options, &start)?;
    output::print(&format!("first step against the CPU references: {comparison}\n"))?;
    if comparison.passed() {
        Ok(())
    } else {
        Err(CliError::OutOfBounds { op: "generate", comparison: Box::new(comparison) })
    }
}

/// Samples side by side, `per_row` in a row, black at -1 and white at 1.
pub(crate) fn contact_sheet(pictures: &[f32], size: usize, per_row: usize) -> GrayImage {
    let cell = size as u32 * ZOOM + MARGIN;
    let samples = pictures.len() / (size * size);
    let rows = samples.div_ceil(per_row) as u32;
    GrayImage::from_fn(per_row as u32 * cell + MARGIN, rows * cell + MARGIN, |x, y| {
        let (column, row) = (x / cell, y / cell);
        let (inside_x, inside_y) = (x % cell, y % cell);
        let sample = row as usize * per_row + column as usize;
        if inside_x < MARGIN || inside_y < MARGIN || column as usize >= per_row || sample >= samples {
            return Luma([48]);
        }
        let (px, py) = ((inside_x - MARGIN) / ZOOM, (inside_y - MARGIN) / ZOOM);
        let value = pictures[(sample * size + py as usize) * size + px as usize];
        Luma([((value.clamp(-1.0, 1.0) + 1.0) * 127.5).round_ties_even() as u8])
    })
}

pub(crate) fn png(sheet: &GrayImage) -> Result<Vec<u8>, CliError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    sheet.write_to(&mut bytes, image::ImageFormat::Png).map_err(CliError::Png)?;
    Ok(bytes.into_inner())
}

fn write_samples(path: &Path, pictures: &[f32], classes: &[usize], size: usize) -> Result<(), CliError> {
    let mut tensors = Tensors::new();
    let labels: Vec<i32> = classes.iter().map(|&class| class as i32).collect();
    tensors.insert("samples", Tensor::from_f32(Format::F32, &[classes.len(), size, size], pictures)?);
    tensors.insert("labels", Tensor::from_i32(&[classes.len()], &labels)?);
    tensors::write(path, &tensors)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_digits() {
        assert_eq!(parse_digits("079").unwrap().0, [0, 7, 9]);
        assert_eq!(parse_digits("1x").unwrap_err(), "'x' is not a digit from 0 to 9");
        assert!(parse_digits("").is_err());
    }

    #[test]
    fn the_sheet_shows_every_sample_in_its_place() {
        // Three samples of 2 x 2, two in a row: the third stands below the first, the last cell is empty.
        let pictures = [[-1.0; 4], [1.0; 4], [0.0; 4]].concat();
        let sheet = contact_sheet(&pictures, 2, 2);
        let cell = 2 * ZOOM + MARGIN;
        assert_eq!(sheet.dimensions(), (2 * cell + MARGIN, 2 * cell + MARGIN));
        let middle =
            |column: u32, row: u32| sheet.get_pixel(column * cell + MARGIN + 3, row * cell + MARGIN + 3).0[0];
        assert_eq!([middle(0, 0), middle(1, 0), middle(0, 1), middle(1, 1)], [0, 255, 128, 48]);
    }
}
