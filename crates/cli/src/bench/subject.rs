//! One case made ready on an adapter: its answer checked, its calls bound.

use super::arena::Arena;
use super::pick::{Axis, pick};
use super::reduced::{Reduced, Sample};
use crate::CliError;
use crate::doctor::finding;
use langevin::gpu::GpuError;
use langevin::reference::{Expected, generate};
use langevin::verify::{self, RunOptions, Tensor, Tensors, VerifyError, compare};
use langevin::{
    Call, Capabilities, Cost, DescError, Gpu, Pick, Plan, PlanError, PlanOptions, Variant, choice,
};
use std::time::Instant;

/// The problem of a case, whatever the type of its descriptor.
pub(super) trait Subject {
    fn kernel(&self) -> &'static str;
    fn cost(&self) -> Cost;
    /// The descriptor, for the record.
    fn describe(&self) -> String;
    /// The descriptor's own rules.
    #[cfg(test)]
    fn validate(&self) -> Result<(), DescError>;
    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant>;
    /// The variant that a plan takes by itself; nothing where none can run.
    fn chosen(&self, capabilities: &Capabilities) -> Option<Variant>;
    /// Checks these variants and binds them to the same tensors, of `rotate` bytes or more in all.
    fn prepare(&self, gpu: &Gpu, variants: &[Variant], rotate: u64) -> Result<Prepared, CliError>;
}

/// Variants of one case on the same tensors.
pub(super) struct Prepared {
    /// How many copies of the tensors there are, and their bytes in all.
    pub(super) sets: usize,
    pub(super) bytes: u64,
    pub(super) lanes: Vec<Lane>,
}

/// One variant, or why it cannot be timed.
pub(super) struct Lane {
    pub(super) variant: Variant,
    pub(super) ready: Result<Ready, Unready>,
}

/// Why a variant is not timed.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unready {
    /// It gives a wrong answer.
    #[error("wrong: {0}")]
    Wrong(String),
    /// It does not run.
    #[error("not run: {0}")]
    Failed(VerifyError),
}

impl Unready {
    /// Whether it is a defect; a size beyond the device's limits is none.
    pub(super) fn is_failure(&self) -> bool {
        !matches!(self, Self::Failed(VerifyError::Plan(PlanError::Limit { .. } | PlanError::Variant { .. })))
    }
}

/// A variant whose answer is right.
pub(super) struct Ready {
    /// One call for each set of tensors.
    pub(super) calls: Vec<Call>,
    /// How long making the plan took.
    pub(super) plan_seconds: f64,
    /// What of the answer was compared with the reference.
    pub(super) checked: &'static str,
}

impl<D: Reduced> Subject for D {
    fn kernel(&self) -> &'static str {
        D::NAME
    }

    fn cost(&self) -> Cost {
        langevin::reference::Op::cost(self)
    }

    fn describe(&self) -> String {
        format!("{self:?}")
    }

    #[cfg(test)]
    fn validate(&self) -> Result<(), DescError> {
        langevin::reference::Op::validate(self)
    }

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        langevin::Kernel::variants(self, capabilities)
    }

    fn chosen(&self, capabilities: &Capabilities) -> Option<Variant> {
        choice(self, capabilities, &Pick::Best).ok()
    }

    fn prepare(&self, gpu: &Gpu, variants: &[Variant], rotate: u64) -> Result<Prepared, CliError> {
        let inputs = generate::inputs(self, 1);
        let arena = Arena::new(gpu, &self.tensors(), &inputs, rotate)?;
        let truth = Truth::of(self, &inputs)?;
        let mut lanes = Vec::new();
        for &variant in variants {
            let ready = ready(gpu, self, variant, &arena, &inputs, &truth);
            // Nothing more can run on a lost device.
            if let Err(Unready::Failed(VerifyError::Gpu(lost @ GpuError::DeviceLost { .. }))) = ready {
                return Err(lost.into());
            }
            lanes.push(Lane { variant, ready });
        }
        Ok(Prepared { sets: arena.sets(), bytes: arena.bytes(), lanes })
    }
}

