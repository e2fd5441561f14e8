//! What every plan and call promises, whatever the kernel: errors instead of panics, reuse, order, determinism.

use langevin::reference::{Op, Role, U_ACC, generate};
use langevin::verify::{self, RunOptions, Tensor, Tensors, VerifyError};
use langevin::{
    AttentionDesc, BindError, Capabilities, ConvDesc, Format, Gpu, Kernel, Matmul, MatmulBuffers, MatmulDesc,
    NormDesc, Pick, PlanError, PlanOptions, Quantize, QuantizeBuffers, QuantizeDesc, Tier, choice, sources,
};
use langevin_testkit::gpu;
use wgpu::BufferUsages;

const M: usize = 6;
const K: usize = 9;
const N: usize = 5;

fn plan(gpu: &Gpu) -> Matmul {
    Matmul::new(gpu.device(), &MatmulDesc { m: M, k: K, n: N, ..Default::default() }).unwrap()
}

fn whole(buffer: &wgpu::Buffer) -> wgpu::BufferBinding<'_> {
    buffer.as_entire_buffer_binding()
}

#[test]
fn every_bind_error_names_the_tensor_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let plan = plan(&gpu);
    let buffer = |bytes| gpu.empty("test", bytes).unwrap();
    let (a, b, out) = (buffer(1024), buffer(1024), buffer(1024));
    let error = |buffers| plan.bind(gpu.device(), buffers).unwrap_err();
    let good = || MatmulBuffers::new(whole(&a), whole(&b), whole(&out));
    plan.bind(gpu.device(), good()).unwrap();

    let small = buffer(4 * (M * K) as u64 - 4);
    let wrong = error(MatmulBuffers { a: whole(&small), ..good() });
    assert_eq!(wrong.to_string(), "matmul: `a` takes 216 bytes, but its binding has 212");
    let wrong = error(MatmulBuffers { a: wgpu::BufferBinding { offset: 5000, ..whole(&a) }, ..good() });
    assert_eq!(wrong.to_string(), "matmul: `a` takes 216 bytes, but its binding has 0");
    let part = |size| wgpu::BufferBinding { size: wgpu::BufferSize::new(size), ..whole(&a) };
    let wrong = error(MatmulBuffers { a: part(212), ..good() });
    assert_eq!(wrong.to_string(), "matmul: `a` takes 216 bytes, but its binding has 212");
    let beyond = wgpu::BufferBinding { size: wgpu::BufferSize::new(4096), ..whole(&small) };
    let wrong = error(MatmulBuffers { a: beyond, ..good() });
    assert_eq!(wrong.to_string(), "matmul: `a` takes 216 bytes, but its binding has 212");
    let wrong = error(MatmulBuffers { b: wgpu::BufferBinding { offset: 4, ..whole(&b) }, ..good() });
    assert!(matches!(wrong, BindError::Misaligned { tensor: "b", offset: 4, .. }), "{wrong}");
    let wrong = error(MatmulBuffers { out: whole(&b), ..good() });
    assert!(matches!(wrong, BindError::Aliased { output: "out", other: "b", .. }), "{wrong}");
    let wrong = error(MatmulBuffers { bias: Some(whole(&small)), ..good() });
    assert_eq!(
        wrong.to_string(),
        "matmul: a buffer for `bias` was given, but the descriptor does not use it"
    );
    let wrong = plan.bind_named(gpu.device(), &[("a", whole(&a)), ("out", whole(&out))]).unwrap_err();
    assert_eq!(wrong.to_string(), "matmul: no buffer for `b`, which the descriptor uses");
    let wrong = plan.bind_named(gpu.device(), &[("nonsense", whole(&a))]).unwrap_err();
    assert!(matches!(wrong, BindError::Unexpected { .. }), "{wrong}");
    let twice = [("a", whole(&a)), ("b", whole(&b)), ("b", whole(&a)), ("out", whole(&out))];
    let wrong = plan.bind_named(gpu.device(), &twice).unwrap_err();
    assert_eq!(wrong.to_string(), "matmul: `b` was given twice");

    let descriptor = wgpu::BufferDescriptor {
        label: None,
        size: 1024,
        usage: BufferUsages::COPY_DST,
        mapped_at_creation: false,
    };
    let copy_only = gpu.device().create_buffer(&descriptor);
    let wrong = error(MatmulBuffers { a: whole(&copy_only), ..good() });
    assert!(matches!(wrong, BindError::Usage { tensor: "a", .. }), "{wrong}");
    // The same buffer may be read twice.
    plan.bind(gpu.device(), MatmulBuffers { b: whole(&a), ..good() }).unwrap();
}

