//! Quantize and dequantize against NumPy, ml_dtypes and the ONNX definitions: see `goldens/quantize.py`.

use langevin_reference::formats::e8m0::ScaleRounding;
use langevin_reference::{
    Answer, DequantizeDesc, Dtype, Expected, FakeQuantizeDesc, Format, Granularity, Op, Overflow,
    QuantizeDesc, ScaleSource, Tensor, Tensors, compare,
};
use safetensors::{Dtype as FileDtype, SafeTensors};

const GOLDENS: &[u8] = include_bytes!("../goldens/quantize.safetensors");

/// One tensor of the file, its bytes taken as `dtype`.
fn golden(case: &str, name: &str, dtype: impl Into<Dtype>) -> Tensor {
    let file = SafeTensors::deserialize(GOLDENS).unwrap();
    let view = file.tensor(&format!("{case}.{name}")).unwrap();
    let dtype = dtype.into();
    let width = if view.dtype() == FileDtype::F32 || view.dtype() == FileDtype::I32 { 4 } else { 1 };
    assert_eq!(width, dtype.bytes(), "{case}.{name}");
    Tensor::new(dtype, view.shape(), view.data().to_vec()).unwrap()
}

fn evaluate<O: Op>(desc: &O, inputs: Vec<(&str, Tensor)>) -> Vec<Expected> {
    let mut tensors = Tensors::new();
    for (name, tensor) in inputs {
        tensors.insert(name, tensor);
    }
    desc.evaluate(&tensors).unwrap()
}

/// The exact answer is the golden tensor, to the bit.
fn assert_golden(expected: &Expected, golden: &Tensor, what: &str) {
    assert!(matches!(expected.answer, Answer::Exact(_)), "{what}");
    let comparison = compare(expected, golden);
    assert!(comparison.passed() && comparison.elements > 0, "{what}: {comparison}");
}

#[test]
fn static_scales() {
    for q in [Format::E4m3, Format::E5m2] {
        let case = format!("static_{q}");
        let (x, scale) = (golden(&case, "x", Format::F32), golden(&case, "scale", Format::F32));
        for (overflow, name) in
            [(Overflow::Saturate, "saturate"), (Overflow::NonSaturating, "non_saturating")]
        {
            let shape = x.shape().to_vec();
            let desc = QuantizeDesc { shape, q, overflow, scale: ScaleSource::Static, ..Default::default() };
            let answers = evaluate(&desc, vec![("x", x.clone()), ("scale", scale.clone())]);
            assert_golden(&answers[0], &golden(&case, name, q), &format!("{case} {name}"));
        }
    }
}

#[test]
fn dynamic_scales() {
    for (kind, granularity, q) in [
        ("row", Granularity::PerRow, Format::E4m3),
        ("row", Granularity::PerRow, Format::E5m2),
        ("row", Granularity::PerRow, Format::I8),
        ("tensor", Granularity::PerTensor, Format::E4m3),
        ("tensor", Granularity::PerTensor, Format::E5m2),
        ("column", Granularity::PerColumn, Format::E4m3),
        ("group", Granularity::PerGroup(32), Format::E5m2),
        ("block", Granularity::PerBlock { rows: 4, columns: 8 }, Format::E4m3),
        ("strip", Granularity::PerBlock { rows: 5, columns: 1 }, Format::E5m2),
    ] {
        let case = format!("{kind}_{q}");
        let x = golden(&case, "x", Format::F32);
        let desc = QuantizeDesc { shape: x.shape().to_vec(), q, granularity, ..Default::default() };
        let answers = evaluate(&desc, vec![("x", x)]);
        assert_golden(&answers[0], &golden(&case, "q", q), &case);
        assert_golden(&answers[1], &golden(&case, "scale", Format::F32), &case);
    }
}

#[test]
fn mx_blocks() {
    for q in [Format::E4m3, Format::E5m2] {
        let names = ["floor", "rceil", "ceil", "even"];
        for (rounding, name) in ScaleRounding::ALL.into_iter().zip(names) {
            let case = format!("mx_{name}_{q}");
            let x = golden(&case, "x", Format::F32);
            let desc = QuantizeDesc {
                shape: x.shape().to_vec(),
                q,
                granularity: Granularity::PerGroup(32),
                scale_rounding: Some(rounding),
                ..Default::default()
            };
            let answers = evaluate(&desc, vec![("x", x)]);
            assert_golden(&answers[0], &golden(&case, "q", q), &case);
            assert_golden(&answers[1], &golden(&case, "scale", Dtype::E8m0), &case);
        }
    }
}

