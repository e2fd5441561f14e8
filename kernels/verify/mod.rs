//! Runs a kernel on host tensors and compares it with its CPU reference: the one runner behind the tests, the program's
//! `run --check` and `doctor`, and anyone who wants to verify a kernel on their own adapter.
//!
//! ```no_run
//! use langevin::{Gpu, MatmulDesc, verify::{self, RunOptions, Tensors}};
//! # let inputs = Tensors::new();
//! let gpu = Gpu::open(&Default::default())?;
//! let desc = MatmulDesc { m: 5, k: 7, n: 3, ..Default::default() };
//! for comparison in verify::check(&gpu, &desc, &inputs, &RunOptions::default())? {
//!     println!("{comparison}");
//! }
//! # Ok::<(), langevin::verify::VerifyError>(())
//! ```

mod guarded;
mod job;
#[cfg(test)]
mod negative_controls;

use crate::bind::Extent;
use crate::{BindError, Kernel, Plan, PlanError, PlanOptions};
use guarded::{FIRST, Poison, SECOND};
pub use job::{Job, JobBuffer};
use langevin_gpu::{Gpu, GpuError};
pub use langevin_reference::{Answer, Comparison, Dtype, Expected, Op, Tensor, Tensors, compare};
use langevin_reference::{DescError, TensorSpec};

/// Why a kernel could not be run or compared.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The descriptor or the tensors are wrong.
    #[error(transparent)]
    Desc(#[from] DescError),
    /// No plan could be made.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The buffers could not be bound.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// wgpu or the driver failed.
    #[error(transparent)]
    Gpu(#[from] GpuError),
    /// The results of a [`Job`] are not those of its buffers.
    #[error("{op}: `{tensor}` of a job: expected {expected} words, got {got}")]
    JobResult {
        /// The kernel.
        op: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// The words of its buffer, guards included.
        expected: usize,
        /// Those given; 0 when the buffer is missing.
        got: usize,
    },
    /// The kernel wrote outside its output.
    #[error("{op}: wrote outside `{tensor}`, {word} words from its start")]
    WroteOutside {
        /// The kernel.
        op: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// The position, negative before the tensor.
        word: i64,
    },
    /// Two runs differed: an element was not written, or it depends on what lay in outputs, scratch or padding.
    #[error(
        "{op}: `{tensor}` differs between two runs on the same inputs, first at word {word}: {first:#x} and {second:#x}"
    )]
    Unstable {
        /// The kernel.
        op: &'static str,
        /// The tensor.
        tensor: &'static str,
        /// The first word that differs.
        word: usize,
        /// What the first run left.
        first: u32,
        /// What the second run left.
        second: u32,
    },
}

/// How to run.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// How to make the plan.
    pub plan: PlanOptions,
}

/// Runs a kernel twice, with different garbage in its outputs, scratch and padding; submits and waits.
///
/// # Errors
/// [`VerifyError`] for whatever is wrong; [`VerifyError::WroteOutside`] when a guard around a buffer was touched,
/// [`VerifyError::Unstable`] when the two runs are not the same bits.
pub fn run<D: Kernel>(
    gpu: &Gpu,
    desc: &D,
    inputs: &Tensors,
    options: &RunOptions,
) -> Result<Tensors, VerifyError> {
    let plan = plan(gpu, desc, inputs, options)?;
    let first = run_words(gpu, &plan, inputs, FIRST)?;
    let second = run_words(gpu, &plan, inputs, SECOND)?;
    same::<D>(&first, &second)?;
    outputs(plan.tensors(), &first)
}

/// Runs a kernel as [`run`] does and compares the result with the reference.
///
/// # Errors
/// Those of [`run`].
pub fn check<D: Kernel>(
    gpu: &Gpu,
    desc: &D,
    inputs: &Tensors,
    options: &RunOptions,
) -> Result<Vec<Comparison>, VerifyError> {
    compare_all(desc, inputs, &run(gpu, desc, inputs, options)?)
}

type Words = Vec<(&'static str, Vec<u32>)>;

fn plan<D: Kernel>(
    gpu: &Gpu,
    desc: &D,
    inputs: &Tensors,
    options: &RunOptions,
) -> Result<Plan<D>, VerifyError> {
    desc.validate()?;
    desc.check_inputs(inputs)?;
    let mut plan_options = options.plan.clone();
    plan_options.capabilities.get_or_insert_with(|| gpu.capabilities().clone());
    Ok(Plan::with_options(gpu.device(), desc, &plan_options)?)
}

/// One run between guards, which the kernel could reach; the outputs' words.
fn run_words<D: Kernel>(
    gpu: &Gpu,
    plan: &Plan<D>,
    inputs: &Tensors,
    poison: Poison,
) -> Result<Words, VerifyError> {
    let mut buffers = Vec::new();
    for guarded in guarded::all(plan.tensors(), plan.scratch_bytes(), inputs, poison) {
        let buffer = gpu.upload(guarded.name, &guarded.words)?;
        buffers.push((guarded, buffer));
    }
    let bindings: Vec<_> = buffers
        .iter()
        .filter(|(guarded, _)| !guarded.is_empty())
        .map(|(guarded, buffer)| (guarded.name, guarded.binding(buffer)))
        .collect();
    let call = plan.bind_extent(gpu.device(), &bindings, Extent::Given)?;
    gpu.run(|encoder| call.encode(encoder))?;
    let mut results = Vec::new();
    for (guarded, buffer) in buffers.iter().filter(|(guarded, _)| guarded.is_written()) {
        let words = guarded.inside(D::NAME, &gpu.download(buffer)?)?;
        if guarded.role.is_some() {
            results.push((guarded.name, words));
        }
    }
    Ok(results)
}

/// Equal bits, whatever the poison was.
fn same<D: Kernel>(first: &Words, second: &Words) -> Result<(), VerifyError> {
    for ((tensor, a), (_, b)) in first.iter().zip(second) {
        if let Some(word) = a.iter().zip(b).position(|(x, y)| x != y) {
            let (first, second) = (a[word], b[word]);
            return Err(VerifyError::Unstable { op: D::NAME, tensor, word, first, second });
        }
    }
    Ok(())
}

fn outputs(specs: &[TensorSpec], words: &Words) -> Result<Tensors, VerifyError> {
    let mut tensors = Tensors::new();
    for (name, words) in words {
        if let Some(spec) = specs.iter().find(|spec| spec.name == *name) {
            tensors.insert(*name, Tensor::from_words(spec.dtype, &spec.shape, words)?);
        }
    }
    Ok(tensors)
}

fn compare_all<D: Kernel>(desc: &D, inputs: &Tensors, got: &Tensors) -> Result<Vec<Comparison>, VerifyError> {
    let expected = desc.evaluate(inputs)?;
    Ok(expected.iter().filter_map(|expected| Some(compare(expected, got.get(expected.name)?))).collect())
}
