//! Sampling: noise to pictures.

use crate::dit::{DitProgram, DitShape};
use crate::program::{GpuProgram, HostMemory};
use crate::{DiffusionError, DitWeights};
use langevin::reference::Cost;
use langevin::reference::generate::Random;
use langevin::{Format, Gpu};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;
use rand_distr::{Distribution, StandardNormal};

/// What a sampler is made for; fixed, because its buffers and bindings are made once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SamplerOptions {
    /// Pictures made at once.
    pub samples: usize,
    /// Steps from noise to picture.
    pub steps: usize,
    /// The guidance scale s of `v_uncond + s (v_cond - v_uncond)`. At 1 the unconditional pass is left out.
    pub guidance: f32,
    /// How the matrices of the blocks and their modulations are stored; 8-bit formats have one scale for each output
    /// column. Embedders, biases and the last projection stay F32, and so does every activation.
    pub weights: Format,
}

/// A diffusion transformer ready to turn noise into pictures by Euler steps of the rectified flow
/// `dx/dt = v(x, t)`, from `t = 1` to `t = 0` in equal steps.
#[derive(Debug)]
pub struct DitSampler {
    weights: DitWeights,
    options: SamplerOptions,
    dit: DitProgram,
    backend: Backend,
}

#[derive(Debug)]
enum Backend {
    Gpu(Box<Gpu>, GpuProgram),
    Cpu(HostMemory, Option<Random>),
}

impl DitSampler {
    /// A sampler on a GPU: compiles the kernels, uploads the weights and allocates every buffer, once.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for options that make no sense, and whatever the device refuses.
    pub fn on_gpu(gpu: &Gpu, weights: &DitWeights, options: SamplerOptions) -> Result<Self, DiffusionError> {
        let dit = build(weights, options)?;
        let backend = Backend::Gpu(Box::new(gpu.clone()), dit.program.prepare(gpu)?);
        Ok(Self { weights: weights.clone(), options, dit, backend })
    }

    /// The same by the CPU references, in f64: slow, and the specification.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for options that make no sense.
    pub fn on_cpu(weights: &DitWeights, options: SamplerOptions) -> Result<Self, DiffusionError> {
        let dit = build(weights, options)?;
        let backend = Backend::Cpu(dit.program.host_memory()?, None);
        Ok(Self { weights: weights.clone(), options, dit, backend })
    }

    /// As [`DitSampler::on_cpu`], with the result of every operation moved by its whole error bound, up or down as
    /// `seed` decides. Several such runs show how far the errors that kernels may make travel to the pictures.
    ///
    /// # Errors
    /// Those of [`DitSampler::on_cpu`].
    pub fn on_cpu_disturbed(
        weights: &DitWeights,
        options: SamplerOptions,
        seed: u64,
    ) -> Result<Self, DiffusionError> {
        let dit = build(weights, options)?;
        let backend = Backend::Cpu(dit.program.host_memory()?, Some(Random::new(seed)));
        Ok(Self { weights: weights.clone(), options, dit, backend })
    }

    /// Turns noise `[samples, channels, size, size]` into pictures of the same shape; `progress` hears of each step done.
    ///
    /// One step is one submit. The same noise, classes and options give the same bits on the same adapter.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for noise of another size or a class the model does not have; device errors.
    pub fn sample(
        &mut self,
        noise: &[f32],
        classes: &[usize],
        mut progress: impl FnMut(usize),
    ) -> Result<Vec<f32>, DiffusionError> {
        self.start(noise, classes)?;
        for step in 0..self.options.steps {
            self.step(step)?;
            progress(step + 1);
        }
        self.pictures()
    }

    /// Puts noise and classes in place, for [`DitSampler::step`].
    ///
    /// # Errors
    /// Those of [`DitSampler::sample`].
    pub fn start(&mut self, noise: &[f32], classes: &[usize]) -> Result<(), DiffusionError> {
        let config = self.weights.config();
        let expected = self.options.samples * config.sample_elements();
        if noise.len() != expected {
            return Err(DiffusionError::config("noise", format!("{expected} numbers"), noise.len()));
        }
        if classes.len() != self.options.samples {
            let expected = format!("{} of them", self.options.samples);
            return Err(DiffusionError::config("classes", expected, classes.len()));
        }
        if let Some(class) = classes.iter().find(|class| **class > config.null_class()) {
            let expected = format!("at most {} ({} is no class)", config.null_class(), config.null_class());
            return Err(DiffusionError::config("class", expected, class));
        }
        let labels = self.dit.label_rows(&self.weights, classes);
        self.write(self.dit.x, noise)?;
        self.write(self.dit.labels, &labels)
    }

