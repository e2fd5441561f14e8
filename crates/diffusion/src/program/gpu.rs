//! A program on a GPU.

use super::erased::AnyPlan;
use super::{Command, Program, Slot, SlotKind};
use crate::DiffusionError;
use langevin::Call;
use langevin::gpu::{Gpu, wgpu};
use std::collections::HashMap;
use std::sync::Arc;

/// Uploads that may wait for the GPU together: the most host memory they take.
const UPLOAD_BYTES: usize = 64 << 20;

/// A program on a GPU: its buffers, and its calls ready to be recorded.
#[derive(Debug)]
pub(crate) struct GpuProgram {
    /// Every slot's; those that share memory have the same one.
    buffers: Vec<wgpu::Buffer>,
    calls: Vec<Call>,
}

impl Program {
    /// Plans and binds every operation on buffers allocated here, once. `progress` hears how many bytes of the constants are
    /// on the GPU, and how many there are.
    pub(crate) fn prepare(
        &self,
        gpu: &Gpu,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<GpuProgram, DiffusionError> {
        let needs = self.needs(gpu.capabilities())?;
        let layout = self.layout(&needs.iter().map(|needs| needs.scratch_bytes).collect::<Vec<_>>());
        let shared = layout
            .bytes
            .iter()
            .map(|bytes| gpu.empty("shared by lifetime", *bytes))
            .collect::<Result<Vec<_>, _>>()?;
        let mut buffers = Vec::new();
        for (i, slot) in self.slots.iter().enumerate() {
            buffers.push(match layout.of_slot[i] {
                Some(buffer) => shared[buffer].clone(),
                None => gpu.empty(&format!("slot {i} {:?}", slot.shape), self.bytes(Slot(i)))?,
            });
        }
        self.upload(gpu, &buffers, &mut progress)?;
        let mut plans: HashMap<String, Arc<dyn AnyPlan>> = HashMap::new();
        let mut calls = Vec::new();
        for (node, scratch) in self.nodes.iter().zip(&layout.of_scratch) {
            // Blocks repeat the same descriptors: each is compiled once.
            let plan = match plans.get(&node.op.key()) {
                Some(plan) => Arc::clone(plan),
                None => {
                    let plan = node.op.plan(gpu)?;
                    plans.insert(node.op.key(), Arc::clone(&plan));
                    plan
                }
            };
            let slots = node.slots.iter().map(|(name, slot)| (*name, &buffers[slot.0]));
            let scratch = scratch.iter().map(|buffer| ("scratch", &shared[*buffer]));
            let bindings: Vec<_> = slots
                .chain(scratch)
                .map(|(name, buffer)| (name, buffer.as_entire_buffer_binding()))
                .collect();
            calls.push(plan.bind(gpu, &bindings)?);
        }
        Ok(GpuProgram { buffers, calls })
    }

    /// Writes the constants into their buffers, waiting often enough that the host holds little of them.
    fn upload(
        &self,
        gpu: &Gpu,
        buffers: &[wgpu::Buffer],
        progress: &mut impl FnMut(u64, u64),
    ) -> Result<(), DiffusionError> {
        let constants = self.slots.iter().zip(buffers).filter_map(|(slot, buffer)| match &slot.kind {
            SlotKind::Constant(value) => Some((value, buffer)),
            _ => None,
        });
        let total = constants.clone().map(|(value, _)| value.bytes()).sum();
        let (mut done, mut waiting) = (0, 0);
        progress(done, total);
        for (value, buffer) in constants {
            (value.fill)(&mut |start, piece| {
                gpu.write_at(buffer, start as u64, piece)?;
                waiting += piece.len();
                done += piece.len() as u64;
                if waiting >= UPLOAD_BYTES {
                    gpu.run(|_| ())?;
                    waiting = 0;
                    progress(done, total);
                }
                Ok(())
            })?;
        }
        gpu.run(|_| ())?;
        progress(total, total);
        Ok(())
    }
}

impl GpuProgram {
    pub(crate) fn buffer(&self, slot: Slot) -> &wgpu::Buffer {
        &self.buffers[slot.0]
    }

    /// Follows commands in one submit, those that run operations one after the other in one pass.
    pub(crate) fn run(&self, gpu: &Gpu, commands: &[Command]) -> Result<(), DiffusionError> {
        let both_run = |a: &Command, b: &Command| matches!((a, b), (Command::Run(_), Command::Run(_)));
        Ok(gpu.run(|encoder| {
            for commands in commands.chunk_by(both_run) {
                self.record(encoder, commands);
            }
        })?)
    }

    /// Runs one operation several times in one submit, in one pass.
    pub(crate) fn repeat(&self, gpu: &Gpu, node: usize, times: usize) -> Result<(), DiffusionError> {
        Ok(gpu.run(|encoder| {
            let mut pass = encoder.begin_compute_pass(&Default::default());
            (0..times).for_each(|_| self.calls[node].record(&mut pass));
        })?)
    }

    fn record(&self, encoder: &mut wgpu::CommandEncoder, commands: &[Command]) {
        if let [Command::Copy { from, to, elements }] = commands {
            let [source, destination] = [from, to].map(|(slot, _)| self.buffer(*slot));
            let [start, end] = [from, to].map(|(_, element)| *element as u64 * 4);
            encoder.copy_buffer_to_buffer(source, start, destination, end, *elements as u64 * 4);
            return;
        }
        if let [Command::Clear(slot)] = commands {
            return encoder.clear_buffer(self.buffer(*slot), 0, None);
        }
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for command in commands {
            if let Command::Run(nodes) = command {
                self.calls[nodes.clone()].iter().for_each(|call| call.record(&mut pass));
            }
        }
    }

    /// Writes F32 values into the start of a slot.
    pub(crate) fn write(&self, gpu: &Gpu, slot: Slot, values: &[f32]) -> Result<(), DiffusionError> {
        let words: Vec<u32> = values.iter().map(|value| value.to_bits()).collect();
        Ok(gpu.write(self.buffer(slot), &words)?)
    }
}
