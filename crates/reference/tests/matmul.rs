//! Products of quantized operands with their epilogues against JAX's in f64.

mod golden;

use Format::{BF16, E4m3, E5m2, F16, F32, I8};
use Granularity::{PerColumn, PerGroup, PerRow, PerTensor};
use golden::{Golden, largest};
use langevin_reference::{
    Activation, Columns, Format, Granularity, MatmulDesc, Op, Operand, Pair, Tensor, Tensors,
};

/// The cases of goldens/matmul.py.
fn cases() -> Vec<(&'static str, MatmulDesc)> {
    let of = |format: Format| Operand::from(format);
    let zero = |operand| Operand { zero: true, ..operand };
    let shared = |operand| Operand { shared: true, ..operand };
    let turned = |operand| Operand { transposed: true, ..operand };
    let columns = |format, start, width| Operand { columns: Some(Columns { start, width }), ..of(format) };
    let base = MatmulDesc { batch: 2, m: 3, k: 70, n: 5, ..Default::default() };
    let desc = |a, b| MatmulDesc { a, b, ..base.clone() };
    vec![
        ("plain", base.clone()),
        (
            "dynamic",
            MatmulDesc {
                bias: true,
                ..desc(zero(of(I8).scaled(PerRow)), shared(turned(of(I8).scaled(PerColumn))))
            },
        ),
        ("groups", desc(of(E4m3).scaled(PerGroup(32)), zero(of(I8).scaled(PerGroup(64))))),
        (
            "groups_turned",
            desc(turned(of(BF16).scaled(PerGroup(64))), shared(turned(of(E5m2).scaled(PerGroup(32))))),
        ),
        (
            "static",
            MatmulDesc {
                out: I8,
                out_scale: true,
                ..desc(shared(of(F16).scaled(PerTensor)), zero(of(I8).scaled(PerTensor)))
            },
        ),
        ("columns", desc(columns(F32, 3, 80), columns(F16, 2, 11))),
        (
            "swiglu",
            MatmulDesc {
                n: 8,
                activation: Activation::Silu,
                pair: Some(Pair::GateFirst),
                bias: true,
                ..desc(of(F32), shared(of(F32)))
            },
        ),
        (
            "geglu",
            MatmulDesc {
                n: 8,
                activation: Activation::GeluErf,
                pair: Some(Pair::GateLast),
                residual: true,
                ..desc(of(F32), of(F32).scaled(PerColumn))
            },
        ),
        (
            "gated",
            MatmulDesc {
                activation: Activation::GeluTanh,
                bias: true,
                gate: Some(Columns::all(5)),
                residual: true,
                ..desc(of(F32), of(F32))
            },
        ),
    ]
}

#[test]
fn agrees_with_jax() {
    let golden = Golden::new(include_bytes!("../goldens/matmul.safetensors"));
    for (name, desc) in cases() {
        let mut inputs = Tensors::new();
        for spec in desc.tensors().iter().filter(|spec| spec.name != "out") {
            let tensor = golden.tensor(&format!("{name}.{}", spec.name));
            assert_eq!(tensor.dtype(), spec.dtype, "{name}.{}", spec.name);
            // A scalar is stored with one axis.
            inputs.insert(spec.name, tensor.reshape(&spec.shape).unwrap());
        }
        let got = desc.evaluate(&inputs).unwrap()[0].values();
        let mut want = golden.values(&format!("{name}.out"));
        if desc.out == I8 {
            assert!(largest(&want) > 127.0, "{name} does not saturate");
            want.mapv_inplace(|value| value.clamp(-127.0, 127.0));
        }
        assert!(largest(&want) > 0.1, "{name} is nearly nothing");
        // Both sum 70 products in f64: of magnitude at most 128 x 255, times scales up to 2 each.
        let magnitude =
            70.0 * 4.0 * if desc.b.format == I8 || desc.a.format == I8 { 128.0 * 255.0 } else { 4.0 };
        golden::assert_close(&got, &want, 70 + 20, magnitude);
    }
}

/// A scale may be zero; one that is negative or no number is refused, by its place, and so is a zero point that is no code.
#[test]
fn scales_and_zero_points_are_checked() {
    let operand = Operand { zero: true, ..Operand::from(I8).scaled(PerRow) };
    let desc = MatmulDesc { m: 2, k: 1, n: 1, a: operand, ..Default::default() };
    let inputs = |scale: f32, zero: i32| {
        let mut inputs = Tensors::new();
        inputs.insert("a", Tensor::from_f32(I8, &[1, 2, 1], &[5.0, 7.0]).unwrap());
        inputs.insert("b", Tensor::from_f32(F32, &[1, 1, 1], &[3.0]).unwrap());
        inputs.insert("a_scale", Tensor::from_f32(F32, &[1, 2], &[2.0, scale]).unwrap());
        inputs.insert("a_zero", Tensor::from_i32(&[1, 2], &[0, zero]).unwrap());
        inputs
    };
    let out = |scale, zero| {
        desc.evaluate(&inputs(scale, zero)).map(|out| out[0].values().into_raw_vec_and_offset().0)
    };
    assert_eq!(out(0.0, 0).unwrap(), [30.0, 0.0]);
    assert_eq!(out(1.0, -128).unwrap(), [30.0, 405.0]);
    for scale in [-1.0, f32::NAN, f32::INFINITY] {
        let error = out(scale, 0).unwrap_err().to_string();
        assert!(
            error.starts_with("matmul: tensor `a_scale` must hold finite scales that are not negative, got"),
            "{error}"
        );
        assert!(error.ends_with("at [0, 1]"), "{error}");
    }
    let error = out(1.0, 128).unwrap_err().to_string();
    assert_eq!(error, "matmul: tensor `a_zero` must hold zero points from -128 to 127, got 128 at [0, 1]");
}
