//! Sampling: noise to pictures.

use crate::caching::{Decisions, Verdict};
use crate::dit::CacheSlots;
use crate::plan::PipelinePlan;
use crate::program::{Command, GpuProgram, HostMemory, Slot};
use crate::quantization::Calibration;
use crate::{
    Caching, DiffusionError, DitWeights, Guidance, Memory, Noise, PipelineOptions, Sampler, Start, noise,
};
use langevin::Gpu;
use langevin::gpu::GpuError;
use langevin::reference::generate::Random;

/// A diffusion transformer ready to turn noise into pictures.
#[derive(Debug)]
pub struct Pipeline {
    plan: PipelinePlan,
    backend: Backend,
    memory: Option<Memory>,
    fresh: Fresh,
    decisions: Decisions,
}

#[derive(Debug)]
enum Backend {
    Gpu(Box<Gpu>, GpuProgram),
    Cpu(HostMemory, Option<Random>),
}

/// Where a run's fresh noise comes from.
#[derive(Debug)]
enum Fresh {
    Seeded { seed: u64, first: usize },
    Given(Vec<f32>),
}

impl Pipeline {
    /// A pipeline on a GPU: compiles the kernels, uploads the weights and allocates every buffer, once.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for options that make no sense, [`DiffusionError::Budget`] and
    /// [`DiffusionError::LargestBuffer`] before anything is allocated, and whatever the device refuses.
    pub fn on_gpu(gpu: &Gpu, weights: &DitWeights, options: PipelineOptions) -> Result<Self, DiffusionError> {
        Self::on_gpu_with_progress(gpu, weights, options, |_, _| ())
    }

    /// The same; `progress` hears how many bytes of weights are on the GPU, and how many there are. The host holds some tens
    /// of megabytes of them at a time.
    ///
    /// # Errors
    /// Those of [`Pipeline::on_gpu`].
    pub fn on_gpu_with_progress(
        gpu: &Gpu,
        weights: &DitWeights,
        options: PipelineOptions,
        progress: impl FnMut(u64, u64),
    ) -> Result<Self, DiffusionError> {
        Self::of_plan(gpu, PipelinePlan::new(weights, options)?, progress)
    }

    fn of_plan(
        gpu: &Gpu,
        plan: PipelinePlan,
        progress: impl FnMut(u64, u64),
    ) -> Result<Self, DiffusionError> {
        let memory = plan.fitting_memory(gpu.capabilities())?;
        let program = plan.dit.program.prepare(gpu, progress).map_err(|error| match error {
            DiffusionError::Gpu(GpuError::OutOfMemory { .. }) => {
                DiffusionError::OutOfMemory { memory: Box::new(memory) }
            }
            error => error,
        })?;
        Ok(Self::new(plan, Backend::Gpu(Box::new(gpu.clone()), program), Some(memory)))
    }

    /// A run that sees what the layers multiply at every evaluation, by layer name: what
    /// [`DitWeights::with_precision`] takes for activations of one scale. Of layers of one matrix the first is named, and of
    /// those whose input the weights' own precision quantizes none. Nothing is reused, and guidance has its passes together.
    ///
    /// # Errors
    /// Those of [`Pipeline::on_gpu`] and [`Pipeline::sample`].
    pub fn calibrate(
        gpu: &Gpu,
        weights: &DitWeights,
        options: PipelineOptions,
        start: &Start<'_>,
    ) -> Result<Calibration, DiffusionError> {
        let (caching, guidance) = (Caching::None, options.guidance.together());
        let plan = PipelinePlan::of(weights, PipelineOptions { caching, guidance, ..options }, true)?;
        let mut pipeline = Self::of_plan(gpu, plan, |_, _| ())?;
        let mut calibration = Calibration::default();
        pipeline.start(start)?;
        for evaluation in 0..pipeline.evaluations() {
            pipeline.evaluate(evaluation)?;
            for (layer, slot) in &pipeline.plan.dit.seen {
                calibration.histogram(layer).observe(&pipeline.read(*slot)?);
            }
        }
        Ok(calibration)
    }

    /// A pipeline by the CPU references, in f64: slow, and the specification.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for options that make no sense.
    pub fn on_cpu(weights: &DitWeights, options: PipelineOptions) -> Result<Self, DiffusionError> {
        Self::by_references(weights, options, None)
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
        Self::by_references(weights, options, Some(Random::new(seed)))
    }

