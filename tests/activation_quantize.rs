//! A function fused with a quantizer, against its reference and against the two kernels one after the other.

use langevin::formats::e8m0::ScaleRounding;
use langevin::reference::{Answer, generate};
use langevin::verify::{self, Op, RunOptions, Tensor, Tensors, compare};
use langevin::{
    Activation, ActivationDesc, ActivationQuantize, ActivationQuantizeDesc, Format, Gpu, Granularity, Kernel,
    QuantizeDesc, Rounding, ScaleSource,
};
use langevin_testkit::{conform, conform_on, gpu};

fn of(activation: Activation, rows: usize, width: usize) -> ActivationDesc {
    ActivationDesc { rows, width, activation, ..Default::default() }
}

/// Every function, every way to share scales, every format of codes and of x at least once.
fn cases() -> Vec<ActivationQuantizeDesc> {
    let granularities = [
        Granularity::PerRow,
        Granularity::PerTensor,
        Granularity::PerGroup(32),
        Granularity::PerColumn,
        Granularity::PerBlock { rows: 4, columns: 8 },
        Granularity::PerBlock { rows: 5, columns: 1 },
    ];
    let codes = [(Format::E4m3, false), (Format::I8, false), (Format::E5m2, false), (Format::I8, true)];
    let mut cases = Vec::new();
    for (i, granularity) in granularities.into_iter().enumerate() {
        let (q, asymmetric) = codes[i % codes.len()];
        let scale = [ScaleSource::Dynamic, ScaleSource::Dynamic, ScaleSource::Static][i % 3];
        let quantizer = QuantizeDesc { q, asymmetric, granularity, scale, ..Default::default() };
        let function = Activation::ALL[i % Activation::ALL.len()];
        let x = Format::ALL[(i + 1) % 6];
        for (rows, width) in [(19, 70), (2, 132)] {
            let activation = ActivationDesc { x, ..of(function, rows, width) };
            cases.push(ActivationQuantizeDesc::new(activation, quantizer.clone()));
        }
    }
    let mx = QuantizeDesc {
        granularity: Granularity::PerGroup(32),
        scale_rounding: Some(ScaleRounding::Floor),
        ..Default::default()
    };
    cases.push(ActivationQuantizeDesc::new(of(Activation::Silu, 9, 150), mx));
    let random = QuantizeDesc { rounding: Rounding::Stochastic, q: Format::I8, ..Default::default() };
    cases.push(ActivationQuantizeDesc::new(of(Activation::GeluTanh, 9, 70), random));
    cases
}

#[test]
fn every_function_and_granularity() {
    let Some(gpu) = gpu() else { return };
    for (i, desc) in cases().iter().enumerate() {
        conform(&gpu, desc, i as u64);
    }
}

/// Large and small numbers, where functions are flat and where they are steep, and rows of every length around a unit.
#[test]
fn ranges_and_shapes() {
    let Some(gpu) = gpu() else { return };
    let mut random = generate::Random::new(4);
    let codes = QuantizeDesc { granularity: Granularity::PerRow, ..Default::default() };
    for width in [1, 2, 3, 5, 8, 257, 1031] {
        let desc = ActivationQuantizeDesc::new(of(Activation::GeluErf, 9, width), codes.clone());
        let values: Vec<f32> = (0..9 * width)
            .map(|i| random.uniform(-1.0, 1.0) * 2.0_f32.powi(i as i32 / width as i32 * 3 - 12))
            .collect();
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[9, width], &values).unwrap());
        conform_on(&gpu, &desc, &inputs);
    }
    for (rows, width) in [(0, 5), (5, 0)] {
        conform(&gpu, &ActivationQuantizeDesc::new(of(Activation::Relu, rows, width), codes.clone()), 1);
    }
}

fn run<D: Kernel>(gpu: &Gpu, desc: &D, inputs: &Tensors) -> Tensors {
    verify::run(gpu, desc, inputs, &RunOptions::default()).unwrap()
}

