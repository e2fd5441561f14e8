//! Runs of the heat equation: many explicit steps between two buffers.

use crate::DiffusionError;
use langevin::reference::heat_step;
use langevin::verify::{Op, Tensor};
use langevin::{Call, Gpu, Heat, HeatBuffers, HeatDesc, wgpu};

/// Cells that one submit may advance: the progress stays fine and no driver takes the device for hung.
const CELL_STEPS_PER_SUBMIT: u64 = 1 << 27;
/// Steps that one submit may hold: beyond, a submit's own cost no longer shows.
const STEPS_PER_SUBMIT: u64 = 256;

/// A field on a GPU that a [`HeatDesc`] advances step by step. Its two buffers are made once.
///
/// ```no_run
/// use langevin::{Edge, Format, Gpu, HeatDesc, verify::Tensor};
/// use langevin_diffusion::heat::HeatSolver;
/// let gpu = Gpu::open(&Default::default())?;
/// let insulated = vec![[Edge::Neumann(0.0); 2]];
/// let desc = HeatDesc { spatial: vec![64, 64], boundary: insulated, time_step: 0.2, ..Default::default() };
/// let field = Tensor::from_f32(Format::F32, &[1, 64, 64], &[0.5; 4096])?;
/// let mut solver = HeatSolver::new(&gpu, &desc, &field)?;
/// solver.run(100, |done| println!("{done} steps"))?;
/// let later = solver.field()?;
/// # Ok::<(), langevin_diffusion::DiffusionError>(())
/// ```
#[derive(Debug)]
pub struct HeatSolver {
    gpu: Gpu,
    heat: Heat,
    /// The field after an even and after an odd number of steps.
    buffers: [wgpu::Buffer; 2],
    /// The step from each buffer to the other.
    calls: [Call; 2],
    steps: u64,
}

impl HeatSolver {
    /// Compiles the step, uploads the field `[batch, spatial..]` and allocates a second buffer of its size.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] when `u` and `out` are stored differently, [`DiffusionError::Desc`] for an unstable time
    /// step, another broken rule or a field of another shape or type, and whatever the device refuses.
    pub fn new(gpu: &Gpu, desc: &HeatDesc, field: &Tensor) -> Result<Self, DiffusionError> {
        check(desc, field)?;
        let heat = Heat::new(gpu.device(), desc)?;
        let words = field.to_words(0);
        let buffers = [gpu.upload("field", &words)?, gpu.empty("next field", words.len() as u64 * 4)?];
        let step = |from: usize| {
            let [u, out] = [&buffers[from], &buffers[1 - from]].map(wgpu::Buffer::as_entire_buffer_binding);
            heat.bind(gpu.device(), HeatBuffers::new(u, out))
        };
        let calls = [step(0)?, step(1)?];
        Ok(Self { gpu: gpu.clone(), heat, buffers, calls, steps: 0 })
    }

    /// Records steps into the caller's encoder, to be submitted before anything else is asked of this solver.
    pub fn encode(&mut self, encoder: &mut wgpu::CommandEncoder, steps: u64) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        for step in self.steps..self.steps + steps {
            self.calls[parity(step)].record(&mut pass);
        }
        self.steps += steps;
    }

    /// Runs steps with few submits and waits for them; `progress` hears how many are done after each submit.
    ///
    /// # Errors
    /// [`DiffusionError::Gpu`] when the device is lost or refuses; the field is lost with it.
    pub fn run(&mut self, steps: u64, mut progress: impl FnMut(u64)) -> Result<(), DiffusionError> {
        let gpu = self.gpu.clone();
        let cells = self.heat.tensors().first().and_then(|spec| spec.elements()).unwrap_or(0) as u64;
        let batch = (CELL_STEPS_PER_SUBMIT / cells.max(1)).clamp(1, STEPS_PER_SUBMIT);
        let mut done = 0;
        while done < steps {
            let now = batch.min(steps - done);
            gpu.run(|encoder| self.encode(encoder, now))?;
            done += now;
            progress(done);
        }
        Ok(())
    }

    /// Reads the field back.
    ///
    /// # Errors
    /// [`DiffusionError::Gpu`] when the device is lost.
    pub fn field(&self) -> Result<Tensor, DiffusionError> {
        let mut words = self.gpu.download(self.buffer())?;
        let desc = self.heat.desc();
        let shape = shape(desc);
        // The buffer of a field without cells has one word all the same.
        if shape.contains(&0) {
            words.clear();
        }
        Ok(Tensor::from_words(desc.out, &shape, &words)?)
    }

    /// The buffer that holds the field now; rows start on a word.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffers[parity(self.steps)]
    }

    /// The steps recorded since the start.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What a step computes.
    pub fn desc(&self) -> &HeatDesc {
        self.heat.desc()
    }
}

/// The twin of [`HeatSolver`] by the CPU reference: f64 in between, stored once at the end. `progress` hears of each step
/// done.
///
/// # Errors
/// As [`HeatSolver::new`], but for the device.
pub fn heat_on_cpu(
    desc: &HeatDesc,
    field: &Tensor,
    steps: u64,
    mut progress: impl FnMut(u64),
) -> Result<Tensor, DiffusionError> {
    check(desc, field)?;
    let mut u = field.to_f64();
    for step in 0..steps {
        u = heat_step(u.view(), desc)?;
        progress(step + 1);
    }
    let values: Vec<f32> = u.iter().map(|&value| value as f32).collect();
    Ok(Tensor::from_f32(desc.out, &shape(desc), &values)?)
}

fn parity(step: u64) -> usize {
    usize::from(!step.is_multiple_of(2))
}

fn shape(desc: &HeatDesc) -> Vec<usize> {
    [&[desc.batch], &desc.spatial[..]].concat()
}

fn check(desc: &HeatDesc, field: &Tensor) -> Result<(), DiffusionError> {
    desc.validate()?;
    if desc.u != desc.out {
        let expected = format!("{}, as the field it becomes again is stored", desc.u);
        return Err(DiffusionError::config("the format of the next field", expected, desc.out));
    }
    let mut inputs = langevin::verify::Tensors::new();
    inputs.insert("u", field.clone());
    Ok(desc.check_inputs(&inputs)?)
}
