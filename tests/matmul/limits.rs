//! Tensors larger than a binding may be, grids larger than a dimension, and sizes near 2^32: right, or refused by name.

use super::product;
use langevin::reference::generate;
use langevin::verify::{self, Op, RunOptions, Tensors};
use langevin::{
    Capabilities, Columns, Format, Gpu, Granularity, Kernel, Matmul, MatmulDesc, Operand, Pair, PlanError,
    PlanOptions, Variant, sources, wgpu,
};
use langevin_testkit::{gpu, limited};

/// A device that binds 64 KiB at most and has 40 workgroups to a dimension, which wgpu enforces.
fn small_device() -> Gpu {
    let limits = wgpu::Limits {
        max_storage_buffer_binding_size: 64 << 10,
        max_compute_workgroups_per_dimension: 40,
        ..Default::default()
    };
    limited(wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP, limits)
}

/// Every tensor larger than a binding, one at a time and together, in every layout that can be cut.
fn large() -> Vec<MatmulDesc> {
    let turned = |format: Format| Operand { transposed: true, ..format.into() };
    let grouped = |format: Format, size| Operand::from(format).scaled(Granularity::PerGroup(size));
    vec![
        // All three operands by rows or depths, with what goes along: rows of an epilogue, scales of rows and groups.
        MatmulDesc {
            a: Operand::from(Format::E4m3).scaled(Granularity::PerRow),
            b: Operand { zero: true, ..grouped(Format::I8, 32) },
            bias: true,
            residual: true,
            gate: Some(Columns { start: 3, width: 1100 }),
            ..product(200, 420, 260)
        },
        // `out` by rows; `a` by depths and `b` by columns.
        product(90, 12, 301),
        MatmulDesc { a: turned(Format::I8), b: turned(Format::I8), ..product(130, 700, 120) },
        // Items come before rows, and tensors that the batch shares stay whole.
        MatmulDesc {
            batch: 7,
            b: Operand { shared: true, ..Default::default() },
            residual: true,
            residual_shared: true,
            ..product(40, 90, 81)
        },
        MatmulDesc { batch: 3, a: grouped(Format::F16, 32), out: Format::F16, ..product(150, 300, 20) },
        // Parts of columns inside wider matrices, and pairs.
        MatmulDesc {
            a: Operand { columns: Some(Columns { start: 5, width: 300 }), ..Default::default() },
            b: Operand { columns: Some(Columns { start: 8, width: 190 }), ..Format::E5m2.into() },
            out: Format::F16,
            out_columns: Some(Columns { start: 4, width: 300 }),
            ..product(130, 290, 182)
        },
        MatmulDesc {
            pair: Some(Pair::GateFirst),
            a: Format::I8.into(),
            b: Operand::from(Format::I8).scaled(Granularity::PerColumn),
            bias: true,
            ..product(20, 600, 60)
        },
    ]
}

fn options(variant: Variant, gpu: &Gpu) -> RunOptions {
    let capabilities = Some(gpu.capabilities().clone());
    RunOptions { plan: PlanOptions { pick: variant.into(), capabilities, ..Default::default() } }
}

fn out(gpu: &Gpu, desc: &MatmulDesc, inputs: &Tensors, variant: Variant) -> verify::Tensor {
    verify::run(gpu, desc, inputs, &options(variant, gpu)).unwrap().remove("out").unwrap()
}

/// The answer is right, and has the bits of the undivided product unless k had to be cut.
#[test]
fn tensors_larger_than_a_binding_are_bound_in_parts() {
    let Some(gpu) = gpu() else { return };
    let small = small_device();
    let limit = small.capabilities().limits.max_storage_buffer_binding_size;
    for (seed, desc) in large().iter().enumerate() {
        let largest = desc.tensors().iter().filter_map(|spec| spec.gpu_bytes()).max();
        assert!(largest > Some(limit), "{desc:?} fits");
        let inputs = generate::inputs(desc, seed as u64);
        // The first case takes every variant, the others one in turns: each is some more shaders to compile.
        let variants = desc.variants(small.capabilities());
        let taken = |i: &usize| seed == 0 || *i == seed % variants.len();
        for variant in (0..variants.len()).filter(taken).map(|i| variants[i]) {
            let stages = sources(desc, small.capabilities(), &variant.into()).unwrap();
            assert!(
                stages.len() > 1 && stages.iter().any(|stage| stage.ranges.iter().any(Option::is_some)),
                "{desc:?}"
            );
            let got = out(&small, desc, &inputs, variant);
            let comparison = verify::compare(&desc.evaluate(&inputs).unwrap()[0], &got);
            let good = comparison.passed() && comparison.rejects_zeros;
            assert!(good, "{} of {desc:?}: {comparison}", variant.name);
            let whole = sources(desc, gpu.capabilities(), &variant.into()).unwrap();
            if whole.len() == 1 && stages.iter().all(|stage| !stage.bindings.contains(&"scratch")) {
                let whole = out(&gpu, desc, &inputs, variant);
                assert_eq!(got.bytes(), whole.bytes(), "{} of {desc:?}", variant.name);
            }
        }
    }
}