#[test]
fn scratch_is_asked_for_by_size() {
    let Some(gpu) = gpu() else { return };
    let desc = QuantizeDesc { shape: vec![300, 300], ..Default::default() };
    let quantize = Quantize::new(gpu.device(), &desc).unwrap();
    assert!(quantize.scratch_bytes() > 0, "a whole tensor's scale takes two passes");
    let sizes: Vec<_> =
        quantize.tensors().iter().map(|spec| (spec.name, spec.gpu_bytes().unwrap())).collect();
    let buffers: Vec<_> =
        sizes.iter().map(|(name, bytes)| (*name, gpu.empty(name, *bytes).unwrap())).collect();
    let get = |name: &str| whole(&buffers.iter().find(|(tensor, _)| *tensor == name).unwrap().1);
    let without = QuantizeBuffers::new(get("x"), get("q"), get("scale"));
    let wrong = quantize.bind(gpu.device(), without.clone()).unwrap_err();
    assert_eq!(wrong.to_string(), "quantize: no buffer for `scratch`, which the descriptor uses");
    let scratch = gpu.empty("scratch", quantize.scratch_bytes()).unwrap();
    quantize.bind(gpu.device(), QuantizeBuffers { scratch: Some(whole(&scratch)), ..without }).unwrap();
}

/// A plan serves many buffers, a call many passes, and later calls in a pass see what earlier ones wrote.
#[test]
fn plans_and_calls_are_reused_in_order() {
    let Some(gpu) = gpu() else { return };
    // A 3 x 3 permutation, applied four times in one pass, then once more by recording one call again.
    let desc = MatmulDesc { m: 3, k: 3, n: 3, ..Default::default() };
    let matmul = Matmul::new(gpu.device(), &desc).unwrap();
    let words = |values: [f32; 9]| values.map(f32::to_bits);
    let turn = gpu.upload("turn", &words([0., 1., 0., 0., 0., 1., 1., 0., 0.])).unwrap();
    let start = [1., 2., 3., 4., 5., 6., 7., 8., 9.];
    let even = gpu.upload("even", &words(start)).unwrap();
    let odd = gpu.empty("odd", 36).unwrap();
    let bind = |from, to| {
        let buffers = MatmulBuffers::new(whole(&turn), whole(from), whole(to));
        matmul.bind(gpu.device(), buffers).unwrap()
    };
    let (forth, back) = (bind(&even, &odd), bind(&odd, &even));
    gpu.run(|encoder| {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        for call in [&forth, &back, &forth, &back, &forth, &back] {
            call.record(&mut pass);
        }
    })
    .unwrap();
    // Six turns of period three are none.
    assert_eq!(gpu.download(&even).unwrap(), words(start));
    gpu.run(|encoder| forth.encode(encoder)).unwrap();
    assert_eq!(gpu.download(&odd).unwrap()[..3], words(start)[3..6]);
}

