//! Quantize and dequantize against the ONNX reference evaluator: see `goldens/quantize_onnx.py`.

use langevin_reference::{
    Answer, DequantizeDesc, Dtype, Format, Granularity, Op, QuantizeDesc, ScaleSource, Tensor, Tensors,
    compare,
};
use safetensors::SafeTensors;

const GOLDENS: &[u8] = include_bytes!("../goldens/quantize_onnx.safetensors");
/// The format of the codes, and whether there are zero points. ONNX's I8 reaches -128 also without.
const CASES: [(&str, Format, bool); 4] = [
    ("e4m3", Format::E4m3, false),
    ("e5m2", Format::E5m2, false),
    ("i8", Format::I8, true),
    ("asymmetric", Format::I8, true),
];

fn golden(case: &str, name: &str, dtype: impl Into<Dtype>) -> Option<Tensor> {
    let file = SafeTensors::deserialize(GOLDENS).unwrap();
    let view = file.tensor(&format!("{case}.{name}")).ok()?;
    Some(Tensor::new(dtype, view.shape(), view.data().to_vec()).unwrap())
}

/// The scales, and the zero points where the case has some or `asymmetric` asks for them.
fn affine(case: &str, asymmetric: bool) -> Tensors {
    let mut tensors = Tensors::new();
    let scale = golden(case, "scale", Format::F32).unwrap();
    let zeros = || Tensor::from_i32(scale.shape(), &vec![0; scale.shape()[0]]).unwrap();
    if asymmetric {
        tensors.insert("zero_point", golden(case, "zero_point", Dtype::I32).unwrap_or_else(zeros));
    }
    tensors.insert("scale", scale);
    tensors
}

fn quantize(case: &str, q: Format, asymmetric: bool) -> (Tensor, Tensor) {
    let x = golden(case, "x", Format::F32).unwrap();
    let desc = QuantizeDesc {
        shape: x.shape().to_vec(),
        q,
        asymmetric,
        granularity: Granularity::PerRow,
        scale: ScaleSource::Static,
        ..Default::default()
    };
    let mut inputs = affine(case, asymmetric);
    inputs.insert("x", x);
    let Answer::Exact(codes) = desc.evaluate(&inputs).unwrap().remove(0).answer else {
        panic!("codes are exact")
    };
    (codes, golden(case, "q", q).unwrap())
}

#[test]
fn quantize_linear_under_powers_of_two() {
    for (name, q, asymmetric) in CASES {
        let (got, want) = quantize(&format!("exact_{name}"), q, asymmetric);
        assert_eq!(got.bytes(), want.bytes(), "{name}");
    }
}

/// Under other scales a code may differ where the quotient is a tie but for the roundings of quotient, inverse and product.
#[test]
fn quantize_linear_under_any_scale() {
    for (name, q, asymmetric) in CASES {
        let case = format!("any_{name}");
        let (got, want) = quantize(&case, q, asymmetric);
        let (x, scales) = (golden(&case, "x", Format::F32).unwrap().to_f32(), affine(&case, false));
        let scales = scales.get("scale").unwrap().to_f32();
        let width = x.len() / scales.len();
        let mut different = 0;
        for (i, (got, want)) in got.to_f32().into_iter().zip(want.to_f32()).enumerate() {
            if got == want {
                continue;
            }
            different += 1;
            let (quotient, scale) = (f64::from(x[i]) / f64::from(scales[i / width]), scales[i / width]);
            let zero = golden(&case, "zero_point", Dtype::I32).map_or(0.0, |zeros| zeros.to_f32()[i / width]);
            let tie = f64::from(got + want) / 2.0 - f64::from(zero);
            let roundings = 3.0 * 2.0_f64.powi(-24) * quotient.abs();
            assert!((quotient - tie).abs() <= roundings, "{case}: {} / {scale}: {got} {want}", x[i]);
        }
        assert!(different * 10 < x.len(), "{case}: {different} of {} codes differ", x.len());
    }
}

#[test]
fn dequantize_linear() {
    for kind in ["exact", "any"] {
        for (name, q, asymmetric) in CASES {
            let case = format!("{kind}_{name}");
            let codes = golden(&case, "q", q).unwrap();
            let desc = DequantizeDesc {
                shape: codes.shape().to_vec(),
                q,
                granularity: Granularity::PerRow,
                zero_point: asymmetric,
                ..Default::default()
            };
            let mut inputs = affine(&case, asymmetric);
            inputs.insert("q", codes);
            let answer = desc.evaluate(&inputs).unwrap().remove(0);
            let comparison = compare(&answer, &golden(&case, "out", Format::F32).unwrap());
            assert!(comparison.passed() && comparison.rejects_zeros, "{case}: {comparison}");
        }
    }
}
