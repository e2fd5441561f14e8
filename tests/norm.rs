//! Norm against its reference: shapes x formats x options x both variants, properties, and the errors.

use langevin::reference::{Answer, Op, Tensor, Tensors, generate};
use langevin::verify::{self, RunOptions};
use langevin::{Format, Gpu, Kernel, Modulation, Norm, NormDesc, NormKind, PlanOptions, Variant};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

const KINDS: [NormKind; 2] = [NormKind::Layer, NormKind::Rms];
const OUTPUTS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];

fn rows(rows: usize, width: usize) -> NormDesc {
    NormDesc { rows, width, ..Default::default() }
}

fn run(gpu: &Gpu, desc: &NormDesc, inputs: &Tensors, variant: Variant) -> Tensor {
    let plan = PlanOptions { pick: variant.into(), ..Default::default() };
    verify::run(gpu, desc, inputs, &RunOptions { plan }).unwrap().remove("out").unwrap()
}

fn with_x(desc: &NormDesc, seed: u64, values: &[f32]) -> Tensors {
    let mut inputs = generate::inputs(desc, seed);
    let shape = [desc.batch, desc.rows, desc.width];
    inputs.insert("x", Tensor::from_f32(desc.x, &shape, values).unwrap());
    inputs
}

/// Around a group of four, the 8 rows of a serial workgroup and the 512 columns that a tree takes at once.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let widths = [2, 3, 4, 5, 7, 31, 128, 509, 511, 512, 513, 1027];
    let counts = [1, 7, 8, 9, 19];
    for kind in KINDS {
        for (i, &width) in widths.iter().enumerate() {
            conform(&gpu, &NormDesc { kind, ..rows(counts[i % counts.len()], width) }, i as u64);
        }
        // A single column is zero when it is centred, so a bias gives the comparison something to see.
        conform(&gpu, &NormDesc { kind, bias: true, ..rows(19, 1) }, 3);
        conform(&gpu, &NormDesc { kind, batch: 3, ..rows(5, 6) }, 1);
    }
}

#[test]
fn every_pair_of_formats() {
    let Some(gpu) = gpu() else { return };
    for (i, x) in Format::ALL.into_iter().enumerate() {
        for (j, out) in OUTPUTS.into_iter().enumerate() {
            let kind = KINDS[(i + j) % 2];
            for width in [37, 38] {
                conform(&gpu, &NormDesc { kind, x, out, batch: 2, ..rows(3, width) }, 7);
            }
        }
    }
}

#[test]
fn every_option() {
    let Some(gpu) = gpu() else { return };
    for bits in 0..16 {
        let bit = |i: usize| bits >> i & 1 == 1;
        let desc = NormDesc {
            kind: KINDS[bits & 1],
            weight: bit(1),
            bias: bit(2),
            modulation: bit(3).then_some(Modulation { width: 80, shift: 5, scale: 42 }),
            batch: 3,
            out: OUTPUTS[bits % 3],
            ..rows(4, 35)
        };
        conform(&gpu, &desc, bits as u64);
    }
    // A shift and a scale may share their columns, and stand in any order.
    let modulation = Some(Modulation { width: 9, shift: 2, scale: 0 });
    conform(&gpu, &NormDesc { modulation, ..rows(4, 7) }, 1);
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for kind in KINDS {
        for (batch, rows, width) in [(0, 2, 3), (2, 0, 3), (2, 3, 0), (0, 0, 0)] {
            let modulation = Some(Modulation { width, shift: 0, scale: 0 });
            conform(&gpu, &NormDesc { batch, rows, width, kind, modulation, ..Default::default() }, 0);
        }
    }
}

/// Offsets up to 10,000 times the spread: a mean that is not corrected would leave nothing to compare.
#[test]
fn large_offsets_and_spreads_stay_within_a_bound_that_means_something() {
    let Some(gpu) = gpu() else { return };
    for (offset, spread) in [(1e2, 1.0), (1e4, 1.0), (-1e4, 1.0), (3e4, 2e4), (0.0, 1e16), (1e-20, 1e-3)] {
        let desc = rows(9, 321);
        let mut random = generate::Random::new(5);
        let values: Vec<f32> = (0..9 * 321).map(|_| offset + spread * random.uniform(-1.0, 1.0)).collect();
        conform_on(&gpu, &desc, &with_x(&desc, 0, &values));
        let Answer::Bounded { bound, .. } = desc.answer(&with_x(&desc, 0, &values)).remove(0).answer else {
            unreachable!("a norm is not exact")
        };
        let loosest = bound.iter().copied().fold(0.0, f64::max);
        assert!(loosest < 0.02, "offset {offset}, spread {spread}: the bound is {loosest}");
    }
}

#[test]
fn constant_rows_become_the_bias() {
    let Some(gpu) = gpu() else { return };
    for value in [0.0, 1.0, -0.7, 1234.567] {
        let desc = NormDesc { bias: true, ..rows(3, 96) };
        conform_on(&gpu, &desc, &with_x(&desc, 4, &[value; 3 * 96]));
    }
    // Zeros have no rounding: the result is the bias to the bit.
    let desc = NormDesc { bias: true, ..rows(3, 96) };
    let inputs = with_x(&desc, 4, &[0.0; 3 * 96]);
    for variant in desc.variants(gpu.capabilities()) {
        let out = run(&gpu, &desc, &inputs, variant).to_f32();
        assert_eq!(&out[96..192], inputs.get("bias").unwrap().to_f32(), "{}", variant.name);
    }
}