/// Threads share a plan and the device; each has encoders and buffers of its own, and makes plans beside it.
#[test]
fn threads_share_a_plan_and_a_device() {
    let Some(gpu) = gpu() else { return };
    let gpu: &Gpu = &gpu;
    let matmul = &plan(gpu);
    let numbers =
        |count: usize, of: usize| (0..count).map(|i| ((i * of % 7) as f32).to_bits()).collect::<Vec<_>>();
    let product = |of: usize| -> Vec<u32> {
        let a = gpu.upload("a", &numbers(M * K, of)).unwrap();
        let b = gpu.upload("b", &numbers(K * N, of + 1)).unwrap();
        let out = gpu.empty("out", 4 * (M * N) as u64).unwrap();
        let call = matmul.bind(gpu.device(), MatmulBuffers::new(whole(&a), whole(&b), whole(&out))).unwrap();
        gpu.run(|encoder| call.encode(encoder)).unwrap();
        gpu.download(&out).unwrap()
    };
    let alone: Vec<Vec<u32>> = (0..4).map(product).collect();
    assert!(alone.windows(2).all(|pair| pair[0] != pair[1]));
    std::thread::scope(|scope| {
        for (of, expected) in alone.iter().enumerate() {
            scope.spawn(move || {
                for round in 0..5 {
                    assert_eq!(product(of), *expected, "thread {of}, round {round}");
                }
                assert_eq!(plan(gpu).scratch_bytes(), matmul.scratch_bytes());
            });
        }
    });
}

/// More workgroups than a dimension holds are folded into two, here with room for seven instead of 65,535.
#[test]
fn folded_grids_reach_every_item() {
    let Some(gpu) = gpu() else { return };
    let mut capabilities = gpu.capabilities().clone();
    capabilities.limits.max_compute_workgroups_per_dimension = 7;
    for batch in [6, 7, 8, 48, 49] {
        let desc = MatmulDesc { batch, m: 1, k: 1, n: 1, ..Default::default() };
        for variant in langevin::Kernel::variants(&desc, &capabilities) {
            let plan = PlanOptions {
                pick: variant.into(),
                capabilities: Some(capabilities.clone()),
                ..Default::default()
            };
            let options = RunOptions { plan };
            let comparisons = verify::check(&gpu, &desc, &generate::inputs(&desc, 4), &options).unwrap();
            let good = comparisons.iter().all(|c| c.passed() && c.rejects_zeros);
            assert!(good, "{} of {batch}: {comparisons:?}", variant.name);
        }
    }
}

/// A variant whose loops the driver would end early gives way to one that stays below, or the plan is refused.
#[test]
fn loops_that_are_too_long_are_avoided_or_refused() {
    let mut capabilities = Capabilities { device_type: wgpu::DeviceType::Cpu, ..Capabilities::minimal() };
    capabilities.max_loop_iterations = 60;
    let product = |k| MatmulDesc { m: 2, k, n: 2, ..Default::default() };
    let tier = |k| choice(&product(k), &capabilities, &Pick::Best).map(|variant| variant.tier);
    assert_eq!((tier(228).unwrap(), tier(229).unwrap()), (Tier::Software, Tier::Portable));
    let error = tier(329).unwrap_err().to_string();
    assert_eq!(
        error,
        "matmul: a loop of matmul (vector) needs 61 iterations, but the device's `max_loop_iterations` is 60 iterations"
    );
    assert!(choice(&product(229), &capabilities, &Pick::Tier(Tier::Software)).is_err());
}

/// A variant whose workgroup the device cannot start gives way to one that fits, or the plan is refused.
#[test]
fn workgroups_that_are_too_large_are_avoided_or_refused() {
    fn check<D: Kernel>(desc: &D) {
        let with = |invocations| {
            let mut capabilities = Capabilities::minimal();
            capabilities.limits.max_compute_invocations_per_workgroup = invocations;
            capabilities
        };
        let small = sources(desc, &with(64), &Pick::Best).unwrap();
        assert!(small.iter().all(|stage| (1..=64).contains(&stage.invocations)), "{small:?}");
    }
    check(&MatmulDesc { m: 200, k: 64, n: 200, ..Default::default() });
    check(&NormDesc { rows: 3, width: 999, ..Default::default() });
    let mut none = Capabilities::minimal();
    none.limits.max_compute_invocations_per_workgroup = 8;
    let error =
        choice(&MatmulDesc { m: 2, k: 8, n: 2, ..Default::default() }, &none, &Pick::Best).unwrap_err();
    let error = error.to_string();
    assert!(
        error.starts_with("matmul: a workgroup of matmul (")
            && error.ends_with(
                " invocations, but the device's `max_compute_invocations_per_workgroup` is 8 invocations"
            ),
        "{error}"
    );
}

