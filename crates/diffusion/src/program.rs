//! A graph of kernels over named slots, and its two executors: the GPU, and the CPU references.
//!
//! A network is written once, as a [`Program`]; nothing about it is said twice.

use crate::DiffusionError;
use langevin::gpu::{Gpu, wgpu};
use langevin::reference::{Answer, Cost, DescError, Dtype, Expected, Role, Tensor, TensorSpec, Tensors};
use langevin::{Call, Format, Kernel, Plan, PlanOptions};
use std::collections::HashMap;
use std::fmt::Debug;
use std::ops::Range;
use std::sync::Arc;

/// A tensor of a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Slot(usize);

/// What an executor does, in order.
#[derive(Clone, Debug)]
pub(crate) enum Command {
    /// Runs the nodes of that range.
    Run(Range<usize>),
    /// Copies F32 elements from one slot to another.
    Copy {
        /// The source and its first element.
        from: (Slot, usize),
        /// The destination and its first element.
        to: (Slot, usize),
        /// How many.
        elements: usize,
    },
}

/// Operations in order, and the tensors between them.
#[derive(Debug, Default)]
pub(crate) struct Program {
    slots: Vec<SlotSpec>,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct SlotSpec {
    dtype: Dtype,
    shape: Vec<usize>,
    /// What it holds from the start: weights. Other slots are written by the host or by a node.
    value: Option<Tensor>,
}

#[derive(Debug)]
struct Node {
    op: Box<dyn AnyOp>,
    slots: Vec<(&'static str, Slot)>,
}

impl Program {
    /// A tensor that the host writes before a run, or that a node writes.
    pub(crate) fn slot(&mut self, shape: &[usize]) -> Slot {
        self.slots.push(SlotSpec { dtype: Format::F32.into(), shape: shape.to_vec(), value: None });
        Slot(self.slots.len() - 1)
    }

    /// A tensor that never changes.
    pub(crate) fn constant(&mut self, value: Tensor) -> Slot {
        self.slots.push(SlotSpec { dtype: value.dtype(), shape: value.shape().to_vec(), value: Some(value) });
        Slot(self.slots.len() - 1)
    }

