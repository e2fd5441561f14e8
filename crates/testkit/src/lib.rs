//! What langevin's tests share: a device or a reason to skip, and the conformance check of one descriptor on every
//! variant the adapter can run.
#![forbid(unsafe_code)]

use langevin::verify::{self, RunOptions};
use langevin::{Capabilities, Gpu, Kernel, PlanError, PlanOptions, Variant, sources, wgpu};
use langevin_gpu::{GpuError, OpenOptions};
use langevin_reference::{Comparison, Tensors, generate};
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, OnceLock};

/// The process's one device, locked: software drivers dislike submissions from many threads.
///
/// `None` without an adapter, after saying so; a panic instead where `REQUIRE_GPU` is set to anything but 0.
/// `LANGEVIN_ADAPTER` picks an adapter by a part of its name, `LANGEVIN_MINIMAL=1` opens it with WebGPU's defaults.
pub fn gpu() -> Option<MutexGuard<'static, Gpu>> {
    static GPU: OnceLock<Result<Mutex<Gpu>, GpuError>> = OnceLock::new();
    let opened = GPU.get_or_init(|| {
        let minimal = is_set("LANGEVIN_MINIMAL");
        let options =
            OpenOptions { adapter: std::env::var("LANGEVIN_ADAPTER").ok(), minimal, cooperative: true };
        let gpu = Gpu::open(&options)?;
        println!("testing on {}", gpu.capabilities());
        Ok(Mutex::new(gpu))
    });
    match opened {
        // A test that failed while it held the device left it as usable as before.
        Ok(gpu) => Some(gpu.lock().unwrap_or_else(std::sync::PoisonError::into_inner)),
        Err(error) if is_set("REQUIRE_GPU") => panic!("{error}, and REQUIRE_GPU is set"),
        Err(error) => {
            println!("skipped: {error}");
            None
        }
    }
}

/// The same adapter as a device of these features, as far as it has them, and limits: the caller's own as far as kernels
/// know. For a caller that holds the device of [`gpu`].
///
/// # Panics
/// When the adapter has less.
pub fn limited(features: wgpu::Features, limits: wgpu::Limits) -> Gpu {
    let wanted = std::env::var("LANGEVIN_ADAPTER").unwrap_or_default().to_lowercase();
    let matches = |adapter: &wgpu::Adapter| adapter.get_info().name.to_lowercase().contains(&wanted);
    let adapter = langevin_gpu::adapters().into_iter().find(matches).expect("the adapter of `gpu`");
    let descriptor = wgpu::DeviceDescriptor {
        label: Some("limited"),
        required_features: features & adapter.features(),
        required_limits: limits,
        ..Default::default()
    };
    let device = pollster::block_on(adapter.request_device(&descriptor));
    let (device, queue) = device.unwrap_or_else(|error| panic!("{error}"));
    Gpu::from_device(device, queue)
}

