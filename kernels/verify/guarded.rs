//! Buffers between guards, filled with garbage wherever a kernel's answer must not depend on it.

use super::VerifyError;
use langevin_reference::{Role, TensorSpec, Tensors};
use std::ops::Range;

/// What a run surrounds the tensors with. The kernel's answer must not depend on it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Poison {
    /// Fills outputs, scratch and the guards around them.
    word: u32,
    /// Fills the guards around inputs: another word, so that one copied into an output's guard is noticed.
    input_guard: u32,
    /// Fills the pad bytes of the inputs' rows.
    pad: u8,
}

/// NaN in every float format, 127 in I8.
pub(super) const FIRST: Poison = Poison { word: 0x7fff_7fff, input_guard: 0x3f81_3f81, pad: 0x7f };
/// Another NaN in each, -1 in I8.
pub(super) const SECOND: Poison = Poison { word: 0xffff_ffff, input_guard: 0x4122_4122, pad: 0xff };

/// Words of a guard. 1 KiB: longer than what a workgroup writes of a row, and a multiple of every alignment (256 bytes at
/// most).
const GUARD: usize = 256;

/// One tensor's buffer, or the scratch's.
#[derive(Debug)]
pub(super) struct Guarded {
    pub(super) name: &'static str,
    /// `None` for the scratch.
    pub(super) role: Option<Role>,
    /// A guard, the tensor, a guard.
    pub(super) words: Vec<u32>,
    around: u32,
}

/// The buffers of a kernel: its tensors in order, then the scratch it needs.
pub(super) fn all(
    specs: &[TensorSpec],
    scratch_bytes: u64,
    inputs: &Tensors,
    poison: Poison,
) -> Vec<Guarded> {
    let tensor = |spec: &TensorSpec| {
        let words = match (spec.role, inputs.get(spec.name)) {
            (Role::Output, _) | (_, None) => vec![poison.word; padded_words(spec)],
            // The pad beside what is overwritten stays as it is.
            (Role::InOut, Some(tensor)) => tensor.to_words(0),
            (Role::Input, Some(tensor)) => tensor.to_words(poison.pad),
        };
        let around = if spec.role == Role::Input { poison.input_guard } else { poison.word };
        Guarded::new(spec.name, Some(spec.role), &words, around)
    };
    let mut buffers: Vec<Guarded> = specs.iter().map(tensor).collect();
    if scratch_bytes > 0 {
        let words = vec![poison.word; scratch_bytes.div_ceil(4) as usize];
        buffers.push(Guarded::new(crate::recipe::SCRATCH, None, &words, poison.word));
    }
    buffers
}

fn padded_words(spec: &TensorSpec) -> usize {
    (spec.gpu_bytes().unwrap_or(0) / 4) as usize
}

impl Guarded {
    fn new(name: &'static str, role: Option<Role>, words: &[u32], around: u32) -> Self {
        let mut all = vec![around; GUARD];
        all.extend_from_slice(words);
        all.extend(std::iter::repeat_n(around, GUARD));
        Self { name, role, words: all, around }
    }

    fn range(&self) -> Range<usize> {
        GUARD..self.words.len() - GUARD
    }

    pub(super) fn is_empty(&self) -> bool {
        self.range().is_empty()
    }

    /// Whether the kernel may write it.
    pub(super) fn is_written(&self) -> bool {
        self.role != Some(Role::Input)
    }

    /// The bytes to bind: the tensor and the guard behind it, which a write past the tensor reaches.
    pub(super) fn bytes(&self) -> Range<u64> {
        GUARD as u64 * 4..self.words.len() as u64 * 4
    }

    pub(super) fn binding<'a>(&self, buffer: &'a wgpu::Buffer) -> wgpu::BufferBinding<'a> {
        let bytes = self.bytes();
        wgpu::BufferBinding {
            buffer,
            offset: bytes.start,
            size: wgpu::BufferSize::new(bytes.end - bytes.start),
        }
    }

    /// The tensor's words out of what a run left in the buffer.
    pub(super) fn inside(&self, op: &'static str, left: &[u32]) -> Result<Vec<u32>, VerifyError> {
        let tensor = self.name;
        if left.len() != self.words.len() {
            return Err(VerifyError::JobResult { op, tensor, expected: self.words.len(), got: left.len() });
        }
        let inside = self.range();
        match (0..left.len()).find(|i| !inside.contains(i) && left[*i] != self.around) {
            Some(at) => Err(VerifyError::WroteOutside { op, tensor, word: at as i64 - GUARD as i64 }),
            None => Ok(left[inside].to_vec()),
        }
    }
}
