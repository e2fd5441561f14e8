//! I8 by I8 is exact.

use super::{product, run};
use langevin::reference::generate;
use langevin::verify::{Op, Tensor};
use langevin::{Format, Granularity, Kernel, MatmulDesc, Operand};
use langevin_testkit::gpu;

/// Sums up to the last below 2^31, where the largest codes meet, by every variant.
#[test]
fn sums_are_exact_up_to_the_limit_of_i32() {
    let Some(gpu) = gpu() else { return };
    let integers = Operand::from(Format::I8);
    let with_zero = Operand { zero: true, ..integers };
    // (a, b, zero of a, zero of b, k): the factors are 128 x 128, -128 x 127 and 255 x 255.
    let cases = [
        (-128, -128, None, None, 131_071),
        (-128, 127, None, None, 131_071),
        (127, 127, None, None, 131_071),
        (127, 127, Some(-128), Some(-128), 33_025),
    ];
    for (a, b, a_zero, b_zero, k) in cases {
        let pick = |zero: Option<i32>| if zero.is_some() { with_zero } else { integers };
        let desc = MatmulDesc {
            a: pick(a_zero),
            b: Operand { transposed: true, ..pick(b_zero) },
            ..product(2, k, 3)
        };
        let mut inputs = generate::inputs(&desc, 1);
        let fill = |shape: &[usize], code: i32| {
            Tensor::new(Format::I8, shape, vec![code as u8; shape.iter().product()])
        };
        inputs.insert("a", fill(&[1, 2, k], a).unwrap());
        inputs.insert("b", fill(&[1, 3, k], b).unwrap());
        for (name, zero) in [("a_zero", a_zero), ("b_zero", b_zero)] {
            if let Some(zero) = zero {
                inputs.insert(name, Tensor::from_i32(&[], &[zero]).unwrap());
            }
        }
        let sum = (a - a_zero.unwrap_or(0)) * (b - b_zero.unwrap_or(0)) * k as i32;
        for variant in desc.variants(gpu.capabilities()) {
            // The sum is exact; its conversion to f32 is to nearest on every driver here.
            let out = run(&gpu, &desc, &inputs, variant).to_f32();
            assert_eq!(out, [sum as f32; 6], "{} at {a} x {b}", variant.name);
        }
    }
}

/// Equal to integer arithmetic element by element, where f32 holds the sum.
#[test]
fn integers_are_exact() {
    let Some(gpu) = gpu() else { return };
    for (k, zeros) in [(500, false), (1500, true)] {
        let a = Operand { zero: zeros, ..Operand::from(Format::I8) };
        let b = Operand { zero: zeros, ..Operand::from(Format::I8) };
        let desc = MatmulDesc { a, b, ..product(33, k, 40) };
        let inputs = generate::inputs(&desc, 5);
        let code = |name: &str| {
            inputs.get(name).map_or(vec![0], |tensor| tensor.to_f64().iter().map(|&x| x as i64).collect())
        };
        let (a, b, a_zero, b_zero) = (code("a"), code("b"), code("a_zero")[0], code("b_zero")[0]);
        let expected: Vec<f64> = (0..33 * 40)
            .map(|i| {
                (0..k).map(|p| (a[i / 40 * k + p] - a_zero) * (b[p * 40 + i % 40] - b_zero)).sum::<i64>()
                    as f64
            })
            .collect();
        assert_eq!(desc.evaluate(&inputs).unwrap()[0].values().into_raw_vec_and_offset().0, expected);
        for variant in desc.variants(gpu.capabilities()) {
            let got: Vec<f64> = run(&gpu, &desc, &inputs, variant).to_f64().into_iter().collect();
            assert_eq!(got, expected, "{}", variant.name);
        }
    }
}

/// With scales of one the groups' exact sums add up exactly.
#[test]
fn groups_of_integers_are_exact() {
    let Some(gpu) = gpu() else { return };
    let scaled = Operand::from(Format::I8).scaled(Granularity::PerGroup(64));
    let desc = MatmulDesc { a: scaled, b: Operand { transposed: true, ..scaled }, ..product(5, 200, 6) };
    let mut inputs = generate::inputs(&desc, 5);
    for (name, rows) in [("a_scale", 5), ("b_scale", 6)] {
        inputs.insert(name, Tensor::from_f32(Format::F32, &[1, rows, 4], &vec![1.0; rows * 4]).unwrap());
    }
    let expected = desc.evaluate(&inputs).unwrap()[0].values();
    for variant in desc.variants(gpu.capabilities()) {
        assert_eq!(run(&gpu, &desc, &inputs, variant).to_f64(), expected, "{}", variant.name);
    }
}