/// Rows keep their bits however many there are, also where parts of them differ.
#[test]
fn batch_invariant_rows_keep_their_bits_in_parts() {
    if gpu().is_none() {
        return;
    }
    let small = small_device();
    for b_transposed in [false, true] {
        let b = Operand { transposed: b_transposed, shared: true, ..Format::F16.into() };
        let many = MatmulDesc { b, batch: 2, batch_invariant: true, ..product(170, 500, 90) };
        let one = MatmulDesc { m: 1, batch: 1, ..many.clone() };
        let inputs = generate::inputs(&many, 1);
        let row =
            verify::Tensor::new(Format::F32, &[1, 1, 500], inputs.get("a").unwrap().bytes()[..2000].to_vec());
        let mut alone = inputs.clone();
        alone.insert("a", row.unwrap());
        for variant in many.variants(small.capabilities()) {
            let first = out(&small, &many, &inputs, variant).bytes()[..360].to_vec();
            assert_eq!(out(&small, &one, &alone, variant).bytes(), first, "{}", variant.name);
        }
    }
    // An item of B that just fits a binding is cut along k alike, whether it is the only one or not.
    let many = MatmulDesc { batch: 2, batch_invariant: true, ..product(3, 256, 64) };
    let one = MatmulDesc { m: 1, batch: 1, ..many.clone() };
    let inputs = generate::inputs(&many, 2);
    let mut alone = Tensors::new();
    for (name, shape, bytes) in [("a", [1, 1, 256], 1024), ("b", [1, 256, 64], 65_536)] {
        let first = inputs.get(name).unwrap().bytes()[..bytes].to_vec();
        alone.insert(name, verify::Tensor::new(Format::F32, &shape, first).unwrap());
    }
    for variant in many.variants(small.capabilities()) {
        let first = out(&small, &many, &inputs, variant).bytes()[..256].to_vec();
        assert_eq!(out(&small, &one, &alone, variant).bytes(), first, "{}", variant.name);
    }
    // Where the number of rows would decide how k is cut, there is an error instead.
    let a = Operand { transposed: true, ..Default::default() };
    let turned = MatmulDesc { a, batch_invariant: true, ..product(100, 400, 4) };
    let error = Matmul::new(small.device(), &turned).unwrap_err().to_string();
    assert!(
        error.starts_with(
            "matmul: `a` needs 160000 bytes, but the device's `max_storage_buffer_binding_size` is 65536 bytes"
        ),
        "{error}"
    );
}

/// What no cut makes small enough is refused by name: a row, or the two halves of a pair's columns.
#[test]
fn what_cannot_be_cut_is_refused_by_name() {
    let mut capabilities = Capabilities::minimal();
    capabilities.limits.max_storage_buffer_binding_size = 64 << 10;
    let refused = |desc: &MatmulDesc| {
        let variant = desc.variants(&capabilities)[0];
        match sources(desc, &capabilities, &variant.into()) {
            Err(PlanError::Limit {
                what, limit: "max_storage_buffer_binding_size", asked, allowed, ..
            }) => {
                assert_eq!(allowed, 64 << 10);
                (what, asked)
            }
            other => panic!("{other:?}"),
        }
    };
    // A row is more than a binding.
    assert_eq!(refused(&product(8, 20_000, 4)), ("`a`".into(), 640_000));
    let transposed = Operand { transposed: true, ..Default::default() };
    let pair = MatmulDesc { pair: Some(Pair::GateLast), b: transposed, ..product(1, 200, 100) };
    assert_eq!(refused(&pair), ("`b`".into(), 160_000));
    let wide =
        MatmulDesc { pair: Some(Pair::GateLast), bias: true, out: Format::I8, ..product(1, 0, 10_000) };
    assert_eq!(refused(&wide), ("`bias`".into(), 80_000));
}
