//! Random descriptors and buffers: a typed error or a call, never a panic, never a message of the validator; and on the
//! adapter a typed error or a right answer.
//!
//! A run is short. `LANGEVIN_FUZZ_SECONDS` makes each test last so long, `LANGEVIN_FUZZ_SEED` starts elsewhere,
//! `LANGEVIN_FUZZ_KERNEL` leaves all but one out.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use langevin::gpu::OpenOptions;
use langevin::reference::random::{self, Draw, Random};
use langevin::reference::{TensorSpec, generate};
use langevin::verify::{self, RunOptions, VerifyError};
use langevin::{
    ActivationDesc, ActivationQuantizeDesc, AttentionDesc, CastDesc, ChangeDesc, CombineDesc, ConvDesc,
    DequantizeDesc, FakeQuantizeDesc, GatedResidualDesc, Gpu, HeatDesc, HistogramDesc, Kernel, LaplacianDesc,
    MatmulDesc, MergeDesc, NormDesc, NormQuantizeDesc, PatchifyDesc, Plan, PlanError, PlanOptions,
    QuantizeDesc, RotaryDesc, UnpatchifyDesc, wgpu,
};
use langevin_testkit::limited;

/// Calls a function with every descriptor's type; what it returns follows each other.
macro_rules! every_kernel {
    ($call:ident($($argument:expr),*)) => {
        [
            $call::<MatmulDesc>($($argument),*),
            $call::<AttentionDesc>($($argument),*),
            $call::<MergeDesc>($($argument),*),
            $call::<RotaryDesc>($($argument),*),
            $call::<ConvDesc>($($argument),*),
            $call::<LaplacianDesc>($($argument),*),
            $call::<HeatDesc>($($argument),*),
            $call::<QuantizeDesc>($($argument),*),
            $call::<DequantizeDesc>($($argument),*),
            $call::<FakeQuantizeDesc>($($argument),*),
            $call::<CastDesc>($($argument),*),
            $call::<HistogramDesc>($($argument),*),
            $call::<NormDesc>($($argument),*),
            $call::<NormQuantizeDesc>($($argument),*),
            $call::<ActivationDesc>($($argument),*),
            $call::<ActivationQuantizeDesc>($($argument),*),
            $call::<GatedResidualDesc>($($argument),*),
            $call::<CombineDesc>($($argument),*),
            $call::<ChangeDesc>($($argument),*),
            $call::<PatchifyDesc>($($argument),*),
            $call::<UnpatchifyDesc>($($argument),*),
        ].concat()
    };
}

/// How long a run of each kernel is: so many cases, or a share of the seconds asked for.
#[derive(Clone, Copy)]
enum Length {
    Cases(u64),
    Time(Duration),
}