impl<E: Into<VerifyError>> From<E> for Unready {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

/// Makes a plan take one variant.
fn forced(gpu: &Gpu, variant: Variant) -> PlanOptions {
    PlanOptions { pick: variant.into(), capabilities: Some(gpu.capabilities().clone()), ..Default::default() }
}

fn ready<D: Reduced>(
    gpu: &Gpu,
    desc: &D,
    variant: Variant,
    arena: &Arena,
    inputs: &Tensors,
    truth: &Truth,
) -> Result<Ready, Unready> {
    let options = forced(gpu, variant);
    let small = desc.reduced();
    let has_small = langevin::Kernel::variants(&small, gpu.capabilities()).contains(&variant);
    if has_small {
        let options = RunOptions { plan: options.clone() };
        fail_on(
            verify::check(gpu, &small, &generate::inputs(&small, 2), &options)?.iter().filter_map(finding),
        )?;
    } else if matches!(truth, Truth::Unknown) {
        return Err(Unready::Wrong(
            "it cannot be checked: it does not take sizes that the reference can".into(),
        ));
    }
    let start = Instant::now();
    let plan = Plan::with_options(gpu.device(), desc, &options)?;
    let plan_seconds = start.elapsed().as_secs_f64();
    if plan.variant() != variant {
        return Err(Unready::Wrong(format!("the plan took `{}` instead", plan.variant().name)));
    }
    let calls = bind(gpu, &plan, arena)?;
    arena.reset_outputs(gpu, inputs)?;
    gpu.run(|encoder| calls[0].encode(encoder))?;
    if !matches!(truth, Truth::Unknown) {
        fail_on(truth.findings(gpu, arena)?.into_iter())?;
    }
    Ok(Ready { calls, plan_seconds, checked: truth.name(has_small) })
}

fn fail_on(mut findings: impl Iterator<Item = String>) -> Result<(), Unready> {
    findings.next().map_or(Ok(()), |finding| Err(Unready::Wrong(finding)))
}

/// A call for each set; never none.
fn bind<D: Reduced>(gpu: &Gpu, plan: &Plan<D>, arena: &Arena) -> Result<Vec<Call>, Unready> {
    let scratch = match plan.scratch_bytes() {
        0 => None,
        bytes => Some(gpu.empty("scratch", bytes)?),
    };
    let call = |set| {
        let mut bindings = arena.bindings(set);
        bindings.extend(scratch.as_ref().map(|buffer| ("scratch", buffer.as_entire_buffer_binding())));
        Ok(plan.bind_named(gpu.device(), &bindings)?)
    };
    (0..arena.sets()).map(call).collect()
}

/// The most work for which the reference answers the full problem: less than a second on two cores.
const FULL_FLOPS: f64 = 4e8;
/// And the most elements, each of which costs memory too: less than a gigabyte together.
const FULL_ELEMENTS: f64 = 4e7;

/// What is known of the full-size answer.
enum Truth {
    /// Nothing.
    Unknown,
    /// Parts of the outputs, and where they stand.
    Part(Vec<Expected>, Vec<(&'static str, Vec<Axis>)>),
    /// Everything.
    Full(Vec<Expected>),
}

impl Truth {
    fn of<D: Reduced>(desc: &D, inputs: &Tensors) -> Result<Self, DescError> {
        let elements: f64 = desc.tensors().iter().filter_map(|spec| spec.elements()).map(|n| n as f64).sum();
        if langevin::reference::Op::cost(desc).flops <= FULL_FLOPS && elements <= FULL_ELEMENTS {
            return Ok(Self::Full(desc.evaluate(inputs)?));
        }
        Ok(match desc.sample(inputs) {
            Some(Sample { desc, inputs, outputs }) => Self::Part(desc.evaluate(&inputs)?, outputs),
            None => Self::Unknown,
        })
    }

    /// What is wrong with the first set's outputs.
    fn findings(&self, gpu: &Gpu, arena: &Arena) -> Result<Vec<String>, VerifyError> {
        let mut findings = Vec::new();
        for (spec, words) in arena.download_outputs(gpu)? {
            let got = Tensor::from_words(spec.dtype, &spec.shape, &words)?;
            let (expected, got) = match self {
                Self::Unknown => break,
                Self::Full(expected) => (expected, Some(got)),
                Self::Part(expected, outputs) => {
                    let axes = outputs.iter().find(|(name, _)| *name == spec.name).map(|(_, axes)| axes);
                    (expected, axes.and_then(|axes| pick(&got, axes)))
                }
            };
            let expected = expected.iter().find(|expected| expected.name == spec.name);
            match expected.zip(got) {
                Some((expected, got)) => findings.extend(finding(&compare(expected, &got))),
                None => findings.push(format!("nothing of `{}` could be compared", spec.name)),
            }
        }
        Ok(findings)
    }

    fn name(&self, small_too: bool) -> &'static str {
        match (self, small_too) {
            (Self::Unknown, _) => "reduced size",
            (Self::Part(..), true) => "reduced size, and a sample at full size",
            (Self::Part(..), false) => "a sample at full size",
            (Self::Full(_), true) => "reduced size and full size",
            (Self::Full(_), false) => "full size",
        }
    }
}