    /// Appends an operation on the given tensors.
    pub(crate) fn node(&mut self, op: impl Kernel, slots: &[(&'static str, Slot)]) {
        self.nodes.push(Node { op: Box::new(op), slots: slots.to_vec() });
    }

    /// Where the next operation will stand: two of these make a range to run.
    pub(crate) fn position(&self) -> usize {
        self.nodes.len()
    }

    /// Elements of a slot.
    pub(crate) fn elements(&self, slot: Slot) -> usize {
        self.slots[slot.0].shape.iter().product()
    }

    /// The sum of some operations' costs.
    pub(crate) fn cost(&self, nodes: Range<usize>) -> Cost {
        self.nodes[nodes].iter().map(|node| node.op.cost()).fold(Cost::default(), |sum, cost| Cost {
            flops: sum.flops + cost.flops,
            bytes_read: sum.bytes_read + cost.bytes_read,
            bytes_written: sum.bytes_written + cost.bytes_written,
        })
    }

    /// Follows commands by the CPU references, in f64, results rounded to F32 between operations.
    ///
    /// `disturb` may move a result within its bound before it is stored: how the error of a kernel travels.
    pub(crate) fn run_on_cpu(
        &self,
        memory: &mut HostMemory,
        commands: &[Command],
        mut disturb: impl FnMut(f64, f64) -> f64,
    ) -> Result<(), DiffusionError> {
        for command in commands {
            match command {
                Command::Run(nodes) => self.run_nodes_on_cpu(memory, nodes.clone(), &mut disturb)?,
                Command::Copy { from, to, elements } => memory.copy(*from, *to, *elements)?,
            }
        }
        Ok(())
    }

    fn run_nodes_on_cpu(
        &self,
        memory: &mut HostMemory,
        nodes: Range<usize>,
        disturb: &mut impl FnMut(f64, f64) -> f64,
    ) -> Result<(), DiffusionError> {
        for node in &self.nodes[nodes] {
            let specs = node.op.tensors();
            let mut inputs = Tensors::new();
            for (name, slot) in &node.slots {
                if let Some(spec) = specs.iter().find(|spec| spec.name == *name && spec.role != Role::Output)
                {
                    inputs.insert(*name, viewed_as(memory.get(*slot), spec)?);
                }
            }
            for Expected { name, answer } in node.op.answer(&inputs)? {
                let Some((_, slot)) = node.slots.iter().find(|(tensor, _)| *tensor == name) else { continue };
                let shape = &self.slots[slot.0].shape;
                let tensor = match answer {
                    Answer::Exact(tensor) => tensor,
                    Answer::Bounded { value, bound } => {
                        let values: Vec<f32> =
                            value.iter().zip(&bound).map(|(&v, &b)| disturb(v, b) as f32).collect();
                        Tensor::from_f32(Format::F32, shape, &values)?
                    }
                };
                let got = tensor.shape().to_vec();
                let tensor = tensor.reshape(shape).ok_or_else(|| slot_shape(name, shape, got))?;
                memory.set(*slot, tensor);
            }
        }
        Ok(())
    }

    /// Memory for a CPU run: constants in place, everything else zero.
    pub(crate) fn host_memory(&self) -> Result<HostMemory, DiffusionError> {
        let tensor = |slot: &SlotSpec| match &slot.value {
            Some(value) => Ok(value.clone()),
            None => {
                let elements: usize = slot.shape.iter().product();
                Ok(Tensor::new(slot.dtype, &slot.shape, vec![0; elements * slot.dtype.bytes()])?)
            }
        };
        Ok(HostMemory(self.slots.iter().map(tensor).collect::<Result<_, DiffusionError>>()?))
    }

    /// Plans and binds every operation on buffers allocated here, once.
    pub(crate) fn prepare(&self, gpu: &Gpu) -> Result<GpuProgram, DiffusionError> {
        let mut buffers = Vec::new();
        for (i, slot) in self.slots.iter().enumerate() {
            let label = format!("slot {i} {:?}", slot.shape);
            buffers.push(match &slot.value {
                Some(value) => gpu.upload(&label, &value.to_words(0))?,
                None => {
                    let spec = TensorSpec::input("slot", slot.dtype, &slot.shape);
                    gpu.empty(&label, spec.gpu_bytes().unwrap_or(u64::MAX))?
                }
            });
        }
        let mut plans: HashMap<String, Arc<dyn AnyPlan>> = HashMap::new();
        let mut calls = Vec::new();
        for node in &self.nodes {
            // Blocks repeat the same descriptors: each is compiled once.
            let plan = match plans.get(&node.op.key()) {
                Some(plan) => Arc::clone(plan),
                None => {
                    let plan = node.op.plan(gpu)?;
                    plans.insert(node.op.key(), Arc::clone(&plan));
                    plan
                }
            };
            let scratch = match plan.scratch_bytes() {
                0 => None,
                bytes => Some(gpu.empty("scratch", bytes)?),
            };
            let mut bindings: Vec<_> = node
                .slots
                .iter()
                .map(|(name, slot)| (*name, buffers[slot.0].as_entire_buffer_binding()))
                .collect();
            bindings.extend(scratch.iter().map(|buffer| ("scratch", buffer.as_entire_buffer_binding())));
            calls.push(plan.bind(gpu, &bindings)?);
        }
        Ok(GpuProgram { buffers, calls })
    }
}

/// The tensors of a CPU run.
#[derive(Clone, Debug)]
pub(crate) struct HostMemory(Vec<Tensor>);

impl HostMemory {
    pub(crate) fn get(&self, slot: Slot) -> &Tensor {
        &self.0[slot.0]
    }

    pub(crate) fn set(&mut self, slot: Slot, tensor: Tensor) {
        self.0[slot.0] = tensor;
    }

    /// Writes values into the start of an F32 slot.
    pub(crate) fn write(&mut self, slot: Slot, values: &[f32]) -> Result<(), DiffusionError> {
        let mut all = self.get(slot).to_f32();
        self.overwrite(slot, &mut all, 0, values)
    }

    fn copy(
        &mut self,
        from: (Slot, usize),
        to: (Slot, usize),
        elements: usize,
    ) -> Result<(), DiffusionError> {
        let (source, mut all) = (self.get(from.0).to_f32(), self.get(to.0).to_f32());
        let values = source
            .get(from.1..from.1 + elements)
            .ok_or_else(|| slot_shape("copy", &[from.1 + elements], vec![source.len()]))?;
        self.overwrite(to.0, &mut all, to.1, values)
    }

    fn overwrite(
        &mut self,
        slot: Slot,
        all: &mut [f32],
        start: usize,
        values: &[f32],
    ) -> Result<(), DiffusionError> {
        let (shape, length) = (self.get(slot).shape().to_vec(), all.len());
        let range = start..start + values.len();
        all.get_mut(range.clone())
            .ok_or_else(|| slot_shape("write", &[range.end], vec![length]))?
            .copy_from_slice(values);
        self.set(slot, Tensor::from_f32(Format::F32, &shape, all)?);
        Ok(())
    }
}

/// A program on a GPU: its buffers, and its calls ready to be recorded.
#[derive(Debug)]
pub(crate) struct GpuProgram {
    buffers: Vec<wgpu::Buffer>,
    calls: Vec<Call>,
}

impl GpuProgram {
    pub(crate) fn buffer(&self, slot: Slot) -> &wgpu::Buffer {
        &self.buffers[slot.0]
    }

    /// Follows commands in one submit.
    pub(crate) fn run(&self, gpu: &Gpu, commands: &[Command]) -> Result<(), DiffusionError> {
        Ok(gpu.run(|encoder| commands.iter().for_each(|command| self.record(encoder, command)))?)
    }

    fn record(&self, encoder: &mut wgpu::CommandEncoder, command: &Command) {
        match command {
            Command::Run(nodes) => {
                let mut pass = encoder.begin_compute_pass(&Default::default());
                self.calls[nodes.clone()].iter().for_each(|call| call.record(&mut pass));
            }
            Command::Copy { from, to, elements } => {
                let [source, destination] = [from, to].map(|(slot, _)| self.buffer(*slot));
                let [start, end] = [from, to].map(|(_, element)| *element as u64 * 4);
                encoder.copy_buffer_to_buffer(source, start, destination, end, *elements as u64 * 4);
            }
        }
    }

    pub(crate) fn dispatches(&self, nodes: Range<usize>) -> usize {
        self.calls[nodes].iter().map(Call::dispatches).sum()
    }

    /// Bytes of all buffers.
    pub(crate) fn bytes(&self) -> u64 {
        self.buffers.iter().map(wgpu::Buffer::size).sum()
    }

    /// Writes F32 values into a slot.
    pub(crate) fn write(&self, gpu: &Gpu, slot: Slot, values: &[f32]) -> Result<(), DiffusionError> {
        let words: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        Ok(gpu.write(self.buffer(slot), &words)?)
    }
}

/// A tensor under the shape that an operation wants: the same elements, or for a strided view the first ones.
fn viewed_as(tensor: &Tensor, spec: &TensorSpec) -> Result<Tensor, DiffusionError> {
    let bytes = spec.elements().map_or(usize::MAX, |elements| elements * spec.dtype.bytes());
    let data = tensor
        .bytes()
        .get(..bytes)
        .ok_or_else(|| slot_shape(spec.name, &spec.shape, tensor.shape().to_vec()))?;
    Ok(Tensor::new(spec.dtype, &spec.shape, data.to_vec())?)
}

fn slot_shape(name: &str, expected: &[usize], got: Vec<usize>) -> DiffusionError {
    DiffusionError::TensorShape { name: name.to_owned(), expected: expected.to_vec(), got }
}

/// A kernel's descriptor, its type forgotten.
trait AnyOp: Debug + Send + Sync {
    fn key(&self) -> String;
    fn tensors(&self) -> Vec<TensorSpec>;
    fn cost(&self) -> Cost;
    fn answer(&self, inputs: &Tensors) -> Result<Vec<Expected>, DescError>;
    fn plan(&self, gpu: &Gpu) -> Result<Arc<dyn AnyPlan>, DiffusionError>;
}

impl<D: Kernel> AnyOp for D {
    fn key(&self) -> String {
        format!("{} {self:?}", D::NAME)
    }

    fn tensors(&self) -> Vec<TensorSpec> {
        langevin::reference::Op::tensors(self)
    }

    fn cost(&self) -> Cost {
        langevin::reference::Op::cost(self)
    }

    fn answer(&self, inputs: &Tensors) -> Result<Vec<Expected>, DescError> {
        self.evaluate(inputs)
    }

    fn plan(&self, gpu: &Gpu) -> Result<Arc<dyn AnyPlan>, DiffusionError> {
        let options = PlanOptions { capabilities: Some(gpu.capabilities().clone()), ..Default::default() };
        Ok(Arc::new(Plan::with_options(gpu.device(), self, &options)?))
    }
}

/// A plan, its type forgotten.
trait AnyPlan: Debug + Send + Sync {
    fn scratch_bytes(&self) -> u64;
    fn bind(&self, gpu: &Gpu, buffers: &[(&str, wgpu::BufferBinding<'_>)]) -> Result<Call, DiffusionError>;
}

impl<D: Kernel> AnyPlan for Plan<D> {
    fn scratch_bytes(&self) -> u64 {
        Plan::scratch_bytes(self)
    }

    fn bind(&self, gpu: &Gpu, buffers: &[(&str, wgpu::BufferBinding<'_>)]) -> Result<Call, DiffusionError> {
        Ok(self.bind_named(gpu.device(), buffers)?)
    }
}