    fn by_references(
        weights: &DitWeights,
        options: PipelineOptions,
        disturbance: Option<Random>,
    ) -> Result<Self, DiffusionError> {
        let plan = PipelinePlan::new(weights, options)?;
        let memory = plan.dit.program.host_memory()?;
        Ok(Self::new(plan, Backend::Cpu(memory, disturbance), None))
    }

    fn new(plan: PipelinePlan, backend: Backend, memory: Option<Memory>) -> Self {
        let decisions = decisions(&plan);
        Self { plan, backend, memory, fresh: Fresh::Given(Vec::new()), decisions }
    }

    /// What it allocated on its device; nothing by the CPU references.
    pub fn memory(&self) -> Option<&Memory> {
        self.memory.as_ref()
    }

    pub(crate) fn gpu(&self) -> Option<(&Gpu, &GpuProgram)> {
        match &self.backend {
            Backend::Gpu(gpu, program) => Some((gpu, program)),
            Backend::Cpu(..) => None,
        }
    }

    /// What it computes, what that costs, and the memory it would take elsewhere.
    pub fn plan(&self) -> &PipelinePlan {
        &self.plan
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

    /// How often the network is evaluated in a run: steps, or about twice as many with
    /// [`Sampler::Heun`].
    pub fn evaluations(&self) -> usize {
        self.plan.schedule().evaluations.len()
    }

    /// Puts noise, classes and every time's embedding in place, for [`Pipeline::evaluate`].
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for noise or pictures of another size, pictures or texts that are missing, or a class the
    /// model does not have; device errors.
    pub fn start(&mut self, start: &Start<'_>) -> Result<(), DiffusionError> {
        start.check(&self.plan)?;
        let (samples, elements) = self.samples();
        let (noise, fresh) = match start.noise {
            Noise::Given(all) => {
                let (first, rest) = all.split_at(samples * elements);
                (first.to_vec(), Fresh::Given(rest.to_vec()))
            }
            Noise::Seeded { seed, first } => {
                (noise(seed, 0, first..first + samples, elements), Fresh::Seeded { seed, first })
            }
        };
        let level = self.plan.schedule().start;
        let mut state: Vec<f32> = match start.pictures {
            None => noise,
            Some(pictures) => {
                let mix = |(x, n): (&f32, &f32)| level.alpha * f64::from(*x) + level.sigma * f64::from(*n);
                pictures.iter().zip(&noise).map(|pair| mix(pair) as f32).collect()
            }
        };
        // What an earlier run remembered may be no number.
        state.resize(self.plan.dit.program.elements(self.plan.dit.state), 0.0);
        self.fresh = fresh;
        self.decisions = decisions(&self.plan);
        self.write(self.plan.dit.state, &state)?;
        self.write_conditions(start)?;
        self.run(&self.plan.dit.before())
    }

    /// Everything about times, classes, texts and factors that the run needs.
    fn write_conditions(&mut self, start: &Start<'_>) -> Result<(), DiffusionError> {
        let PipelinePlan { dit, weights, .. } = &self.plan;
        let (inputs, scale, schedule) = (dit.inputs, weights.config().timestep_scale, self.plan.schedule());
        let guidance = self.plan.options().guidance;
        let times = schedule.evaluations.iter().map(|evaluation| evaluation.time);
        let mut values = vec![(inputs.features, dit.feature_rows(scale, times.clone()))];
        if let (Some(slot), Guidance::Distilled { scale: told }) = (inputs.guidance, guidance) {
            values.push((slot, dit.feature_rows(scale, times.map(|_| told))));
        }
        if let Some(slot) = inputs.labels {
            values.push((slot, dit.label_rows(weights, start.classes)?));
        }
        if let (Some(slot), Some(texts)) = (inputs.texts, start.texts) {
            values.push((slot, dit.text_rows(texts.texts, texts.without)));
        }
        let factors = (0..self.evaluations()).flat_map(|index| schedule.factors(index, &guidance));
        values.push((inputs.factors, factors.collect()));
        values.into_iter().try_for_each(|(slot, values)| self.write(slot, &values))
    }

    /// The evaluations of this run so far that were computed; the others reused what those left.
    pub fn computed(&self) -> &[usize] {
        self.decisions.computed()
    }

    /// Evaluates the network once and moves the samples on. One submit, and nothing is read back; but two submits and two
    /// numbers read between them under a [`Caching`](crate::Caching) that looks at what changes.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] for an evaluation past the end; device errors.
    pub fn evaluate(&mut self, index: usize) -> Result<(), DiffusionError> {
        let Some(evaluation) = self.plan.schedule().evaluations.get(index).copied() else {
            return Err(DiffusionError::config("evaluation", format!("below {}", self.evaluations()), index));
        };
        if let (Some(slot), true) = (self.plan.dit.inputs.noise, evaluation.next.noise != 0.0) {
            let fresh = self.fresh_noise(index);
            self.write(slot, &fresh)?;
        }
        if let Some(cache) = self.plan.dit.cache() {
            return self.evaluate_cached(index, cache);
        }
        self.decisions.decide(index, 0.0);
        let turns = match self.plan.options().guidance.acts_at(evaluation.time) {
            true => self.plan.dit.shape.turns,
            false => 1,
        };
        self.run(&self.plan.dit.evaluation(index, turns))
    }

    fn evaluate_cached(&mut self, index: usize, cache: CacheSlots) -> Result<(), DiffusionError> {
        let mut commands = self.plan.dit.cached_head(index);
        let mut change = 0.0;
        if let Some([_, _, slot]) = cache.probe {
            self.run(&commands)?;
            commands.clear();
            let numbers = self.read(slot)?;
            change = f64::from(numbers[0]) / f64::from(numbers[1]);
        }
        let verdict = self.decisions.decide(index, change);
        if let Verdict::Reuse(differences) = &verdict {
            let mut factors = vec![0.0; self.plan.dit.program.elements(cache.factors)];
            let last = factors.len() - 1;
            factors[last] = 1.0;
            factors.iter_mut().skip(1).zip(differences).for_each(|(factor, given)| *factor = *given as f32);
            self.write(cache.factors, &factors)?;
        }
        commands.extend(self.plan.dit.cached_rest(index, &verdict));
        self.run(&commands)
    }

    fn fresh_noise(&self, index: usize) -> Vec<f32> {
        let (samples, elements) = self.samples();
        match &self.fresh {
            Fresh::Seeded { seed, first } => {
                noise(*seed, index as u32 + 1, *first..first + samples, elements)
            }
            Fresh::Given(values) => {
                let before = &self.plan.schedule().evaluations[..index];
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
        let mut values = self.read(self.plan.dit.state)?;
        let (samples, elements) = self.samples();
        values.truncate(samples * elements);
        Ok(values)
    }

    /// How many samples, and the numbers of each.
    fn samples(&self) -> (usize, usize) {
        (self.plan.options().samples, self.plan.config().sample_elements())
    }

    fn run(&mut self, commands: &[Command]) -> Result<(), DiffusionError> {
        match &mut self.backend {
            Backend::Gpu(gpu, program) => program.run(gpu, commands),
            Backend::Cpu(memory, disturbance) => {
                let disturb = |value: f64, bound: f64| {
                    let up = disturbance.as_mut().map(|random| random.next_u64() & 1 == 0);
                    up.map_or(value, |up| if up { value + bound } else { value - bound })
                };
                self.plan.dit.program.run_on_cpu(memory, commands, disturb)
            }
        }
    }

    fn read(&self, slot: Slot) -> Result<Vec<f32>, DiffusionError> {
        Ok(match &self.backend {
            Backend::Gpu(gpu, program) => {
                gpu.download(program.buffer(slot))?.into_iter().map(f32::from_bits).collect()
            }
            Backend::Cpu(memory, _) => memory.get(slot).to_f32(),
        })
    }

    fn write(&mut self, slot: Slot, values: &[f32]) -> Result<(), DiffusionError> {
        match &mut self.backend {
            Backend::Gpu(gpu, program) => program.write(gpu, slot, values),
            Backend::Cpu(memory, _) => memory.write(slot, values),
        }
    }
}

/// What a cache has decided before a run.
fn decisions(plan: &PipelinePlan) -> Decisions {
    let of_step = if plan.options().sampler == Sampler::Heun { 2 } else { 1 };
    Decisions::new(plan.options().caching, plan.schedule().evaluations.len(), of_step)
}