impl Length {
    fn or(cases: u64) -> Self {
        const KERNELS: u32 = 21;
        let seconds = std::env::var("LANGEVIN_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
        seconds.map_or(Self::Cases(cases), |seconds| Self::Time(Duration::from_secs(seconds) / KERNELS))
    }
}

/// Runs `check` on random descriptors. A panic is a finding: the cases that found one are returned.
fn fuzz<D: Random + Kernel>(
    length: Length,
    absurd: u64,
    mut check: impl FnMut(&D, &mut Draw) -> bool,
) -> Vec<String> {
    let first: u64 = std::env::var("LANGEVIN_FUZZ_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(0);
    if std::env::var("LANGEVIN_FUZZ_KERNEL").is_ok_and(|name| name != D::NAME) {
        return Vec::new();
    }
    let started = Instant::now();
    let (mut cases, mut accepted) = (0u64, 0u64);
    let mut findings = Vec::new();
    loop {
        let goes_on = match length {
            Length::Cases(count) => cases < count,
            Length::Time(time) => started.elapsed() < time,
        };
        if !goes_on {
            break;
        }
        let seed = first + cases;
        let mut draw = Draw::new(seed, absurd);
        let desc = D::random(&mut draw);
        match catch_unwind(AssertUnwindSafe(|| check(&desc, &mut draw))) {
            Ok(was_accepted) => accepted += u64::from(was_accepted),
            Err(_) => findings.push(format!("seed {seed}: {desc:?}")),
        }
        cases += 1;
    }
    println!("{}: {cases} cases, {accepted} accepted", D::NAME);
    // A generator whose descriptors are all refused tests nothing but the rules.
    assert!(cases < 3 || accepted > 0, "{}: none of {cases} cases was accepted", D::NAME);
    findings
}

/// A device that does no work, but for wgpu's own validation.
fn idle(minimal: bool) -> Gpu {
    let limits = wgpu::Limits {
        max_storage_buffer_binding_size: 1 << 30,
        max_buffer_size: 1 << 32,
        ..wgpu::Limits::default()
    };
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::NOOP;
    descriptor.backend_options.noop = wgpu::NoopBackendOptions {
        limits: Some(limits),
        device_type: Some(wgpu::DeviceType::DiscreteGpu),
        subgroup_min_size: Some(32),
        subgroup_max_size: Some(32),
        ..wgpu::NoopBackendOptions::enabled()
    };
    let instance = wgpu::Instance::new(descriptor);
    let adapter = pollster::block_on(instance.enumerate_adapters(wgpu::Backends::NOOP)).remove(0);
    Gpu::open_adapter(&adapter, &OpenOptions { minimal, ..Default::default() }).unwrap()
}

/// Asks what a descriptor alone knows: no answer may depend on its being valid.
trait Ask {
    fn ask(&self) {}
}

impl Ask for MatmulDesc {
    fn ask(&self) {
        let _ = self.overflow_mode();
    }
}

impl Ask for AttentionDesc {
    fn ask(&self) {
        let _ = (self.strides(), self.fits_f16(), self.starts_on_words(), self.band(), self.unfused_bytes());
    }
}

impl Ask for RotaryDesc {
    fn ask(&self) {
        let _ = (self.strides(), self.x_starts_on_words(), self.pairs());
    }
}

impl Ask for ConvDesc {
    fn ask(&self) {
        let _ = (
            self.three_axes(),
            self.out_spatial(),
            self.group_channels(),
            self.group_outputs(),
            self.terms(),
        );
    }
}

impl Ask for LaplacianDesc {
    fn ask(&self) {
        let _ = (
            self.points(),
            self.lambda_max(),
            self.largest_diagonal(),
            self.has_positive_weights(),
            self.as_conv(),
        );
    }
}

impl Ask for HeatDesc {
    fn ask(&self) {
        let _ = (
            self.laplacian(),
            self.stable_dt(),
            self.monotone_dt(),
            self.step_bound(1.0),
            self.axis(7),
            self.ratio(7),
        );
    }
}

impl Ask for QuantizeDesc {
    fn ask(&self) {
        let _ = (self.rows(), self.width(), self.scale_shape(), self.matrix_rows(), self.scale_index(3));
    }
}

macro_rules! nothing_to_ask {
    ($($desc:ident),*) => {
        $(impl Ask for $desc {})*
    };
}

nothing_to_ask!(
    MergeDesc,
    DequantizeDesc,
    FakeQuantizeDesc,
    CastDesc,
    HistogramDesc,
    NormDesc,
    NormQuantizeDesc,
    ActivationDesc,
    ActivationQuantizeDesc,
    GatedResidualDesc,
    CombineDesc,
    ChangeDesc,
    PatchifyDesc,
    UnpatchifyDesc
);

/// Buffers larger than this are not made.
const MOST_BYTES: u64 = 8 << 20;

/// Every public function on any descriptor, and any buffers for those that are plans. Whether it was one.
fn plan_and_bind<D: Ask + Kernel>(gpu: &Gpu, desc: &D, draw: &mut Draw) -> bool {
    // None of these may count on a valid descriptor.
    desc.ask();
    let _ = (desc.cost(), desc.tensors(), desc.variants(gpu.capabilities()));
    let rules = desc.validate();
    let variants = desc.variants(gpu.capabilities());
    let mut options = PlanOptions { checked: draw.rarely(4), ..Default::default() };
    if let Some(&variant) = variants.get(draw.below(variants.len() + 1)) {
        options.pick = variant.into();
    }
    let plan = match (rules, Plan::with_options(gpu.device(), desc, &options)) {
        (Err(_), Ok(_)) => panic!("a broken rule became a plan"),
        (_, Err(error)) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
        (Ok(()), Ok(plan)) => plan,
    };
    let sized = |spec: &TensorSpec| (spec.name, spec.gpu_bytes().unwrap_or(u64::MAX));
    let mut sizes: Vec<(&str, u64)> = plan.tensors().iter().map(sized).collect();
    if plan.scratch_bytes() > 0 {
        sizes.push(("scratch", plan.scratch_bytes()));
    }
    if sizes.iter().fold(0u64, |sum, (_, bytes)| sum.saturating_add(*bytes)) > MOST_BYTES {
        return true;
    }
    bind(gpu, &plan, &sizes, draw);
    true
}

fn buffer(gpu: &Gpu, size: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
    let descriptor = wgpu::BufferDescriptor { label: None, size, usage, mapped_at_creation: false };
    gpu.device().create_buffer(&descriptor)
}

/// The right buffers are a call; with one thing wrong about them there is an error.
fn bind<D: Kernel>(gpu: &Gpu, plan: &Plan<D>, sizes: &[(&str, u64)], draw: &mut Draw) {
    let buffers: Vec<wgpu::Buffer> = sizes
        .iter()
        .map(|(_, bytes)| buffer(gpu, bytes.max(&4) + 1024, wgpu::BufferUsages::STORAGE))
        .collect();
    let whole =
        || sizes.iter().zip(&buffers).map(|((name, _), buffer)| (*name, buffer.as_entire_buffer_binding()));
    let call = plan.bind_named(gpu.device(), &whole().collect::<Vec<_>>());
    let call = call.unwrap_or_else(|error| panic!("buffers that are right: {error}"));
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    call.encode(&mut encoder);
    gpu.queue().submit([encoder.finish()]);

    let filled: Vec<usize> = (0..sizes.len()).filter(|&i| sizes[i].1 > 0).collect();
    let Some(&victim) = filled.get(draw.below(filled.len())) else { return };
    let mut given: Vec<_> = whole().collect();
    let elsewhere = buffer(gpu, 4096, wgpu::BufferUsages::COPY_DST);
    let binding = &mut given[victim].1;
    let fault = draw.below(6);
    match fault {
        0 => {
            binding.size = wgpu::BufferSize::new(
                sizes[victim].1.next_multiple_of(4) - 4 + u64::from(sizes[victim].1 == 4),
            )
        }
        1 => binding.offset = draw.one(&[1, 4, 255, 1 << 40, u64::MAX]),
        2 => binding.buffer = &elsewhere,
        3 => drop(given.remove(victim)),
        4 => given.push(given[victim].clone()),
        _ => given.push(("no such tensor", buffers[victim].as_entire_buffer_binding())),
    }
    let error = plan.bind_named(gpu.device(), &given).map(|_| ());
    assert!(error.is_err(), "fault {fault} of {} was bound", sizes[victim].0);
}

#[test]
fn any_descriptor_is_a_plan_or_an_error() {
    fn run<D: Random + Ask + Kernel>(gpus: &[Gpu]) -> Vec<String> {
        fuzz::<D>(Length::or(60), 12, |desc, draw| {
            let gpu = &gpus[draw.below(gpus.len())];
            plan_and_bind(gpu, desc, draw)
        })
    }
    let gpus = [idle(false), idle(true)];
    let findings = every_kernel!(run(&gpus));
    assert!(findings.is_empty(), "{} findings\n{}", findings.len(), findings.join("\n"));
}

/// Less than WebGPU promises: what embedded devices have, and a little less.
fn tiny() -> wgpu::Limits {
    wgpu::Limits {
        max_storage_buffer_binding_size: 1 << 20,
        max_buffer_size: 1 << 20,
        max_compute_invocations_per_workgroup: 64,
        max_compute_workgroup_size_x: 64,
        max_compute_workgroup_size_y: 64,
        max_compute_workgroups_per_dimension: 1024,
        ..wgpu::Limits::default()
    }
}

/// Bytes of a tensor in a case at most: those of a histogram's counts.
const MOST_BYTES_COMPUTED: u64 = 1 << 18;

/// Every descriptor is right on that device, by any of its variants, or refused for a limit.
fn right_or_refused<D: Random + Kernel>(gpu: &Gpu) -> Vec<String> {
    fuzz::<D>(Length::or(3), 2, |_, draw| {
        let Some(desc) = random::valid::<D>(1, draw.bits(), MOST_BYTES_COMPUTED, 2e6).pop() else {
            return false;
        };
        let inputs = generate::inputs(&desc, draw.bits());
        let variants = desc.variants(gpu.capabilities());
        let mut options = RunOptions::default();
        if let Some(&variant) = variants.get(draw.below(variants.len() + 1)) {
            options.plan.pick = variant.into();
        }
        match verify::check(gpu, &desc, &inputs, &options) {
            Ok(comparisons) => {
                for comparison in comparisons {
                    assert!(comparison.passed(), "{desc:?}: {comparison}");
                }
                true
            }
            // What the device lacks. Anything else is a finding.
            Err(VerifyError::Plan(PlanError::Limit { .. } | PlanError::Variant { .. })) => false,
            Err(error) => panic!("{desc:?}: {error}"),
        }
    })
}

#[test]
fn any_descriptor_is_right_or_an_error() {
    let Some(gpu) = langevin_testkit::gpu() else { return };
    let none = wgpu::Features::empty();
    let (defaults, tiny) = (limited(none, wgpu::Limits::default()), limited(none, tiny()));
    for gpu in [&*gpu, &defaults, &tiny] {
        println!("{}", gpu.capabilities());
        let findings = every_kernel!(right_or_refused(gpu));
        assert!(findings.is_empty(), "{} findings\n{}", findings.len(), findings.join("\n"));
    }
}