#[test]
fn nan_and_infinity_stay_in_their_row() {
    let Some(gpu) = gpu() else { return };
    let desc = NormDesc { weight: true, ..rows(11, 37) };
    let clean = generate::inputs(&desc, 8);
    let mut values = clean.get("x").unwrap().to_f32();
    values[4 * 37] = f32::NAN;
    values[7 * 37 + 36] = f32::INFINITY;
    let spoilt = with_x(&desc, 8, &values);
    for variant in desc.variants(gpu.capabilities()) {
        let want = run(&gpu, &desc, &clean, variant).to_f32();
        let got = run(&gpu, &desc, &spoilt, variant).to_f32();
        for row in (0..11).filter(|row| ![4, 7].contains(row)) {
            assert_eq!(got[row * 37..][..37], want[row * 37..][..37], "{}, row {row}", variant.name);
        }
    }
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &NormDesc| Norm::new(gpu.device(), desc).unwrap_err().to_string();
    let desc = NormDesc { out: Format::E5m2, ..rows(1, 1) };
    assert_eq!(error(&desc), "norm: `out` must be f32, f16 or bf16, got e5m2");
    for eps in [0.0, -1e-6, 1e-40, f32::NAN, f32::INFINITY] {
        let message = error(&NormDesc { eps, ..rows(1, 1) });
        assert_eq!(message, format!("norm: `eps` must be a positive normal number, got {eps}"));
    }
    let modulation = Some(Modulation { width: 12, shift: 0, scale: 8 });
    let message = error(&NormDesc { modulation, ..rows(1, 5) });
    assert_eq!(
        message,
        "norm: `modulation` must be columns inside its matrix, got scale in columns 8..8+5 of 12"
    );
    let modulation = Some(Modulation { width: 12, shift: usize::MAX, scale: 0 });
    assert!(error(&NormDesc { modulation, ..rows(1, 5) }).contains("got shift in columns"));
    assert!(error(&rows(1 << 20, 1 << 20)).contains("the number of elements of `x` must be at most"));
}

/// The value, the bound and what the GPU says, per element.
fn triple(gpu: &Gpu, desc: &NormDesc, inputs: &Tensors, variant: Variant) -> Vec<(f64, f64, f64)> {
    let Answer::Bounded { value, bound } = desc.answer(inputs).remove(0).answer else {
        unreachable!("a norm is not exact")
    };
    let got = run(gpu, desc, inputs, variant).to_f64();
    value.iter().zip(&bound).zip(&got).map(|((&value, &bound), &got)| (value, bound, got)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..Default::default() })]

    #[test]
    fn any_norm_is_within_its_bound(
        (batch, count, width) in (1usize..4, 1usize..12, 2usize..600),
        formats in (0usize..6, 0usize..3),
        options in 0usize..16,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let bit = |i: usize| options >> i & 1 == 1;
        let modulation = Modulation { width: 2 * width + 1, shift: 1, scale: width + 1 };
        let desc = NormDesc {
            batch,
            kind: KINDS[options & 1],
            // The formats move the flags along, so that few shaders are compiled.
            x: Format::ALL[formats.0],
            out: OUTPUTS[formats.1],
            weight: bit(1),
            bias: bit(1),
            modulation: bit(2).then_some(modulation),
            ..rows(count, width)
        };
        conform(&gpu, &desc, seed);
    }

    /// A factor of the row leaves its norm as it is, up to eps; so does a constant added to it, if it is centred.
    #[test]
    fn factors_and_constants_of_a_row_drop_out(
        width in 2usize..300,
        exponent in -6i32..6,
        constant in -999i32..999,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        for kind in KINDS {
            let desc = NormDesc { kind, eps: 1e-12, ..rows(3, width) };
            let mut random = generate::Random::new(seed);
            // Multiples of 1/1024, so that factor and sum are exact.
            let x: Vec<f32> = (0..3 * width).map(|_| random.integer(-1024, 1024) as f32 / 1024.0).collect();
            let constant = if kind == NormKind::Layer { constant as f32 } else { 0.0 };
            let changed: Vec<f32> = x.iter().map(|x| (x + constant) * 2f32.powi(exponent)).collect();
            for variant in desc.variants(gpu.capabilities()) {
                let one = triple(&gpu, &desc, &with_x(&desc, 0, &x), variant);
                let other = triple(&gpu, &desc, &with_x(&desc, 0, &changed), variant);
                for (a, b) in one.iter().zip(&other) {
                    let allowed = a.1 + b.1 + (a.0 - b.0).abs();
                    prop_assert!((a.2 - b.2).abs() <= allowed, "{}: {a:?} and {b:?}", variant.name);
                }
            }
        }
    }

    /// A row's bits do not depend on where it stands.
    #[test]
    fn rows_are_independent(count in 2usize..20, width in 1usize..200, seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = rows(count, width);
        let inputs = generate::inputs(&desc, seed);
        let mut turned = inputs.clone();
        let mut bytes = inputs.get("x").unwrap().bytes().to_vec();
        bytes.rotate_left(width * 4);
        turned.insert("x", Tensor::new(Format::F32, &[1, count, width], bytes).unwrap());
        for variant in desc.variants(gpu.capabilities()) {
            let mut expected = run(&gpu, &desc, &inputs, variant).bytes().to_vec();
            expected.rotate_left(width * 4);
            let got = run(&gpu, &desc, &turned, variant);
            prop_assert_eq!(got.bytes(), expected);
        }
    }
}
