//! Runs of the heat equation: many explicit steps between two buffers.

use crate::DiffusionError;
use langevin::reference::heat_step;
use langevin::verify::{Op, Tensor, Tensors};
use langevin::{Call, Gpu, Heat, HeatBuffers, HeatDesc, wgpu};

/// Cells that one submit may advance: the progress stays fine and no driver takes the device for hung.
const CELL_STEPS_PER_SUBMIT: u64 = 1 << 27;
/// Steps that one submit may hold: beyond, a submit's own cost no longer shows.
const STEPS_PER_SUBMIT: u64 = 256;

/// A field on a GPU that a [`HeatDesc`] advances step by step. Its two buffers are made once.
///
/// A run takes calls of [`HeatDesc::steps_per_dispatch`] steps, and single ones for what is left over.
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
    /// Calls of as many steps as the descriptor says, and of one where those are several.
    strides: Vec<Stride>,
    /// The field after an even and after an odd number of calls.
    buffers: [wgpu::Buffer; 2],
    calls: usize,
    steps: u64,
}

/// A plan with its calls from each buffer to the other.
#[derive(Debug)]
struct Stride {
    heat: Heat,
    calls: [Call; 2],
}

impl HeatSolver {
    /// Compiles the steps, uploads the field `[batch, spatial..]` and allocates a second buffer of its size.
    ///
    /// # Errors
    /// [`DiffusionError::Config`] when `u` and `out` are stored differently, [`DiffusionError::Desc`] for an unstable time
    /// step, another broken rule, a missing medium or source, or a field of another shape or type, and whatever the device
    /// refuses.
    pub fn new(gpu: &Gpu, desc: &HeatDesc, field: &Tensor) -> Result<Self, DiffusionError> {
        let mut inputs = Tensors::new();
        inputs.insert("u", field.clone());
        Self::with_inputs(gpu, desc, &inputs)
    }

    /// The same with every input of the descriptor: the field `u`, and a `medium` and a `source` that stay.
    ///
    /// # Errors
    /// Those of [`HeatSolver::new`].
    pub fn with_inputs(gpu: &Gpu, desc: &HeatDesc, inputs: &Tensors) -> Result<Self, DiffusionError> {
        check(desc, inputs)?;
        let single = HeatDesc { steps_per_dispatch: 1, ..desc.clone() };
        let several = (desc.steps_per_dispatch > 1).then_some(single);
        let plan = |desc: &HeatDesc| Heat::new(gpu.device(), desc);
        let plans = [Some(desc), several.as_ref()].into_iter().flatten().map(plan);
        let plans = plans.collect::<Result<Vec<_>, _>>()?;
        let upload =
            |name: &'static str| inputs.get(name).map(|tensor| gpu.upload(name, &tensor.to_words(0)));
        let [u, medium, source] = ["u", "medium", "source"].map(upload);
        // The check has found the field.
        let u = u.unwrap_or_else(|| gpu.empty("u", 0))?;
        let (medium, source) = (medium.transpose()?, source.transpose()?);
        let buffers = [u.clone(), gpu.empty("next field", u.size())?];
        let scratch_bytes = plans.iter().map(Heat::scratch_bytes).max().unwrap_or(0);
        let scratch = (scratch_bytes > 0).then(|| gpu.empty("scratch", scratch_bytes)).transpose()?;
        let stride = |heat: Heat| -> Result<Stride, DiffusionError> {
            let call = |from: usize| {
                let [u, out] =
                    [&buffers[from], &buffers[1 - from]].map(wgpu::Buffer::as_entire_buffer_binding);
                let others = HeatBuffers {
                    medium: binding(medium.as_ref()),
                    source: binding(source.as_ref()),
                    scratch: binding(scratch.as_ref()),
                    ..HeatBuffers::new(u, out)
                };
                heat.bind(gpu.device(), others)
            };
            let calls = [call(0)?, call(1)?];
            Ok(Stride { heat, calls })
        };
        let strides = plans.into_iter().map(stride).collect::<Result<_, _>>()?;
        Ok(Self { gpu: gpu.clone(), strides, buffers, calls: 0, steps: 0 })
    }