/// Sums so long that an old llvmpipe would end their loops: right, or refused. All terms are 1, so every sum is exact.
#[test]
fn long_sums_are_right_or_refused() {
    let Some(gpu) = gpu() else { return };
    fn check<D: Kernel>(gpu: &Gpu, desc: &D, output: f64) {
        let mut inputs = Tensors::new();
        for spec in desc.tensors().iter().filter(|spec| spec.role == Role::Input) {
            let count = spec.elements().unwrap();
            let ones = if spec.dtype == Format::I8.into() {
                Tensor::new(Format::I8, &spec.shape, vec![1; count])
            } else {
                Tensor::from_f32(Format::F32, &spec.shape, &vec![1.0; count])
            };
            inputs.insert(spec.name, ones.unwrap());
        }
        for variant in desc.variants(gpu.capabilities()) {
            let plan = PlanOptions { pick: variant.into(), ..Default::default() };
            match verify::run(gpu, desc, &inputs, &RunOptions { plan }) {
                Ok(outputs) => {
                    // Exact sums; only the quotients of attention may be off, by the rounding of a reciprocal and a product.
                    let near = |&value: &f64| (value - output).abs() <= 8.0 * U_ACC * output;
                    let values = outputs.get("out").unwrap().to_f64();
                    assert!(values.iter().all(near), "{} of {desc:?}: {values}", variant.name);
                }
                Err(VerifyError::Plan(PlanError::Limit { limit: "max_loop_iterations", .. })) => {
                    assert!(gpu.capabilities().max_loop_iterations < u64::MAX);
                }
                Err(error) => panic!("{} of {desc:?}: {error}", variant.name),
            }
        }
    }
    check(&gpu, &MatmulDesc { m: 1, k: 300_000, n: 1, ..Default::default() }, 300_000.0);
    // In one slice.
    let whole = MatmulDesc { m: 1, k: 66_000, n: 1, batch_invariant: true, ..Default::default() };
    check(&gpu, &whole, 66_000.0);
    let conv = ConvDesc { in_channels: 7300, spatial: vec![9], kernel: vec![9], ..Default::default() };
    check(&gpu, &conv, 65_700.0);
    // The ends of short loops count, and those of segments of integers.
    for (spatial, kernel) in [(vec![150, 150], vec![150, 150]), (vec![22_000], vec![22_000])] {
        let terms = kernel.iter().product::<usize>() as f64;
        check(&gpu, &ConvDesc { spatial, kernel, ..Default::default() }, terms);
    }
    let (x, w) = (Format::I8, Format::I8);
    for in_channels in [58_080, 58_106, 59_000] {
        let (spatial, kernel) = (vec![2], vec![1]);
        check(
            &gpu,
            &ConvDesc { x, w, in_channels, spatial, kernel, ..Default::default() },
            in_channels as f64,
        );
    }
    for (seq_kv, head_dim) in [(7600, 256), (31_000, 32), (46_000, 32)] {
        let attend = AttentionDesc { seq_q: 1, seq_kv, head_dim, v_dim: 1, ..Default::default() };
        check(&gpu, &attend, 1.0);
    }
    // Rows of one number have no spread: their norm is zero.
    check(&gpu, &NormDesc { rows: 2, width: 90_000, ..Default::default() }, 0.0);
}

