//! Products of quantized operands with their epilogues against JAX's in f64.

mod golden;

use Format::{BF16, E4m3, E5m2, F16, F32, I8};
use Granularity::{PerColumn, PerGroup, PerRow, PerTensor};
use golden::{Golden, largest};
use langevin_reference::{Activation, Columns, Format, Granularity, MatmulDesc, Op, Operand, Pair, Tensors};

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
