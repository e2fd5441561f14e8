//! Sampling: noise to pictures.

use crate::dit::{DitProgram, DitShape};
use crate::process::Process;
use crate::program::{Command, GpuProgram, HostMemory, Slot};
use crate::{DiffusionError, DitWeights, Guidance, Noise, Sampler, Schedule, noise};
use langevin::reference::Cost;
use langevin::reference::generate::Random;
use langevin::{Format, Gpu};

/// What a pipeline is made for; fixed, because its buffers and bindings are made once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PipelineOptions {
    /// Pictures made at once.
    pub samples: usize,
    /// Steps from noise to picture.
    pub steps: usize,
    /// The first of those steps that is taken: above 0 only part of the noise is added to given pictures (image to image).
    pub start_step: usize,
    /// How a step is made of predictions.
    pub sampler: Sampler,
    /// Shifts the times of a rectified flow towards noise, for pictures larger than trained: see [`Process::Flow`].
    pub shift: f64,
    /// How strongly the samples follow their class.
    pub guidance: Guidance,
    /// How the matrices of the blocks and their modulations are stored; 8-bit formats have one scale for each output
    /// column. Embedders, biases and the last projection stay F32, and so does every activation.
    pub weights: Format,
}

impl Default for PipelineOptions {
    /// One picture in 30 Euler steps with guidance 2 and F32 weights.
    fn default() -> Self {
        Self {
            samples: 1,
            steps: 30,
            start_step: 0,
            sampler: Sampler::Euler,
            shift: 1.0,
            guidance: Guidance::classifier_free(2.0),
            weights: Format::F32,
        }
    }
}

impl PipelineOptions {
    /// The first step for a strength of image to image: 1 replaces the picture, little changes little.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for a strength outside 0 to 1, or so small that no step is left.
    pub fn with_strength(self, strength: f64) -> Result<Self, DiffusionError> {
        let taken = (self.steps as f64 * strength).floor();
        if !(strength <= 1.0 && taken >= 1.0) {
            let expected = format!("from 1/{} (one step) to 1", self.steps);
            return Err(DiffusionError::config("strength", expected, strength));
        }
        Ok(Self { start_step: self.steps - taken as usize, ..self })
    }

    fn validate(&self) -> Result<(), DiffusionError> {
        if self.samples == 0 || self.samples > 1 << 16 {
            return Err(DiffusionError::config("samples", "between 1 and 65536", self.samples));
        }
        self.guidance.validate()
    }
}

/// What a run starts from.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Start<'a> {
    /// The class of every sample; the number of classes stands for none.
    pub classes: &'a [usize],
    /// The noise.
    pub noise: Noise<'a>,
    /// Pictures `[samples, channels, size, size]` to start from; needed where the first step is not step 0.
    pub pictures: Option<&'a [f32]>,
}

/// A diffusion transformer ready to turn noise into pictures.
#[derive(Debug)]
pub struct Pipeline {
    weights: DitWeights,
    options: PipelineOptions,
    schedule: Schedule,
    dit: DitProgram,
    backend: Backend,
    /// The seed and first sample of the run's fresh noise, or all that it will take.
    fresh: Fresh,
}

#[derive(Debug)]
enum Backend {
    Gpu(Box<Gpu>, GpuProgram),
    Cpu(HostMemory, Option<Random>),
}

#[derive(Debug)]
enum Fresh {
    Seeded { seed: u64, first: usize },
    Given(Vec<f32>),
}

impl Pipeline {
    /// A pipeline on a GPU: compiles the kernels, uploads the weights and allocates every buffer, once.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for options that make no sense, and whatever the device refuses.
    pub fn on_gpu(gpu: &Gpu, weights: &DitWeights, options: PipelineOptions) -> Result<Self, DiffusionError> {
        Self::new(weights, options, |dit| Ok(Backend::Gpu(Box::new(gpu.clone()), dit.program.prepare(gpu)?)))
    }

    /// The same by the CPU references, in f64: slow, and the specification.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for options that make no sense.
    pub fn on_cpu(weights: &DitWeights, options: PipelineOptions) -> Result<Self, DiffusionError> {
        Self::new(weights, options, |dit| Ok(Backend::Cpu(dit.program.host_memory()?, None)))
    }

    /// As [`Pipeline::on_cpu`], with the result of every operation moved by its whole error bound, up or down as
    /// `seed` decides. Several such runs show how far the errors that kernels may make travel to the pictures.
    ///
    /// # Errors
    /// Those of [`Pipeline::on_cpu`].
    pub fn on_cpu_disturbed(
        weights: &DitWeights,
        options: PipelineOptions,
        seed: u64,
    ) -> Result<Self, DiffusionError> {
        let disturbance = Some(Random::new(seed));
        Self::new(weights, options, |dit| Ok(Backend::Cpu(dit.program.host_memory()?, disturbance)))
    }