/// Runs an example that Cargo has built with the tests, behind the runner if there is one; what it printed.
///
/// `tmpdir` is the caller's `CARGO_TARGET_TMPDIR`; in the arguments, FOLDER stands for an empty folder.
///
/// # Panics
/// When it fails, or was not built since it was changed: `cargo test --test NAME` builds no examples.
pub fn run_example(name: &str, arguments: &[&str], source: &Path, tmpdir: &str) -> String {
    let target = Path::new(tmpdir).parent().unwrap_or(Path::new(tmpdir));
    let program = target.join("debug/examples").join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    let changed = |path: &Path| path.metadata().and_then(|metadata| metadata.modified()).ok();
    let is_built = changed(&program).is_some_and(|built| Some(built) >= changed(source));
    assert!(is_built, "the example {name} is not built; run `cargo build --workspace --examples`");
    let folder = Path::new(tmpdir).join(format!("{name}-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));

    let runner = std::env::var("LANGEVIN_RUNNER").unwrap_or_default();
    let mut words: Vec<OsString> = runner.split_whitespace().map(OsString::from).collect();
    words.push(program.into());
    words.extend(arguments.iter().map(|word| word.replace("FOLDER", &folder.to_string_lossy()).into()));
    let mut command = Command::new(&words[0]);
    // Drivers are tested side by side, and an example may leave something in the system's temporary folder.
    for variable in ["TMPDIR", "TMP", "TEMP"] {
        command.env(variable, &folder);
    }
    let output = command.args(&words[1..]).output().unwrap_or_else(|error| panic!("{name}: {error}"));
    let [stdout, stderr] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    println!("== {name} ==\n{stdout}");
    assert!(output.status.success(), "{name}: {stdout}{stderr}");
    // What is left of it lies in the target folder.
    let _ = std::fs::remove_dir_all(folder);
    stdout
}

fn is_set(variable: &str) -> bool {
    std::env::var(variable).is_ok_and(|value| !value.is_empty() && value != "0")
}

/// Checks a descriptor on ordinary random inputs with every variant the adapter has.
///
/// # Panics
/// When a variant fails, names the descriptor, the variant and the worst element.
pub fn conform<D: Kernel>(gpu: &Gpu, desc: &D, seed: u64) {
    conform_on(gpu, desc, &generate::inputs(desc, seed));
}

/// Checks a descriptor on the given inputs with every variant the adapter has.
///
/// # Panics
/// When a variant fails, and when the comparison would accept an output of zeros for an answer that is not zero.
pub fn conform_on<D: Kernel>(gpu: &Gpu, desc: &D, inputs: &Tensors) {
    let variants = desc.variants(gpu.capabilities());
    assert!(!variants.is_empty(), "{desc:?} has no variant on {}", gpu.capabilities());
    for variant in variants {
        demand(desc, variant, &compare_variant(gpu, desc, inputs, variant));
    }
}

/// Checks a descriptor on ordinary random inputs with the preferred variant and a third of the others, in turns: for
/// series of descriptors of which each is some more shaders to compile.
///
/// # Panics
/// As [`conform_on`].
pub fn conform_in_turns<D: Kernel>(gpu: &Gpu, desc: &D, turn: u64) {
    let inputs = generate::inputs(desc, turn);
    let variants = desc.variants(gpu.capabilities());
    assert!(!variants.is_empty(), "{desc:?} has no variant on {}", gpu.capabilities());
    for (i, variant) in variants.into_iter().enumerate() {
        if i == 0 || i as u64 % 3 == turn % 3 {
            demand(desc, variant, &compare_variant(gpu, desc, &inputs, variant));
        }
    }
}

/// Checks a descriptor with the variant that a GPU of its own would take, had it no more than this adapter.
///
/// # Panics
/// As [`conform_on`].
pub fn conform_as_gpu<D: Kernel>(gpu: &Gpu, desc: &D, seed: u64) {
    let mut capabilities = gpu.capabilities().clone();
    capabilities.device_type = langevin::wgpu::DeviceType::DiscreteGpu;
    let best = desc.variants(&capabilities)[0];
    compare_with(gpu, desc, &generate::inputs(desc, seed), best, capabilities);
}

/// Checks one variant as if the device had other capabilities, lesser ones.
///
/// # Panics
/// As [`conform_on`].
pub fn compare_with<D: Kernel>(
    gpu: &Gpu,
    desc: &D,
    inputs: &Tensors,
    variant: Variant,
    capabilities: Capabilities,
) {
    let plan = PlanOptions { pick: variant.into(), capabilities: Some(capabilities), ..Default::default() };
    let comparisons = verify::check(gpu, desc, inputs, &RunOptions { plan })
        .unwrap_or_else(|error| panic!("{desc:?}\n{}: {error}", variant.name));
    demand(desc, variant, &comparisons);
}

/// Every comparison passes, and could have failed.
fn demand<D: Kernel>(desc: &D, variant: Variant, comparisons: &[Comparison]) {
    for comparison in comparisons {
        assert!(comparison.passed(), "{desc:?}\n{} {comparison}", variant.name);
        let unbounded = comparison.elements > 0 && comparison.unbounded == comparison.elements;
        assert!(!unbounded, "{desc:?}\n{} has no bound: {comparison}", variant.name);
        let vacuous = !comparison.rejects_zeros && answer_is_not_zero(comparison);
        assert!(!vacuous, "{desc:?}\n{} would accept zeros: {comparison}", variant.name);
    }
}

/// The comparisons of one variant.
///
/// # Panics
/// When it does not run.
pub fn compare_variant<D: Kernel>(
    gpu: &Gpu,
    desc: &D,
    inputs: &Tensors,
    variant: Variant,
) -> Vec<Comparison> {
    let capabilities = Some(folding(gpu, desc, variant));
    let plan = PlanOptions { pick: variant.into(), capabilities, ..Default::default() };
    verify::check(gpu, desc, inputs, &RunOptions { plan })
        .unwrap_or_else(|error| panic!("{desc:?}\n{}: {error}", variant.name))
}

/// The device's capabilities with as few workgroups to a dimension as two dimensions allow: every grid of three groups
/// or more is folded, as only those beyond 65,535 are otherwise.
fn folding<D: Kernel>(gpu: &Gpu, desc: &D, variant: Variant) -> Capabilities {
    let mut capabilities = gpu.capabilities().clone();
    let real = capabilities.limits.max_compute_workgroups_per_dimension;
    for limit in [2, 7, 61, 499, real] {
        capabilities.limits.max_compute_workgroups_per_dimension = limit;
        let too_few = matches!(
            sources(desc, &capabilities, &variant.into()),
            Err(PlanError::Limit { limit: "max_compute_workgroups_per_dimension", .. })
        );
        if !too_few {
            break;
        }
    }
    capabilities
}

fn answer_is_not_zero(comparison: &Comparison) -> bool {
    comparison.worst.as_ref().is_some_and(|worst| worst.expected != 0.0)
}
