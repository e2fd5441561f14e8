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

use crate::bind::Extent;
use crate::{BindError, Kernel, Plan, PlanError, PlanOptions};
use langevin_gpu::{Gpu, GpuError};
pub use langevin_reference::{Answer, Comparison, Dtype, Expected, Op, Tensor, Tensors, compare};
use langevin_reference::{DescError, Role, TensorSpec};

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

/// What a run surrounds the tensors with. The kernel's answer must not depend on it.
#[derive(Clone, Copy, Debug)]
struct Poison {
    /// Fills outputs, scratch and the guards around them.
    word: u32,
    /// Fills the guards around inputs: another word, so that one copied into an output's guard is noticed.
    input_guard: u32,
    /// Fills the pad bytes of the inputs' rows.
    pad: u8,
}

/// NaN in every float format, 127 in I8.
const FIRST: Poison = Poison { word: 0x7fff_7fff, input_guard: 0x3f81_3f81, pad: 0x7f };
/// Another NaN in each, -1 in I8.
const SECOND: Poison = Poison { word: 0xffff_ffff, input_guard: 0x4122_4122, pad: 0xff };

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
    for ((tensor, a), (_, b)) in first.iter().zip(&second) {
        if let Some(word) = a.iter().zip(b).position(|(x, y)| x != y) {
            let (first, second) = (a[word], b[word]);
            return Err(VerifyError::Unstable { op: D::NAME, tensor, word, first, second });
        }
    }
    outputs(&plan, &first)
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
    let got = run(gpu, desc, inputs, options)?;
    let expected = desc.evaluate(inputs)?;
    Ok(expected.iter().filter_map(|expected| Some(compare(expected, got.get(expected.name)?))).collect())
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
    // 1 KiB: longer than what a workgroup writes of a row, and a multiple of every alignment (256 bytes at most).
    let guard = 256;
    let mut buffers = Vec::new();
    for spec in plan.tensors() {
        let words = match (spec.role, inputs.get(spec.name)) {
            (Role::Output, _) | (_, None) => vec![poison.word; padded_words(spec)],
            // The pad beside what is overwritten stays as it is.
            (Role::InOut, Some(tensor)) => tensor.to_words(0),
            (Role::Input, Some(tensor)) => tensor.to_words(poison.pad),
        };
        let around = if spec.role == Role::Input { poison.input_guard } else { poison.word };
        buffers.push((spec.name, words.len(), upload_guarded(gpu, spec.name, &words, guard, around)?));
    }
    if plan.scratch_bytes() > 0 {
        let words = vec![poison.word; plan.scratch_bytes().div_ceil(4) as usize];
        buffers.push(("scratch", words.len(), upload_guarded(gpu, "scratch", &words, guard, poison.word)?));
    }
    let bindings: Vec<_> = buffers
        .iter()
        .filter(|(_, words, _)| *words > 0)
        .map(|(name, words, buffer)| (*name, range(buffer, guard, *words)))
        .collect();
    let call = plan.bind_extent(gpu.device(), &bindings, Extent::Given)?;
    gpu.run(|encoder| call.encode(encoder))?;
    let mut results = Vec::new();
    for (name, words, buffer) in &buffers {
        let spec = plan.tensors().iter().find(|spec| spec.name == *name);
        if spec.is_some_and(|spec| spec.role == Role::Input) {
            continue;
        }
        let all = gpu.download(buffer)?;
        let inside = guard..guard + words;
        let touched = (0..all.len()).find(|i| !inside.contains(i) && all[*i] != poison.word);
        if let Some(position) = touched {
            let word = position as i64 - guard as i64;
            return Err(VerifyError::WroteOutside { op: D::NAME, tensor: name, word });
        }
        if spec.is_some() {
            results.push((*name, all[inside].to_vec()));
        }
    }
    Ok(results)
}

fn outputs<D: Kernel>(plan: &Plan<D>, words: &Words) -> Result<Tensors, VerifyError> {
    let mut tensors = Tensors::new();
    for (name, words) in words {
        if let Some(spec) = plan.tensors().iter().find(|spec| spec.name == *name) {
            tensors.insert(*name, Tensor::from_words(spec.dtype, &spec.shape, words)?);
        }
    }
    Ok(tensors)
}

fn padded_words(spec: &TensorSpec) -> usize {
    (spec.gpu_bytes().unwrap_or(0) / 4) as usize
}

/// The words between two guards. Bytes after a size of zero words are guards too.
fn upload_guarded(
    gpu: &Gpu,
    name: &str,
    words: &[u32],
    guard: usize,
    around: u32,
) -> Result<wgpu::Buffer, GpuError> {
    let mut all = vec![around; guard];
    all.extend_from_slice(words);
    all.extend(std::iter::repeat_n(around, guard));
    gpu.upload(name, &all)
}

/// A tensor and the guard behind it.
fn range(buffer: &wgpu::Buffer, guard: usize, words: usize) -> wgpu::BufferBinding<'_> {
    let size = wgpu::BufferSize::new((words + guard) as u64 * 4);
    wgpu::BufferBinding { buffer, offset: guard as u64 * 4, size }
}

#[cfg(test)]
mod negative_controls;
