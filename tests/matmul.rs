//! Matmul against its reference: shapes x formats x options x every variant, properties, and the errors.

use langevin::reference::generate;
use langevin::verify::{self, RunOptions};
use langevin::{Activation, Columns, Format, Granularity, Matmul, MatmulDesc, PlanError, PlanOptions, Tier};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

fn product(m: usize, k: usize, n: usize) -> MatmulDesc {
    MatmulDesc { m, k, n, ..Default::default() }
}

/// 1, tile - 1, tile, tile + 1, 2 tile + 3 and primes, for the tiles of every variant (16, 32, 64).
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let sizes = [1, 15, 16, 17, 37, 63, 64, 65, 131];
    for (i, &m) in sizes.iter().enumerate() {
        for (j, &n) in sizes.iter().enumerate() {
            let k = sizes[(i + 2 * j) % sizes.len()];
            conform(&gpu, &product(m, k, n), (i * 16 + j) as u64);
        }
    }
    conform(&gpu, &MatmulDesc { batch: 3, ..product(5, 7, 6) }, 1);
    conform(&gpu, &MatmulDesc { batch: 3, b_shared: true, ..product(18, 9, 33) }, 2);
    conform(&gpu, &product(2, 1031, 3), 3);
}

/// Every format on either side, beside F32 and beside itself; the three outputs take turns. Operands are decoded
/// independently of each other, and each combination is one more shader to compile.
#[test]
fn formats() {
    let Some(gpu) = gpu() else { return };
    for (i, a) in Format::ALL.into_iter().enumerate() {
        for (j, b) in Format::ALL.into_iter().enumerate() {
            if i == j || a == Format::F32 || b == Format::F32 {
                let out = [Format::F32, Format::F16, Format::BF16][(i + 2 * j) % 3];
                conform(&gpu, &MatmulDesc { a, b, out, batch: 2, ..product(19, 23, 37) }, 7);
            }
        }
    }
}

#[test]
fn every_option() {
    let Some(gpu) = gpu() else { return };
    let scales_a = [None, Some(Granularity::PerTensor), Some(Granularity::PerRow)];
    let scales_b = [None, Some(Granularity::PerTensor), Some(Granularity::PerColumn)];
    let mut seed = 0;
    for a_scale in scales_a {
        for b_scale in scales_b {
            for _ in 0..2 {
                seed += 1;
                let bit = |i: u64| seed >> i & 1 == 1;
                let desc = MatmulDesc {
                    batch: 2,
                    a_scale,
                    b_scale,
                    activation: Activation::ALL[(seed / 2) as usize % 4],
                    bias: bit(0),
                    gate: bit(1).then_some(Columns { start: 5, width: 41 }),
                    residual: bit(2),
                    residual_shared: bit(2) && bit(3),
                    b_shared: bit(1),
                    out: [Format::F32, Format::F16, Format::BF16][seed as usize % 3],
                    ..product(17, 20, 35)
                };
                conform(&gpu, &desc, seed);
            }
        }
    }
    let zeros = MatmulDesc { a: Format::I8, b: Format::I8, a_zero: true, b_zero: true, ..product(9, 21, 10) };
    conform(&gpu, &zeros, 99);
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for (m, k, n) in [(0, 3, 4), (3, 4, 0), (0, 0, 0)] {
        conform(&gpu, &product(m, k, n), 0);
    }
    conform(&gpu, &MatmulDesc { batch: 0, ..product(2, 2, 2) }, 0);
    // Without a summed axis the epilogue alone is left.
    conform(&gpu, &MatmulDesc { bias: true, residual: true, ..product(5, 0, 7) }, 1);
}

/// NaN in one batch item stays there, also where a tile reaches past the item's last depth.
#[test]
fn batch_items_are_apart() {
    let Some(gpu) = gpu() else { return };
    for k in [1, 17, 18, 19] {
        let desc = MatmulDesc { batch: 2, ..product(3, k, 5) };
        let mut inputs = generate::inputs(&desc, 6);
        for (name, shape) in [("a", [2, 3, k]), ("b", [2, k, 5])] {
            let mut values = inputs.get(name).unwrap().to_f32();
            let half = values.len() / 2;
            values[half..].fill(f32::NAN);
            inputs.insert(name, verify::Tensor::from_f32(Format::F32, &shape, &values).unwrap());
        }
        for variant in langevin::Kernel::variants(&desc, gpu.capabilities()) {
            let plan = PlanOptions { tier: Some(variant.tier), ..Default::default() };
            let out = verify::run(&gpu, &desc, &inputs, &RunOptions { plan }).unwrap();
            let first = &out.get("out").unwrap().to_f32()[..15];
            assert!(first.iter().all(|value| value.is_finite()), "{} at k = {k}: {first:?}", variant.name);
        }
    }
}