#[test]
fn fake_quantization() {
    let case = "fake_e4m3";
    let x = golden(case, "x", Format::F32);
    let granularity = Granularity::PerRow;
    let codes = QuantizeDesc { shape: x.shape().to_vec(), granularity, ..Default::default() };
    let desc = FakeQuantizeDesc { codes, ..Default::default() };
    let answers = evaluate(&desc, vec![("x", x)]);
    let comparison = compare(&answers[0], &golden(case, "out", Format::F32));
    assert!(comparison.passed() && comparison.rejects_zeros, "{comparison}");
    assert_golden(&answers[1], &golden(case, "scale", Format::F32), case);
}

#[test]
fn asymmetric_scales() {
    let x = golden("asymmetric", "x", Format::F32);
    let desc = QuantizeDesc {
        shape: x.shape().to_vec(),
        q: Format::I8,
        granularity: Granularity::PerRow,
        asymmetric: true,
        ..Default::default()
    };
    let answers = evaluate(&desc, vec![("x", x)]);
    assert_golden(&answers[0], &golden("asymmetric", "q", Format::I8), "codes");
    assert_golden(&answers[1], &golden("asymmetric", "scale", Format::F32), "scales");
    assert_golden(&answers[2], &golden("asymmetric", "zero_point", Dtype::I32), "zero points");
}

#[test]
fn onnx_definitions() {
    let tensor = |case, name: &'static str, dtype: Dtype| (name, golden(case, name, dtype));
    let case = "onnx_quantize";
    let inputs = vec![
        tensor(case, "x", Format::F32.into()),
        tensor(case, "scale", Format::F32.into()),
        tensor(case, "zero_point", Dtype::I32),
    ];
    let desc = QuantizeDesc {
        shape: inputs[0].1.shape().to_vec(),
        q: Format::I8,
        granularity: Granularity::PerRow,
        scale: ScaleSource::Static,
        asymmetric: true,
        ..Default::default()
    };
    assert_golden(&evaluate(&desc, inputs)[0], &golden(case, "q", Format::I8), case);

    let case = "onnx_dequantize";
    let inputs = vec![
        tensor(case, "q", Format::I8.into()),
        tensor(case, "scale", Format::F32.into()),
        tensor(case, "zero_point", Dtype::I32),
    ];
    let desc = DequantizeDesc {
        shape: inputs[0].1.shape().to_vec(),
        q: Format::I8,
        granularity: Granularity::PerRow,
        zero_point: true,
        ..Default::default()
    };
    let answers = evaluate(&desc, inputs);
    assert_eq!(answers[0].values(), golden(case, "out", Format::F32).to_f64());
    // The scales are powers of two, so nothing rounds and nothing else would pass.
    assert!(
        matches!(&answers[0].answer, Answer::Bounded { bound, .. } if bound.iter().all(|&bound| bound == 0.0))
    );
}

#[test]
fn every_code_decodes() {
    for q in [Format::E4m3, Format::E5m2] {
        let case = format!("decode_{q}");
        let desc = DequantizeDesc { shape: vec![256], q, ..Default::default() };
        let inputs = vec![("q", golden(&case, "q", q)), ("scale", golden(&case, "scale", Format::F32))];
        let got = evaluate(&desc, inputs)[0].values();
        let want = golden(&case, "out", Format::F32).to_f64();
        let same = |(a, b): (&f64, &f64)| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        assert!(got.iter().zip(&want).all(same), "{case}");
    }
}

/// The comparison must notice one wrong code.
#[test]
fn a_wrong_code_is_noticed() {
    let case = "row_e4m3";
    let x = golden(case, "x", Format::F32);
    let desc =
        QuantizeDesc { shape: x.shape().to_vec(), granularity: Granularity::PerRow, ..Default::default() };
    let q = golden(case, "q", Format::E4m3);
    let mut bytes = q.bytes().to_vec();
    *bytes.last_mut().unwrap() ^= 1;
    let wrong = Tensor::new(Format::E4m3, q.shape(), bytes).unwrap();
    assert_eq!(compare(&evaluate(&desc, vec![("x", x)])[0], &wrong).failures, 1);
}