/// Nearly every code is known to the bit, and those are the codes of the two kernels.
#[test]
fn codes_are_those_of_the_two_kernels_where_only_one_is_possible() {
    let Some(gpu) = gpu() else { return };
    // Each is three kernels to compile.
    for (i, desc) in cases().iter().enumerate().step_by(3) {
        let inputs = generate::inputs(desc, i as u64);
        let expected = &desc.evaluate(&inputs).unwrap()[0];
        let Answer::Bounded { bound, .. } = &expected.answer else { panic!("a bound") };
        let open = bound.iter().filter(|&&bound| bound > 0.0).count();
        assert!(open * 50 <= bound.len(), "{desc:?}: {open} of {} codes are not known", bound.len());
        let (mut active, mut codes) = (Tensors::new(), Tensors::new());
        for (name, tensor) in inputs.iter() {
            let of = if name == "x" { &mut active } else { &mut codes };
            of.insert(name, tensor.clone());
        }
        codes.insert("x", run(&gpu, &desc.activation, &active).remove("out").unwrap());
        let [fused, apart] = [run(&gpu, desc, &inputs), run(&gpu, &desc.codes, &codes)]
            .map(|tensors| tensors.get("q").unwrap().to_f32());
        for ((fused, apart), bound) in fused.iter().zip(&apart).zip(bound) {
            assert!(*bound > 0.0 || fused == apart, "{desc:?}: {fused} {apart}");
        }
    }
}

/// The identity is quantize itself, special values and all.
#[test]
fn the_identity_changes_nothing() {
    let Some(gpu) = gpu() else { return };
    let x = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-40, 3.0, -448.0, 1e30];
    let codes = QuantizeDesc { shape: vec![1, 9], scale: ScaleSource::Static, ..Default::default() };
    let desc = ActivationQuantizeDesc::new(of(Activation::Identity, 1, 9), codes.clone());
    let mut inputs = Tensors::new();
    inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 9], &x).unwrap());
    inputs.insert("scale", Tensor::from_f32(Format::F32, &[], &[0.5]).unwrap());
    assert_eq!(run(&gpu, &desc, &inputs), run(&gpu, &codes, &inputs));
}

#[test]
fn wrong_references_are_rejected() {
    let Some(gpu) = gpu() else { return };
    let codes = QuantizeDesc { granularity: Granularity::PerRow, ..Default::default() };
    let desc = ActivationQuantizeDesc::new(of(Activation::GeluTanh, 7, 50), codes);
    let inputs = generate::inputs(&desc, 2);
    let outputs = run(&gpu, &desc, &inputs);
    let passes = |other: &ActivationQuantizeDesc| {
        let expected = other.evaluate(&inputs).unwrap();
        compare(&expected[0], outputs.get("q").unwrap()).passed()
    };
    assert!(passes(&desc));
    let silu = ActivationDesc { activation: Activation::Silu, ..desc.activation.clone() };
    assert!(!passes(&ActivationQuantizeDesc { activation: silu, ..desc.clone() }));
    let other = QuantizeDesc { q: Format::E5m2, ..desc.codes.clone() };
    assert!(!passes(&ActivationQuantizeDesc { codes: other, ..desc }));
}

#[test]
fn errors_name_the_field() {
    let Some(gpu) = gpu() else { return };
    let desc = ActivationQuantizeDesc::new(of(Activation::Silu, 2, 8), QuantizeDesc::default());
    let wrong = QuantizeDesc { shape: vec![16], ..desc.codes.clone() };
    let wrong = ActivationQuantizeDesc { codes: wrong, ..desc };
    let error = ActivationQuantize::new(gpu.device(), &wrong).unwrap_err().to_string();
    assert_eq!(error, "activation_quantize: `codes` must be of the shape [2, 8], as the numbers, got [16]");
}