    /// Takes the pictures from `t = 1 - step / steps` to `t = 1 - (step + 1) / steps`. One submit.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for a step past the end; device errors.
    pub fn step(&mut self, step: usize) -> Result<(), DiffusionError> {
        if step >= self.options.steps {
            return Err(DiffusionError::config("step", format!("below {}", self.options.steps), step));
        }
        let steps = self.options.steps as f64;
        let t = 1.0 - step as f64 / steps;
        let rows = self.dit.timestep_rows(self.weights.config(), &[t]);
        self.write(self.dit.timestep, &rows)?;
        self.write(self.dit.factors, &[self.options.guidance, (-1.0 / steps) as f32])?;
        let first = step == 0;
        match &mut self.backend {
            Backend::Gpu(gpu, program) => {
                let (x, next) = (program.buffer(self.dit.x), program.buffer(self.dit.next));
                gpu.run(|encoder| {
                    if !first {
                        encoder.copy_buffer_to_buffer(next, 0, x, 0, x.size());
                    }
                    program.record(&mut encoder.begin_compute_pass(&Default::default()));
                })?;
            }
            Backend::Cpu(memory, disturbance) => {
                if !first {
                    memory.set(self.dit.x, memory.get(self.dit.next).clone());
                }
                let disturb = |value: f64, bound: f64| {
                    let up = disturbance.as_mut().map(|random| random.next_u64() & 1 == 0);
                    up.map_or(value, |up| if up { value + bound } else { value - bound })
                };
                self.dit.program.run_on_cpu(memory, disturb)?;
            }
        }
        Ok(())
    }

    /// The pictures after the last step taken.
    ///
    /// # Errors
    /// Device errors.
    pub fn pictures(&self) -> Result<Vec<f32>, DiffusionError> {
        match &self.backend {
            Backend::Gpu(gpu, program) => {
                let words = gpu.download(program.buffer(self.dit.next))?;
                Ok(words.into_iter().map(f32::from_bits).collect())
            }
            Backend::Cpu(memory, _) => Ok(memory.get(self.dit.next).to_f32()),
        }
    }

    /// FLOPs and bytes of one step.
    pub fn step_cost(&self) -> Cost {
        self.dit.program.cost()
    }

    /// Dispatches of one step; 0 on the CPU.
    pub fn step_dispatches(&self) -> usize {
        match &self.backend {
            Backend::Gpu(_, program) => program.dispatches(),
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

    fn write(&mut self, slot: crate::program::Slot, values: &[f32]) -> Result<(), DiffusionError> {
        match &mut self.backend {
            Backend::Gpu(gpu, program) => program.write(gpu, slot, values),
            Backend::Cpu(memory, _) => memory.write(slot, values),
        }
    }
}

fn build(weights: &DitWeights, options: SamplerOptions) -> Result<DitProgram, DiffusionError> {
    let SamplerOptions { samples, steps, guidance, weights: format } = options;
    if samples == 0 || samples > 1 << 16 {
        return Err(DiffusionError::config("samples", "between 1 and 65536", samples));
    }
    if steps == 0 || steps > 100_000 {
        return Err(DiffusionError::config("steps", "between 1 and 100000", steps));
    }
    if !guidance.is_finite() {
        return Err(DiffusionError::config("guidance", "a finite number", guidance));
    }
    let guided = guidance != 1.0;
    DitProgram::new(weights, DitShape { samples, guided, weights: format })
}

/// Standard normal noise for pictures of `elements` numbers, one stream for each: a picture's noise depends on the seed
/// and on its index alone, not on how many are made.
pub fn noise(seed: u64, samples: std::ops::Range<usize>, elements: usize) -> Vec<f32> {
    let sample = |index: usize| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(index as u64);
        (0..elements)
            .map(move |_| <StandardNormal as Distribution<f32>>::sample(&StandardNormal, &mut random))
    };
    samples.flat_map(sample).collect()
}
