//! What a pipeline takes of a device, known before it takes anything.

use crate::program::ProgramBytes;
use std::fmt;

/// Bytes that a pipeline allocates on its device, by what they are for. [`std::fmt::Display`] writes a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Memory {
    /// The weights, in the formats they are stored in, with their scales.
    pub weights: u64,
    /// The samples, what a sampler remembers, embedded times, classes and texts: what is kept from step to step.
    pub run: u64,
    /// Tensors between two operations. Those that do not live at the same time share memory.
    pub activations: u64,
    /// What the activations would take if they shared nothing; not part of the total.
    pub activations_unshared: u64,
    /// What attention needs beside its inputs and its output. Scores are never stored.
    pub attention: u64,
    /// What the other operations need for partial sums.
    pub scratch: u64,
    /// A decoder from latents to pictures: nothing, the samples are the result.
    pub decoder: u64,
    /// The parameters of every kernel.
    pub overhead: u64,
    /// The largest single buffer.
    pub largest_buffer: u64,
}

impl From<ProgramBytes> for Memory {
    fn from(bytes: ProgramBytes) -> Self {
        Self {
            weights: bytes.constants,
            run: bytes.held,
            activations: bytes.passing,
            activations_unshared: bytes.unshared,
            attention: bytes.attention,
            scratch: bytes.scratch,
            decoder: 0,
            overhead: bytes.parameters,
            largest_buffer: bytes.largest,
        }
    }
}

impl Memory {
    /// All of it.
    pub const fn total(&self) -> u64 {
        let Self { weights, run, activations, attention, scratch, decoder, overhead, .. } = *self;
        weights + run + activations + attention + scratch + decoder + overhead
    }

    /// The parts of the total by name.
    pub const fn parts(&self) -> [(&'static str, u64); 7] {
        [
            ("weights", self.weights),
            ("samples and conditions", self.run),
            ("activations", self.activations),
            ("attention", self.attention),
            ("scratch", self.scratch),
            ("decoder", self.decoder),
            ("overhead", self.overhead),
        ]
    }

    /// The largest part: what to change first.
    pub fn binds(&self) -> (&'static str, u64) {
        self.parts().into_iter().max_by_key(|(_, bytes)| *bytes).unwrap_or_default()
    }
}

impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        let share = |bytes: u64| 100.0 * bytes as f64 / total.max(1) as f64;
        for (name, bytes) in self.parts() {
            writeln!(f, "{name:22} {bytes:>16} bytes  {:5.1} %", share(bytes))?;
        }
        writeln!(f, "{:22} {total:>16} bytes", "total")?;
        let (name, bytes) = self.binds();
        write!(
            f,
            "{name} take the most, {:.0} %; the largest buffer has {} bytes; without sharing activations would take {} bytes",
            share(bytes),
            self.largest_buffer,
            self.activations_unshared
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_every_part_and_what_takes_the_most() {
        let memory = Memory {
            weights: 700,
            run: 100,
            activations: 150,
            activations_unshared: 900,
            attention: 30,
            scratch: 10,
            decoder: 0,
            overhead: 10,
            largest_buffer: 400,
        };
        let table = memory.to_string();
        assert_eq!(table.lines().count(), 9, "{table}");
        for part in ["weights", "activations", "total                              1000 bytes", " 70.0 %"] {
            assert!(table.contains(part), "{table}");
        }
        assert!(table.ends_with(
            "weights take the most, 70 %; the largest buffer has 400 bytes; without sharing activations would take 900 bytes"
        ));
    }
}
