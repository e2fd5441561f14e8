//! Quantization and its inverse at once, against the reference and against the two kernels one after the other.

use langevin::formats::e8m0::ScaleRounding;
use langevin::reference::generate::Random;
use langevin::verify::{self, Op, RunOptions, Tensor, Tensors};
use langevin::{
    DequantizeDesc, FakeQuantize, FakeQuantizeDesc, Format, Gpu, Granularity, Kernel, QuantizeDesc, Rounding,
};
use langevin_testkit::{conform_on, gpu};

fn x(format: Format, shape: &[usize], seed: u64) -> Tensors {
    let mut random = Random::new(seed);
    let elements = shape.iter().product::<usize>();
    let value = |_| random.uniform(-1.0, 1.0) * 2.0_f32.powi(random.integer(-6, 6));
    let values: Vec<f32> = (0..elements).map(value).collect();
    let mut inputs = Tensors::new();
    inputs.insert("x", Tensor::from_f32(format, shape, &values).unwrap());
    inputs
}

/// Every way to share scales, formats in turns, widths of whole and broken units.
fn cases() -> Vec<FakeQuantizeDesc> {
    let granularities = [
        Granularity::PerTensor,
        Granularity::PerRow,
        Granularity::PerColumn,
        Granularity::PerGroup(32),
        Granularity::PerBlock { rows: 16, columns: 8 },
    ];
    let codes = [(Format::E4m3, false), (Format::E5m2, false), (Format::I8, false), (Format::I8, true)];
    let outs = [Format::F32, Format::F16, Format::BF16];
    let mut cases = Vec::new();
    for (i, granularity) in granularities.into_iter().enumerate() {
        let (q, asymmetric) = codes[i % codes.len()];
        let (x, out) = (outs[(i + 1) % 3], outs[i % 3]);
        let codes = QuantizeDesc { x, q, asymmetric, granularity, ..Default::default() };
        let of = |shape: &[usize]| QuantizeDesc { shape: shape.to_vec(), ..codes.clone() };
        cases.push(FakeQuantizeDesc { codes: of(&[21, 130]), out });
        cases.push(FakeQuantizeDesc { codes: of(&[2, 9, 68]), out });
    }
    let block = QuantizeDesc {
        shape: vec![7, 150],
        granularity: Granularity::PerGroup(32),
        scale_rounding: Some(ScaleRounding::Even),
        ..Default::default()
    };
    cases.push(FakeQuantizeDesc { codes: block, out: Format::F32 });
    cases
}

#[test]
fn every_granularity() {
    let Some(gpu) = gpu() else { return };
    for (i, desc) in cases().into_iter().enumerate() {
        conform_on(&gpu, &desc, &x(desc.codes.x, &desc.codes.shape, i as u64));
    }
}

/// A group longer than a row is the row, however long.
#[test]
fn groups_and_blocks_beyond_any_tensor() {
    let Some(gpu) = gpu() else { return };
    for size in [1 << 20, (1 << 34) - 4, usize::MAX - 3] {
        for granularity in [Granularity::PerGroup(size), Granularity::PerBlock { rows: size, columns: size }]
        {
            let codes = QuantizeDesc { shape: vec![5, 70], granularity, ..Default::default() };
            let desc = FakeQuantizeDesc { codes, ..Default::default() };
            conform_on(&gpu, &desc, &x(Format::F32, &[5, 70], 1));
        }
    }
}

fn run<D: Kernel>(gpu: &Gpu, desc: &D, inputs: &Tensors) -> Tensors {
    verify::run(gpu, desc, inputs, &RunOptions::default()).unwrap()
}

/// The same bits as quantize, then dequantize.
#[test]
fn it_is_the_two_kernels_together() {
    let Some(gpu) = gpu() else { return };
    for (i, desc) in cases().into_iter().enumerate() {
        let inputs = x(desc.codes.x, &desc.codes.shape, i as u64);
        let together = run(&gpu, &desc, &inputs);
        let quantized = run(&gpu, &desc.codes, &inputs);
        let numbers = DequantizeDesc {
            shape: desc.codes.shape.clone(),
            q: desc.codes.q,
            out: desc.out,
            granularity: desc.codes.granularity,
            power_scales: desc.codes.scale_rounding.is_some(),
            zero_point: desc.codes.asymmetric,
        };
        let apart = run(&gpu, &numbers, &quantized);
        assert_eq!(together.get("out"), apart.get("out"), "{desc:?}");
        assert_eq!(together.get("scale"), quantized.get("scale"), "{desc:?}");
    }
}

#[test]
fn special_values_empty_tensors_and_random_rounding() {
    let Some(gpu) = gpu() else { return };
    let values = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0, 1e-40, 3.0, -448.0];
    let codes = QuantizeDesc { shape: vec![8], q: Format::I8, ..Default::default() };
    let desc = FakeQuantizeDesc { codes, ..Default::default() };
    let mut inputs = Tensors::new();
    inputs.insert("x", Tensor::from_f32(Format::F32, &[8], &values).unwrap());
    conform_on(&gpu, &desc, &inputs);
    for shape in [&[0][..], &[5, 0], &[0, 5]] {
        let codes = QuantizeDesc { shape: shape.to_vec(), ..desc.codes.clone() };
        let desc = FakeQuantizeDesc { codes, ..desc.clone() };
        conform_on(&gpu, &desc, &x(Format::F32, shape, 1));
    }
    let codes = QuantizeDesc { rounding: Rounding::Stochastic, shape: vec![5, 70], ..desc.codes };
    let mut inputs = x(Format::F32, &[5, 70], 4);
    inputs.insert("seed", Tensor::from_i32(&[2], &[1, 2]).unwrap());
    conform_on(&gpu, &FakeQuantizeDesc { codes, ..Default::default() }, &inputs);
}

#[test]
fn wrong_references_are_rejected() {
    let Some(gpu) = gpu() else { return };
    let codes = QuantizeDesc { shape: vec![7, 50], granularity: Granularity::PerRow, ..Default::default() };
    let desc = FakeQuantizeDesc { codes, ..Default::default() };
    let inputs = x(Format::F32, &[7, 50], 2);
    let outputs = run(&gpu, &desc, &inputs);
    let passes = |other: &FakeQuantizeDesc| {
        let expected = other.evaluate(&inputs).unwrap();
        verify::compare(&expected[0], outputs.get("out").unwrap()).passed()
    };
    assert!(passes(&desc));
    let other = QuantizeDesc { q: Format::E5m2, ..desc.codes.clone() };
    assert!(!passes(&FakeQuantizeDesc { codes: other, ..Default::default() }));
}

#[test]
fn errors_name_the_field() {
    let Some(gpu) = gpu() else { return };
    let wrong = FakeQuantizeDesc { out: Format::E4m3, ..Default::default() };
    let error = FakeQuantize::new(gpu.device(), &wrong).unwrap_err().to_string();
    assert_eq!(error, "fake_quantize: `out` must be f32, f16 or bf16, got e4m3");
}
