//! Histogram against its reference, to the bit: shapes, formats, all halves, batches, and references that must be rejected.

use langevin::reference::generate::{self, Random};
use langevin::verify::{self, Op, RunOptions, Tensor, Tensors, compare};
use langevin::{Format, Histogram, HistogramDesc};
use langevin_testkit::{conform_on, gpu};

const FORMATS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];

/// Numbers, counts of batches before, and the range of those.
fn inputs(desc: &HistogramDesc, x: Tensor, range: [f32; 2]) -> Tensors {
    let mut inputs = generate::inputs(desc, 3);
    inputs.insert("x", x);
    inputs.insert("range", Tensor::from_f32(Format::F32, &[2], &range).unwrap());
    inputs
}

#[test]
fn shapes_and_formats() {
    let Some(gpu) = gpu() else { return };
    let mut random = Random::new(1);
    let shapes = [&[][..], &[1], &[3], &[257], &[5, 2], &[7, 3], &[2, 3, 5], &[2, 0], &[0, 3], &[301, 1029]];
    for (i, shape) in shapes.into_iter().enumerate() {
        for x in FORMATS {
            let desc = HistogramDesc { shape: shape.to_vec(), x };
            let values = generate::tensor(&mut random, x, shape);
            conform_on(&gpu, &desc, &inputs(&desc, values, [0.5, [-0.0, 7.0][i % 2]]));
        }
    }
}

/// Every half and every bfloat, each more than once: NaN, infinities, zeros and subnormals are among them.
#[test]
fn all_halves() {
    let Some(gpu) = gpu() else { return };
    let every: Vec<u8> = (0..=u16::MAX).flat_map(u16::to_le_bytes).collect();
    for x in [Format::F16, Format::BF16] {
        let desc = HistogramDesc { shape: vec![3, 1 << 16], x };
        let codes = Tensor::new(x, &desc.shape, every.repeat(3)).unwrap();
        conform_on(&gpu, &desc, &inputs(&desc, codes, [0.0; 2]));
    }
    // Of a NaN with its lowest digit alone the upper half is infinity's.
    let nan = [f32::from_bits(0x7f80_0001), f32::from_bits(0xffbf_ffff)];
    let special = [f32::MAX, f32::MIN, f32::MIN_POSITIVE, -1e-40, f32::NAN, f32::NEG_INFINITY, -0.0];
    for value in special.into_iter().chain(nan) {
        let desc = HistogramDesc { shape: vec![9], x: Format::F32 };
        let x = Tensor::from_f32(Format::F32, &[9], &[value; 9]).unwrap();
        conform_on(&gpu, &desc, &inputs(&desc, x, [0.0; 2]));
    }
}

/// One number three million times: every addition is to one word, and workgroups have more than their least share.
#[test]
fn many_of_one_number() {
    let Some(gpu) = gpu() else { return };
    let desc = HistogramDesc { shape: vec![3 << 20], x: Format::BF16 };
    let x = Tensor::new(Format::BF16, &desc.shape, [0x80, 0x3f].repeat(3 << 20)).unwrap();
    let inputs = inputs(&desc, x, [0.0; 2]);
    let outputs = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap();
    let before = inputs.get("counts").unwrap().to_f64();
    let added = outputs.get("counts").unwrap().to_f64() - before;
    assert_eq!((added[[0x3f80]], added.sum()), (3145728.0, 3145728.0));
}

#[test]
fn wrong_references_are_rejected() {
    let Some(gpu) = gpu() else { return };
    let desc = HistogramDesc { shape: vec![100], x: Format::F32 };
    let x = generate::tensor(&mut Random::new(4), Format::F32, &[100]);
    let given = inputs(&desc, x.clone(), [0.0; 2]);
    let outputs = verify::run(&gpu, &desc, &given, &RunOptions::default()).unwrap();
    let passes = |given: &Tensors| {
        let expected = desc.evaluate(given).unwrap();
        expected.iter().map(|e| compare(e, outputs.get(e.name).unwrap()).passed()).collect::<Vec<_>>()
    };
    assert_eq!(passes(&given), [true, true]);
    let mut values = x.to_f32();
    values[77] = 1.5;
    let moved = Tensor::from_f32(Format::F32, &[100], &values).unwrap();
    assert_eq!(passes(&inputs(&desc, moved, [0.0; 2])), [false, false]);
}

#[test]
fn errors_name_the_field() {
    let Some(gpu) = gpu() else { return };
    let wrong = HistogramDesc { shape: vec![4], x: Format::I8 };
    let error = Histogram::new(gpu.device(), &wrong).unwrap_err().to_string();
    assert_eq!(error, "histogram: `x` must be f32, f16 or bf16, got i8");
}
