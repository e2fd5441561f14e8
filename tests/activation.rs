//! Activation against its reference: shapes x formats x functions, extreme arguments, and the errors.

use langevin::reference::{Tensor, Tensors, generate};
use langevin::verify::{self, RunOptions};
use langevin::{Activate, Activation, ActivationDesc, Format};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

const OUTPUTS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];

fn rows(rows: usize, width: usize) -> ActivationDesc {
    ActivationDesc { rows, width, ..Default::default() }
}

/// Around a group of four and the 64 groups of a workgroup.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    for activation in Activation::ALL {
        for (count, width) in [(2, 1), (1, 3), (1, 4), (3, 5), (5, 7), (1, 255), (1, 256), (1, 257), (17, 61)]
        {
            conform(&gpu, &ActivationDesc { activation, ..rows(count, width) }, width as u64);
        }
    }
}

#[test]
fn every_pair_of_formats() {
    let Some(gpu) = gpu() else { return };
    for (i, x) in Format::ALL.into_iter().enumerate() {
        for (j, out) in OUTPUTS.into_iter().enumerate() {
            let activation = Activation::ALL[(i + j) % 4];
            for width in [13, 14] {
                conform(&gpu, &ActivationDesc { activation, x, out, ..rows(5, width) }, 7);
            }
        }
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for (count, width) in [(0, 3), (3, 0), (0, 0)] {
        conform(&gpu, &rows(count, width), 0);
    }
}

/// From underflow to where the exponential would overflow, on both sides.
#[test]
fn extreme_arguments_stay_within_the_bound() {
    let Some(gpu) = gpu() else { return };
    let magnitudes = (-60..24).flat_map(|exponent| [1.0, 1.37, 1.93].map(|m| m * 2f32.powi(exponent)));
    let values: Vec<f32> =
        magnitudes.flat_map(|x| [x, -x]).chain([0.0, 88.0, -88.0, 104.0, -104.0]).collect();
    for activation in Activation::ALL {
        let desc = ActivationDesc { activation, ..rows(1, values.len()) };
        let mut inputs = verify::Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[1, values.len()], &values).unwrap());
        conform_on(&gpu, &desc, &inputs);
    }
}

#[test]
fn identity_and_relu_are_exact() {
    let Some(gpu) = gpu() else { return };
    for activation in [Activation::Identity, Activation::Relu] {
        let desc = ActivationDesc { activation, ..rows(4, 33) };
        let inputs = generate::inputs(&desc, 3);
        let out = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap();
        let expected = inputs.get("x").unwrap().to_f64().mapv(|x| activation.apply(x));
        assert_eq!(out.get("out").unwrap().to_f64(), expected);
    }
}

/// Random inputs hardly ever hold the largest number of a format, its subnormals or its NaN; most kernels read tensors as
/// this one does.
#[test]
fn every_code_arrives() {
    let Some(gpu) = gpu() else { return };
    for x in [Format::E4m3, Format::E5m2, Format::I8, Format::F16, Format::BF16] {
        let count = 1u32 << x.bits();
        let codes = (0..count).flat_map(|code| code.to_le_bytes()[..x.bytes()].to_vec()).collect();
        let desc = ActivationDesc { activation: Activation::Identity, x, ..rows(1, count as usize) };
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::new(x, &[1, count as usize], codes).unwrap());
        let out = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap();
        for (code, got) in out.get("out").unwrap().to_f32().into_iter().enumerate() {
            let want = x.decode(code as u32);
            // A subnormal f32 may be flushed.
            let flushed = want.is_subnormal() && got == 0.0;
            assert!(
                got == want || flushed || (got.is_nan() && want.is_nan()),
                "{x} {code:#x}: {got}, not {want}"
            );
        }
    }
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &ActivationDesc| Activate::new(gpu.device(), desc).unwrap_err().to_string();
    let desc = ActivationDesc { out: Format::I8, ..rows(1, 1) };
    assert_eq!(error(&desc), "activation: `out` must be f32, f16 or bf16, got i8");
    assert!(error(&rows(1 << 20, 1 << 20)).contains("the number of elements of `x` must be at most"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_activation_is_within_its_bound(
        (count, width) in (1usize..20, 1usize..90),
        formats in (0usize..6, 0usize..3),
        activation in 0usize..4,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let (x, out) = (Format::ALL[formats.0], OUTPUTS[formats.1]);
        let desc = ActivationDesc { activation: Activation::ALL[activation], x, out, ..rows(count, width) };
        let inputs = generate::inputs(&desc, seed);
        // A ReLU of nothing but negative numbers is zero, which is right and shows nothing.
        prop_assume!(inputs.get("x").unwrap().to_f32().iter().any(|&x| x > 0.01));
        conform_on(&gpu, &desc, &inputs);
    }
}