    fn new(
        weights: &DitWeights,
        options: PipelineOptions,
        backend: impl FnOnce(&DitProgram) -> Result<Backend, DiffusionError>,
    ) -> Result<Self, DiffusionError> {
        options.validate()?;
        let config = weights.config();
        let process = match Process::from(config.noise_schedule) {
            Process::Flow { .. } => Process::Flow { shift: options.shift },
            process => process,
        };
        let levels = process.levels(options.steps)?;
        if options.start_step >= options.steps {
            let expected = format!("below the {} steps", options.steps);
            return Err(DiffusionError::config("start_step", expected, options.start_step));
        }
        let schedule = Schedule::new(options.sampler, config.prediction, &levels[options.start_step..])?;
        let shape = DitShape {
            samples: options.samples,
            predictions: options.guidance.predictions(),
            turns: options.guidance.turns(),
            evaluations: schedule.evaluations.len(),
            states: schedule.states(),
            noise: schedule.is_noisy(),
            weights: options.weights,
        };
        let dit = DitProgram::new(weights, shape)?;
        let backend = backend(&dit)?;
        let fresh = Fresh::Given(Vec::new());
        Ok(Self { weights: weights.clone(), options, schedule, dit, backend, fresh })
    }

    /// Makes pictures `[samples, channels, size, size]`; `progress` hears of each evaluation of the network done.
    ///
    /// One evaluation is one submit. The same start and options give the same bits on the same adapter.
    ///
    /// # Errors
    /// Those of [`Pipeline::start`]; device errors.
    pub fn sample(
        &mut self,
        start: &Start<'_>,
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<f32>, DiffusionError> {
        self.start(start)?;
        for evaluation in 0..self.evaluations() {
            self.evaluate(evaluation)?;
            progress(evaluation + 1);
        }
        self.pictures()
    }

    /// How often the network is evaluated in a run: steps, or about twice as many with [`Sampler::Heun`].
    pub fn evaluations(&self) -> usize {
        self.schedule.evaluations.len()
    }

    /// Puts noise, classes and every time's embedding in place, for [`Pipeline::evaluate`].
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for noise or pictures of another size, pictures that are missing, or a class the model
    /// does not have; device errors.
    pub fn start(&mut self, start: &Start<'_>) -> Result<(), DiffusionError> {
        self.check_start(start)?;
        let config = self.weights.config();
        let (samples, elements) = (self.options.samples, config.sample_elements());
        let (noise, fresh) = match start.noise {
            Noise::Given(all) => {
                let (first, rest) = all.split_at(samples * elements);
                (first.to_vec(), Fresh::Given(rest.to_vec()))
            }
            Noise::Seeded { seed, first } => {
                (noise(seed, 0, first..first + samples, elements), Fresh::Seeded { seed, first })
            }
        };
        let level = self.schedule.start;
        let mut state: Vec<f32> = match start.pictures {
            None => noise,
            Some(pictures) => {
                let mix = |(x, n): (&f32, &f32)| level.alpha * f64::from(*x) + level.sigma * f64::from(*n);
                pictures.iter().zip(&noise).map(|pair| mix(pair) as f32).collect()
            }
        };
        // What an earlier run remembered may be no number.
        state.resize(self.dit.program.elements(self.dit.state), 0.0);
        let times = self.schedule.evaluations.iter().map(|evaluation| evaluation.time);
        let features = self.dit.feature_rows(config, times);
        let labels = self.dit.label_rows(&self.weights, start.classes);
        let factors: Vec<f32> = (0..self.evaluations())
            .flat_map(|index| self.schedule.factors(index, &self.options.guidance))
            .collect();
        self.fresh = fresh;
        self.write(self.dit.state, &state)?;
        self.write(self.dit.features, &features)?;
        self.write(self.dit.labels, &labels)?;
        self.write(self.dit.factor_table, &factors)?;
        self.run(&self.dit.before())
    }

    fn check_start(&self, start: &Start<'_>) -> Result<(), DiffusionError> {
        let config = self.weights.config();
        let samples = self.options.samples;
        let elements = samples * config.sample_elements();
        let noisy =
            self.schedule.evaluations.iter().filter(|evaluation| evaluation.next.noise != 0.0).count();
        let numbers = |what, expected: usize, got: usize| match expected == got {
            true => Ok(()),
            false => Err(DiffusionError::config(what, format!("{expected} numbers"), got)),
        };
        if let Noise::Given(values) = start.noise {
            numbers("noise", elements * (1 + noisy), values.len())?;
        }
        match start.pictures {
            Some(pictures) => numbers("pictures", elements, pictures.len())?,
            None if self.options.start_step > 0 => {
                let expected = format!("given, to start at step {}", self.options.start_step);
                return Err(DiffusionError::config("pictures", expected, "none"));
            }
            None => {}
        }
        if start.classes.len() != samples {
            return Err(DiffusionError::config("classes", format!("{samples} of them"), start.classes.len()));
        }
        if let Some(class) = start.classes.iter().find(|class| **class > config.null_class()) {
            let expected = format!("at most {} ({} is no class)", config.null_class(), config.null_class());
            return Err(DiffusionError::config("class", expected, class));
        }
        Ok(())
    }

    /// Evaluates the network once and moves the samples on. One submit; nothing is read back.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for an evaluation past the end; device errors.
    pub fn evaluate(&mut self, index: usize) -> Result<(), DiffusionError> {
        let Some(evaluation) = self.schedule.evaluations.get(index).copied() else {
            return Err(DiffusionError::config("evaluation", format!("below {}", self.evaluations()), index));
        };
        if let (Some(slot), true) = (self.dit.noise, evaluation.next.noise != 0.0) {
            let fresh = self.fresh_noise(index);
            self.write(slot, &fresh)?;
        }
        let turns = match self.options.guidance.acts_at(evaluation.time) {
            true => self.dit.shape.turns,
            false => 1,
        };
        self.run(&self.dit.evaluation(index, turns))
    }

    fn fresh_noise(&self, index: usize) -> Vec<f32> {
        let elements = self.weights.config().sample_elements();
        let samples = self.options.samples;
        match &self.fresh {
            Fresh::Seeded { seed, first } => {
                noise(*seed, index as u32 + 1, *first..first + samples, elements)
            }
            Fresh::Given(values) => {
                let before = &self.schedule.evaluations[..index];
                let draw = before.iter().filter(|evaluation| evaluation.next.noise != 0.0).count();
                values.iter().skip(draw * samples * elements).take(samples * elements).copied().collect()
            }
        }
    }

    /// The samples after the last evaluation.
    ///
    /// # Errors
    /// Device errors.
    pub fn pictures(&self) -> Result<Vec<f32>, DiffusionError> {
        let mut values: Vec<f32> = match &self.backend {
            Backend::Gpu(gpu, program) => {
                gpu.download(program.buffer(self.dit.state))?.into_iter().map(f32::from_bits).collect()
            }
            Backend::Cpu(memory, _) => memory.get(self.dit.state).to_f32(),
        };
        values.truncate(self.options.samples * self.weights.config().sample_elements());
        Ok(values)
    }

    /// FLOPs and bytes of one evaluation with all its forward passes.
    pub fn evaluation_cost(&self) -> Cost {
        let Cost { flops, bytes_read, bytes_written } = self.dit.program.cost(self.dit.forward.clone());
        let (turns, rest) = (self.dit.shape.turns as f64, self.dit.program.cost(self.dit.combine.clone()));
        Cost {
            flops: turns * flops + rest.flops,
            bytes_read: turns * bytes_read + rest.bytes_read,
            bytes_written: turns * bytes_written + rest.bytes_written,
        }
    }

    /// Dispatches of one evaluation with all its forward passes; 0 on the CPU.
    pub fn evaluation_dispatches(&self) -> usize {
        match &self.backend {
            Backend::Gpu(_, program) => {
                self.dit.shape.turns * program.dispatches(self.dit.forward.clone())
                    + program.dispatches(self.dit.combine.clone())
            }
            Backend::Cpu(..) => 0,
        }
    }

    /// Bytes of all buffers on the GPU; 0 on the CPU.
    pub fn gpu_bytes(&self) -> u64 {
        match &self.backend {
            Backend::Gpu(_, program) => program.bytes(),
            Backend::Cpu(..) => 0,
        }
    }

    fn run(&mut self, commands: &[Command]) -> Result<(), DiffusionError> {
        match &mut self.backend {
            Backend::Gpu(gpu, program) => program.run(gpu, commands),
            Backend::Cpu(memory, disturbance) => {
                let disturb = |value: f64, bound: f64| {
                    let up = disturbance.as_mut().map(|random| random.next_u64() & 1 == 0);
                    up.map_or(value, |up| if up { value + bound } else { value - bound })
                };
                self.dit.program.run_on_cpu(memory, commands, disturb)
            }
        }
    }

    fn write(&mut self, slot: Slot, values: &[f32]) -> Result<(), DiffusionError> {
        match &mut self.backend {
            Backend::Gpu(gpu, program) => program.write(gpu, slot, values),
            Backend::Cpu(memory, _) => memory.write(slot, values),
        }
    }
}
