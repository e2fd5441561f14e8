//! Every rule has its own sentence.

use super::product;
use langevin::{
    Columns, Format, Granularity, Matmul, MatmulDesc, Operand, Pair, Pick, PlanError, PlanOptions,
};
use langevin_testkit::gpu;

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let cases = [
        (
            MatmulDesc { gate: Some(Columns { start: 3, width: 5 }), ..product(1, 1, 3) },
            "`gate` must be columns inside its matrix, got columns 3..3+3 of 5",
        ),
        (
            MatmulDesc { b: Operand { zero: true, ..Default::default() }, ..product(1, 1, 3) },
            "`b_zero` must be absent unless the operand is i8, got f32",
        ),
        (
            MatmulDesc { a: Operand::default().scaled(Granularity::PerColumn), ..product(1, 1, 3) },
            "`a_scale` must be per tensor, per row or per group, got PerColumn",
        ),
        (
            MatmulDesc {
                b: Operand::default().scaled(Granularity::PerBlock { rows: 4, columns: 4 }),
                ..product(1, 1, 3)
            },
            "`b_scale` must be per tensor, per column or per group, got PerBlock { rows: 4, columns: 4 }",
        ),
        (
            MatmulDesc { b: Operand::default().scaled(Granularity::PerGroup(48)), ..product(1, 1, 3) },
            "`b_scale` must be per group of 32, 64, 128 or 256, got 48",
        ),
        (
            MatmulDesc { residual_shared: true, ..product(1, 1, 3) },
            "`residual_shared` must be false without a residual, got true",
        ),
        (
            MatmulDesc { out_scale: true, ..product(1, 1, 3) },
            "`out_scale` must be absent unless `out` is of 8 bits, got f32",
        ),
        (
            MatmulDesc { pair: Some(Pair::GateFirst), ..product(1, 1, 3) },
            "`n` must be a multiple of 4 with a pair, got 3",
        ),
        (
            MatmulDesc {
                a: Operand { columns: Some(Columns { start: 2, width: 9 }), ..Format::I8.into() },
                ..product(1, 4, 3)
            },
            "`a` must be columns that start at a multiple of 4, on a word, got columns 2..2+4 of 9",
        ),
        (
            MatmulDesc {
                b: Operand { columns: Some(Columns { start: 8, width: 9 }), ..Format::I8.into() },
                ..product(1, 4, 3)
            },
            "`b` must be columns inside its matrix, got columns 8..8+3 of 9",
        ),
        (
            MatmulDesc {
                out: Format::F16,
                out_columns: Some(Columns { start: 2, width: 9 }),
                ..product(1, 4, 3)
            },
            "`out_columns` must be columns that end on a word, or with the row, got an end at 5",
        ),
        (
            MatmulDesc { a: Format::I8.into(), b: Format::I8.into(), ..product(1, 131_072, 1) },
            "`k` must be at most 131071, so that sums of i8 products fit an i32, got 131072",
        ),
        (
            MatmulDesc {
                a: Operand { zero: true, ..Format::I8.into() },
                b: Format::I8.into(),
                ..product(1, 33_026, 1)
            },
            "`k` must be at most 33025, so that sums of i8 products fit an i32, got 33026",
        ),
    ];
    let error = |desc: &MatmulDesc| Matmul::new(gpu.device(), desc).unwrap_err().to_string();
    for (desc, expected) in cases {
        assert_eq!(error(&desc), format!("matmul: {expected}"));
    }
    assert!(error(&product(1 << 20, 1 << 20, 1)).contains("the number of elements of `a` must be at most"));
    assert!(error(&product(usize::MAX, 2, 1)).contains("got"));
    let paired = MatmulDesc { pair: Some(Pair::GateLast), ..product(1, 1, usize::MAX - 3) };
    assert!(error(&paired).contains("got"));
    let options = PlanOptions { pick: Pick::Variant("dot4".into()), ..Default::default() };
    let error = Matmul::with_options(gpu.device(), &product(1, 1, 1), &options).unwrap_err();
    assert!(matches!(error, PlanError::Variant { .. }), "{error}");
    assert!(error.to_string().starts_with("matmul: no variant `dot4` here; this device can run"), "{error}");
}