    /// Records steps into the caller's encoder, to be submitted before anything else is asked of this solver.
    pub fn encode(&mut self, encoder: &mut wgpu::CommandEncoder, steps: u64) {
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
        let mut left = steps;
        for Stride { heat, calls } in &self.strides {
            let length = heat.desc().steps_per_dispatch as u64;
            while left >= length {
                calls[self.calls % 2].record(&mut pass);
                self.calls += 1;
                left -= length;
            }
        }
        self.steps += steps;
    }

    /// Runs steps with few submits and waits for them; `progress` hears how many are done after each submit.
    ///
    /// # Errors
    /// [`DiffusionError::Gpu`] when the device is lost or refuses; the field is lost with it.
    pub fn run(&mut self, steps: u64, mut progress: impl FnMut(u64)) -> Result<(), DiffusionError> {
        let gpu = self.gpu.clone();
        let cells = self.desc().tensors().first().and_then(|spec| spec.elements()).unwrap_or(0) as u64;
        let length = self.desc().steps_per_dispatch as u64;
        let batch =
            (CELL_STEPS_PER_SUBMIT / cells.max(1)).clamp(1, STEPS_PER_SUBMIT).next_multiple_of(length);
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
        let desc = self.desc();
        let shape = shape(desc);
        // The buffer of a field without cells has one word all the same.
        if shape.contains(&0) {
            words.clear();
        }
        Ok(Tensor::from_words(desc.out, &shape, &words)?)
    }

    /// The buffer that holds the field now; rows start on a word.
    pub fn buffer(&self) -> &wgpu::Buffer {
        &self.buffers[self.calls % 2]
    }

    /// The steps recorded since the start.
    pub fn steps(&self) -> u64 {
        self.steps
    }

    /// What a call computes.
    pub fn desc(&self) -> &HeatDesc {
        self.heat().desc()
    }

    /// The plan of a call.
    pub fn heat(&self) -> &Heat {
        &self.strides[0].heat
    }
}

/// The twin of [`HeatSolver`] by the CPU reference, without medium and source: f64 in between, stored once at the end.
/// `progress` hears of each step done.
///
/// # Errors
/// As [`HeatSolver::new`], but for the device.
pub fn heat_on_cpu(
    desc: &HeatDesc,
    field: &Tensor,
    steps: u64,
    mut progress: impl FnMut(u64),
) -> Result<Tensor, DiffusionError> {
    let mut inputs = Tensors::new();
    inputs.insert("u", field.clone());
    check(desc, &inputs)?;
    let single = HeatDesc { steps_per_dispatch: 1, ..desc.clone() };
    let mut u = field.to_f64();
    for step in 0..steps {
        u = heat_step(u.view(), &single)?;
        progress(step + 1);
    }
    let values: Vec<f32> = u.iter().map(|&value| value as f32).collect();
    Ok(Tensor::from_f32(desc.out, &shape(desc), &values)?)
}

fn binding(buffer: Option<&wgpu::Buffer>) -> Option<wgpu::BufferBinding<'_>> {
    buffer.map(wgpu::Buffer::as_entire_buffer_binding)
}

fn shape(desc: &HeatDesc) -> Vec<usize> {
    [&[desc.batch], &desc.spatial[..]].concat()
}

fn check(desc: &HeatDesc, inputs: &Tensors) -> Result<(), DiffusionError> {
    desc.validate()?;
    if desc.u != desc.out {
        let expected = format!("{}, as the field it becomes again is stored", desc.u);
        return Err(DiffusionError::config("the format of the next field", expected, desc.out));
    }
    Ok(desc.check_inputs(inputs)?)
}