#[test]
fn integers_are_exact() {
    let Some(gpu) = gpu() else { return };
    // Sums below 2^24 are exact in f32, so every variant must agree with the integers.
    let desc = MatmulDesc { a: Format::I8, b: Format::I8, ..product(33, 500, 40) };
    let inputs = generate::inputs(&desc, 5);
    for variant in langevin::Kernel::variants(&desc, gpu.capabilities()) {
        let plan = PlanOptions { tier: Some(variant.tier), ..Default::default() };
        let out = verify::run(&gpu, &desc, &inputs, &RunOptions { plan }).unwrap();
        let expected = verify::Op::evaluate(&desc, &inputs).unwrap()[0].values();
        assert_eq!(out.get("out").unwrap().to_f64(), expected, "{}", variant.name);
    }
}

#[test]
fn checked_shaders_agree() {
    let Some(gpu) = gpu() else { return };
    let desc = product(20, 30, 40);
    let inputs = generate::inputs(&desc, 5);
    let run = |checked| {
        let plan = PlanOptions { checked, ..Default::default() };
        verify::run(&gpu, &desc, &inputs, &RunOptions { plan }).unwrap()
    };
    assert_eq!(run(true), run(false));
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &MatmulDesc| Matmul::new(gpu.device(), desc).unwrap_err().to_string();
    let desc = MatmulDesc { out: Format::E4m3, ..product(1, 1, 1) };
    assert_eq!(error(&desc), "matmul: `out` must be f32, f16 or bf16, got e4m3");
    let desc = MatmulDesc { gate: Some(Columns { start: 3, width: 5 }), ..product(1, 1, 3) };
    assert_eq!(error(&desc), "matmul: `gate` must be columns inside its matrix, got columns 3..3+3 of 5");
    let desc = MatmulDesc { b_zero: true, ..product(1, 1, 3) };
    assert_eq!(error(&desc), "matmul: `b_zero` must be absent unless the operand is i8, got f32");
    assert!(error(&product(1 << 20, 1 << 20, 1)).contains("the number of elements of `a` must be at most"));
    assert!(error(&product(usize::MAX, 2, 1)).contains("got"));
    let too_large = product(1 << 15, 1 << 15, 1);
    if gpu.capabilities().limits.max_storage_buffer_binding_size < 1 << 32 {
        assert!(error(&too_large).contains("`max_storage_buffer_binding_size` is"));
    }
    let options = PlanOptions { tier: Some(Tier::Dot4), ..Default::default() };
    let error = Matmul::with_options(gpu.device(), &product(1, 1, 1), &options).unwrap_err();
    assert!(matches!(error, PlanError::Tier { tier: Tier::Dot4, .. }), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..Default::default() })]

    #[test]
    fn any_product_is_within_its_bound(
        (m, k, n, batch) in (1usize..70, 0usize..70, 1usize..70, 1usize..3),
        formats in (0usize..6, 0usize..6, 0usize..3),
        flags in any::<u8>(),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = MatmulDesc {
            batch,
            a: Format::ALL[formats.0],
            b: Format::ALL[formats.1],
            out: [Format::F32, Format::F16, Format::BF16][formats.2],
            bias: flags & 1 != 0,
            residual: flags & 2 != 0,
            a_scale: (flags & 4 != 0).then_some(Granularity::PerRow),
            b_scale: (flags & 8 != 0).then_some(Granularity::PerColumn),
            activation: Activation::ALL[usize::from(flags >> 4 & 3)],
            b_shared: flags & 64 != 0,
            ..product(m, k, n)
        };
        conform(&gpu, &desc, seed);
    }

    /// `P A` has the rows of `A` permuted, so the product's rows are permuted, bit for bit.
    #[test]
    fn permuting_rows_permutes_rows(m in 2usize..40, k in 1usize..40, n in 1usize..40, seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = product(m, k, n);
        let inputs = generate::inputs(&desc, seed);
        let mut turned = inputs.clone();
        let row_bytes = k * 4;
        let mut bytes = inputs.get("a").unwrap().bytes().to_vec();
        bytes.rotate_left(row_bytes);
        turned.insert("a", verify::Tensor::new(Format::F32, &[1, m, k], bytes).unwrap());
        let run = |inputs| verify::run(&gpu, &desc, inputs, &RunOptions::default()).unwrap();
        let mut expected = run(&inputs).get("out").unwrap().bytes().to_vec();
        expected.rotate_left(n * 4);
        let got = run(&turned);
        prop_assert_eq!(got.get("out").unwrap().bytes(), expected);
        conform_on(&gpu, &desc, &turned);
    }
}
