//! How much memory a program takes, before it takes any.

use super::{Program, Slot, SlotKind};
use crate::DiffusionError;
use langevin::reference::Op as _;
use langevin::{AttentionDesc, Capabilities};

/// Bytes of a program's buffers, by what they are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ProgramBytes {
    /// Tensors that never change.
    pub(crate) constants: u64,
    /// Tensors that are kept from one command to the next.
    pub(crate) held: u64,
    /// Tensors between two operations, those that do not live at the same time in the same memory.
    pub(crate) passing: u64,
    /// What they would take without sharing.
    pub(crate) unshared: u64,
    /// What the scratch of attention adds.
    pub(crate) attention: u64,
    /// What the other operations' scratch adds.
    pub(crate) scratch: u64,
    /// The parameters of every plan.
    pub(crate) parameters: u64,
    /// The largest buffer.
    pub(crate) largest: u64,
}

impl Program {
    /// What [`Program::prepare`] will allocate on a device with these capabilities.
    pub(crate) fn memory(&self, capabilities: &Capabilities) -> Result<ProgramBytes, DiffusionError> {
        let needs = self.needs(capabilities)?;
        let layout = |counts: &dyn Fn(&str) -> bool| {
            let scratch = self.nodes.iter().zip(&needs);
            let scratch =
                scratch.map(|(node, needs)| if counts(node.op.name()) { needs.scratch_bytes } else { 0 });
            self.layout(&scratch.collect::<Vec<_>>())
        };
        let is_attention = |name: &str| name == AttentionDesc::NAME;
        let [without, with_attention, whole] = [layout(&|_| false), layout(&is_attention), layout(&|_| true)];
        let total =
            |layout: &super::layout::Layout| layout.bytes.iter().map(|bytes| allocated(*bytes)).sum::<u64>();
        let mut bytes = ProgramBytes {
            passing: total(&without),
            attention: total(&with_attention).saturating_sub(total(&without)),
            scratch: total(&whole).saturating_sub(total(&with_attention)),
            largest: whole.bytes.iter().copied().max().unwrap_or(0),
            ..Default::default()
        };
        let mut keys: Vec<String> = Vec::new();
        for (node, needs) in self.nodes.iter().zip(&needs) {
            let key = node.op.key();
            if !keys.contains(&key) {
                bytes.parameters += needs.parameter_bytes;
                keys.push(key);
            }
        }
        for (i, slot) in self.slots.iter().enumerate() {
            let size = allocated(self.bytes(Slot(i)));
            bytes.largest = bytes.largest.max(size);
            match &slot.kind {
                SlotKind::Constant(_) => bytes.constants += size,
                SlotKind::Passing if whole.of_slot[i].is_some() => bytes.unshared += size,
                _ => bytes.held += size,
            }
        }
        Ok(bytes)
    }
}

/// What a buffer for so many bytes takes: at least a word, in whole words.
fn allocated(bytes: u64) -> u64 {
    bytes.max(4).next_multiple_of(4)
}
