//! A graph of kernels over named slots, and its two executors: the GPU, and the CPU references.
//!
//! A network is written once, as a [`Program`]; nothing about it is said twice.

mod constant;
mod erased;
mod gpu;
mod layout;
mod memory;

use crate::DiffusionError;
pub(crate) use constant::{Constant, Emit};
use erased::AnyOp;
pub(crate) use erased::Needs;
pub(crate) use gpu::GpuProgram;
use langevin::reference::{Answer, Cost, Dtype, Expected, Role, Tensor, TensorSpec, Tensors};
use langevin::{Capabilities, Format, Kernel};
pub(crate) use memory::ProgramBytes;
use std::fmt::Debug;
use std::ops::Range;

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
    /// Fills a slot with zeros.
    Clear(Slot),
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
    kind: SlotKind,
}

/// How long a slot keeps what it holds.
#[derive(Clone, Debug)]
enum SlotKind {
    /// From the start to the end: weights.
    Constant(Constant),
    /// From one command to the next.
    Held,
    /// From the node that writes it to the last that reads it: its memory then serves others.
    Passing,
}

#[derive(Debug)]
struct Node {
    op: Box<dyn AnyOp>,
    slots: Vec<(&'static str, Slot)>,
}

impl Program {
    /// A tensor that one node writes and later ones in the same command read.
    pub(crate) fn passing(&mut self, shape: &[usize]) -> Slot {
        self.slot(Format::F32.into(), shape, SlotKind::Passing)
    }

    /// As [`Program::passing`], of another type.
    pub(crate) fn passing_as(&mut self, dtype: impl Into<Dtype>, shape: &[usize]) -> Slot {
        self.slot(dtype.into(), shape, SlotKind::Passing)
    }

    /// A tensor that the host writes, or that is kept from one command to the next.
    pub(crate) fn held(&mut self, shape: &[usize]) -> Slot {
        self.slot(Format::F32.into(), shape, SlotKind::Held)
    }

    /// A tensor that never changes.
    pub(crate) fn constant(&mut self, value: impl Into<Constant>) -> Slot {
        let value = value.into();
        self.slot(value.spec.dtype, &value.spec.shape.clone(), SlotKind::Constant(value))
    }

    fn slot(&mut self, dtype: Dtype, shape: &[usize], kind: SlotKind) -> Slot {
        self.slots.push(SlotSpec { dtype, shape: shape.to_vec(), kind });
        Slot(self.slots.len() - 1)
    }

    /// Keeps what a slot holds from one command to the next.
    pub(crate) fn hold(&mut self, slot: Slot) {
        self.slots[slot.0].kind = SlotKind::Held;
    }

    /// Appends an operation on the given tensors.
    pub(crate) fn node(&mut self, op: impl Kernel, slots: &[(&'static str, Slot)]) {
        self.nodes.push(Node { op: Box::new(op), slots: slots.to_vec() });
    }

    /// Bytes of a slot on the GPU.
    fn bytes(&self, slot: Slot) -> u64 {
        let SlotSpec { dtype, shape, .. } = &self.slots[slot.0];
        TensorSpec::input("slot", *dtype, shape).gpu_bytes().unwrap_or(u64::MAX)
    }

    /// What each operation takes of a device beside its tensors.
    pub(crate) fn needs(&self, capabilities: &Capabilities) -> Result<Vec<Needs>, DiffusionError> {
        self.nodes.iter().map(|node| node.op.needs(capabilities)).collect()
    }

    /// Where the next operation will stand: two of these make a range to run.
    pub(crate) fn position(&self) -> usize {
        self.nodes.len()
    }

    /// Elements of a slot.
    pub(crate) fn elements(&self, slot: Slot) -> usize {
        self.slots[slot.0].shape.iter().product()
    }

    /// An operation's kernel and cost.
    pub(crate) fn node_cost(&self, node: usize) -> (&'static str, Cost) {
        let op = &self.nodes[node].op;
        (op.name(), op.cost())
    }

    /// Follows commands by the CPU references, in f64, results rounded to what they are stored as between operations.
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
                Command::Clear(slot) => memory.write(*slot, &vec![0.0; self.elements(*slot)])?,
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
                let SlotSpec { dtype, shape, .. } = &self.slots[slot.0];
                let tensor = match answer {
                    Answer::Exact(tensor) => tensor,
                    Answer::Bounded { value, bound } => {
                        let values: Vec<f32> =
                            value.iter().zip(&bound).map(|(&v, &b)| disturb(v, b) as f32).collect();
                        let format = if let Dtype::Number(format) = dtype { *format } else { Format::F32 };
                        Tensor::from_f32(format, value.shape(), &values)?
                    }
                };
                let got = tensor.shape().to_vec();
                let tensor = whole(tensor, memory.get(*slot)).ok_or_else(|| slot_shape(name, shape, got))?;
                memory.set(*slot, tensor);
            }
        }
        Ok(())
    }

    /// Memory for a CPU run: constants in place, everything else zero.
    pub(crate) fn host_memory(&self) -> Result<HostMemory, DiffusionError> {
        let tensor = |slot: &SlotSpec| match &slot.kind {
            SlotKind::Constant(value) => value.tensor(),
            _ => {
                let elements: usize = slot.shape.iter().product();
                Ok(Tensor::new(slot.dtype, &slot.shape, vec![0; elements * slot.dtype.bytes()])?)
            }
        };
        Ok(HostMemory(self.slots.iter().map(tensor).collect::<Result<_, DiffusionError>>()?))
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

/// A tensor under the shape that an operation wants: the same elements, or for a strided view the first ones.
fn viewed_as(tensor: &Tensor, spec: &TensorSpec) -> Result<Tensor, DiffusionError> {
    let bytes = spec.elements().map_or(usize::MAX, |elements| elements * spec.dtype.bytes());
    let data = tensor
        .bytes()
        .get(..bytes)
        .ok_or_else(|| slot_shape(spec.name, &spec.shape, tensor.shape().to_vec()))?;
    Ok(Tensor::new(spec.dtype, &spec.shape, data.to_vec())?)
}

/// A result in the shape of its slot; where a strided view ends before the slot does, with what the slot held there.
fn whole(result: Tensor, slot: &Tensor) -> Option<Tensor> {
    let rest = slot.bytes().get(result.bytes().len()..)?;
    if rest.is_empty() {
        return result.reshape(slot.shape());
    }
    Tensor::new(slot.dtype(), slot.shape(), [result.bytes(), rest].concat()).ok()
}

fn slot_shape(name: &str, expected: &[usize], got: Vec<usize>) -> DiffusionError {
    DiffusionError::TensorShape { name: name.to_owned(), expected: expected.to_vec(), got }
}