#[test]
fn a_limit_that_is_too_small_is_named() {
    let Some(gpu) = gpu() else { return };
    let mut capabilities = gpu.capabilities().clone();
    capabilities.limits.max_compute_workgroups_per_dimension = 3;
    let options = PlanOptions { capabilities: Some(capabilities.clone()), ..Default::default() };
    let desc = MatmulDesc { m: 1000, k: 1, n: 1000, ..Default::default() };
    let error = Matmul::with_options(gpu.device(), &desc, &options).unwrap_err();
    assert!(
        matches!(error, PlanError::Limit { limit: "max_compute_workgroups_per_dimension", allowed: 9, .. }),
        "{error}"
    );
    capabilities.limits.max_compute_workgroups_per_dimension = 65_535;
    capabilities.limits.max_storage_buffers_per_shader_stage = 2;
    let options = PlanOptions { capabilities: Some(capabilities.clone()), ..Default::default() };
    let error = Matmul::with_options(gpu.device(), &desc, &options).unwrap_err();
    assert!(
        matches!(error, PlanError::Limit { limit: "max_storage_buffers_per_shader_stage", asked: 3, .. }),
        "{error}"
    );
    capabilities.limits.max_storage_buffers_per_shader_stage = 3;
    capabilities.limits.max_storage_buffer_binding_size = 4_000_000;
    let options = PlanOptions { capabilities: Some(capabilities.clone()), ..Default::default() };
    // The output takes just what is allowed.
    Matmul::with_options(gpu.device(), &desc, &options).unwrap();
    capabilities.limits.max_storage_buffer_binding_size = 1000;
    let options = PlanOptions { capabilities: Some(capabilities), ..Default::default() };
    let error = Matmul::with_options(gpu.device(), &desc, &options).unwrap_err();
    // The column `a` could be bound in ranges, the row `b` cannot.
    assert_eq!(
        error.to_string(),
        "matmul: `b` needs 4000 bytes, but the device's `max_storage_buffer_binding_size` is 1000 bytes"
    );
}

/// Extents at the edge of every integer type are errors, not overflows.
#[test]
fn absurd_extents_are_errors() {
    let Some(gpu) = gpu() else { return };
    for m in [usize::MAX, usize::MAX / 2, 1 << 40, u32::MAX as usize] {
        for k in [0, 1, usize::MAX] {
            for a in [Format::F32, Format::F16, Format::I8] {
                let desc = MatmulDesc { m, k, n: 2, a: a.into(), ..Default::default() };
                assert!(matches!(Matmul::new(gpu.device(), &desc), Err(PlanError::Desc(_))), "{desc:?}");
            }
        }
        let norm = NormDesc { batch: m, rows: m, width: 0, ..Default::default() };
        assert!(norm.validate().is_err(), "{norm:?}");
    }
    assert!(Tensor::new(Format::F32, &[0, usize::MAX, usize::MAX], Vec::new()).is_err());
    assert!(Tensor::from_words(Format::F32, &[usize::MAX, usize::MAX, 0], &[]).is_err());
}

/// Plans and calls can be shared between threads.
#[test]
fn plans_and_calls_are_send_and_sync() {
    fn shared<T: Send + Sync + std::fmt::Debug>() {}
    shared::<Matmul>();
    shared::<Quantize>();
    shared::<langevin::Call>();
    shared::<PlanError>();
    shared::<BindError>();
}

/// A call belongs to its device; buffers of another one are an error. (Both of one instance: wgpu itself panics when
/// resources of two instances meet.)
#[test]
fn buffers_of_another_device_are_an_error() {
    if gpu().is_none() {
        return;
    }
    let adapters = langevin::gpu::adapters();
    let open = || Gpu::open_adapter(&adapters[0], &Default::default()).unwrap();
    let (gpu, other) = (open(), open());
    let plan = plan(&gpu);
    let foreign = other.empty("foreign", 1024).unwrap();
    let own: Vec<_> = (0..2).map(|_| gpu.empty("own", 1024).unwrap()).collect();
    let buffers = MatmulBuffers::new(whole(&foreign), whole(&own[0]), whole(&own[1]));
    assert!(matches!(plan.bind(gpu.device(), buffers), Err(BindError::Gpu(_))));
}
