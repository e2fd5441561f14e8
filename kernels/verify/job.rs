//! A check that another WebGPU implementation runs: the WGSL, the bindings and the bytes go out, the results come back.

use super::guarded::{self, FIRST, Guarded, SECOND};
use super::{Comparison, VerifyError, Words, compare_all, outputs, same};
use crate::plan::{Pick, StageSource, choose, stage_sources};
use crate::{Capabilities, Kernel};
use langevin_reference::Tensors;
use std::ops::Range;

/// A kernel's dispatches on given inputs, as data.
///
/// A host makes the buffers of one run, dispatches the stages in order (binding 0 is a uniform buffer with the
/// [`params`](StageSource::params), the others are ranges of the buffers), and hands back what the written buffers hold;
/// the same with those of the other run, which differ in the garbage around the tensors and in the outputs.
///
/// ```
/// use langevin::verify::{Job, Tensors};
/// use langevin::{Capabilities, MatmulDesc, Pick, reference::generate};
/// let desc = MatmulDesc { m: 2, k: 3, n: 4, ..Default::default() };
/// let inputs = generate::inputs(&desc, 0);
/// let job = Job::of(&desc, &inputs, &Capabilities::minimal(), &Pick::Best)?;
/// assert_eq!(job.stages[0].bindings, ["a", "b", "out"]);
/// // Nobody ran it: the outputs still hold garbage.
/// let untouched = job.runs.each_ref().map(|run| run.iter().map(|buffer| buffer.words.clone()).collect());
/// assert!(job.judge(&desc, &inputs, &untouched).is_err());
/// # Ok::<(), langevin::verify::VerifyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Job {
    /// The dispatches, in order.
    pub stages: Vec<StageSource>,
    /// The buffers of either run, in the same order.
    pub runs: [Vec<JobBuffer>; 2],
    scratch_bytes: u64,
}

/// A buffer of a [`Job`].
#[derive(Clone, Debug, PartialEq)]
pub struct JobBuffer {
    /// The tensor, or `scratch`.
    pub name: &'static str,
    /// The contents before the run.
    pub words: Vec<u32>,
    /// The bytes to bind; the rest are guards.
    pub bind: Range<u64>,
    /// Whether the kernel writes it, so that its contents must come back.
    pub written: bool,
}

impl Job {
    /// What a plan of `desc` would do with `inputs` on a device with these capabilities; needs no GPU.
    ///
    /// # Errors
    /// [`VerifyError`] for whatever is wrong with the descriptor, the inputs or the choice.
    pub fn of<D: Kernel>(
        desc: &D,
        inputs: &Tensors,
        capabilities: &Capabilities,
        pick: &Pick,
    ) -> Result<Self, VerifyError> {
        desc.validate()?;
        desc.check_inputs(inputs)?;
        let (_, recipe) = choose(desc, capabilities, pick)?;
        let stages = stage_sources::<D>(&recipe, capabilities)?;
        let run = |poison| {
            let buffers = guarded::all(&desc.tensors(), recipe.scratch_bytes, inputs, poison);
            buffers.into_iter().map(JobBuffer::of).collect()
        };
        Ok(Self { stages, runs: [FIRST, SECOND].map(run), scratch_bytes: recipe.scratch_bytes })
    }

    /// Compares what the buffers of both runs held afterwards with the reference. The contents are in the order of the
    /// buffers; those of buffers that are not written may be empty.
    ///
    /// # Errors
    /// Those of [`run`](super::run) but the device's, and [`VerifyError::JobResult`] where contents are missing.
    pub fn judge<D: Kernel>(
        &self,
        desc: &D,
        inputs: &Tensors,
        results: &[Vec<Vec<u32>>; 2],
    ) -> Result<Vec<Comparison>, VerifyError> {
        let specs = desc.tensors();
        let words = |(poison, contents): (_, &Vec<Vec<u32>>)| -> Result<Words, VerifyError> {
            let mut words = Words::new();
            for (i, buffer) in guarded::all(&specs, self.scratch_bytes, inputs, poison).iter().enumerate() {
                if !buffer.is_written() {
                    continue;
                }
                let inside = buffer.inside(D::NAME, contents.get(i).map_or(&[][..], Vec::as_slice))?;
                if buffer.role.is_some() {
                    words.push((buffer.name, inside));
                }
            }
            Ok(words)
        };
        let first = words((FIRST, &results[0]))?;
        let second = words((SECOND, &results[1]))?;
        same::<D>(&first, &second)?;
        compare_all(desc, inputs, &outputs(&specs, &first)?)
    }
}

impl JobBuffer {
    fn of(guarded: Guarded) -> Self {
        let (bind, written) = (guarded.bytes(), guarded.is_written());
        Self { name: guarded.name, words: guarded.words, bind, written }
    }
}
