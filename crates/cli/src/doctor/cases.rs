//! What the doctor checks: small and odd shapes, every format, every option at least once.
//!
//! Each set of formats and options is a shader to compile, 0.3 s on a software driver, so they are paired rather than
//! multiplied.

use super::Group;
use langevin::{Activation, Columns, Format, Granularity, MatmulDesc};

/// Every kernel's cases.
pub(super) fn groups() -> Vec<Box<dyn Group>> {
    vec![Box::new(matmul())]
}

fn matmul() -> Vec<MatmulDesc> {
    let product = |m, k, n| MatmulDesc { m, k, n, ..Default::default() };
    let shapes = [(1, 1, 1), (65, 33, 67), (3, 131, 17), (5, 0, 7)];
    let mut cases: Vec<_> = shapes.into_iter().map(|(m, k, n)| product(m, k, n)).collect();
    cases[3].bias = true;
    let outs = [Format::F32, Format::F16, Format::BF16];
    for (i, a) in Format::ALL.into_iter().enumerate() {
        let (b, out) = (Format::ALL[(i + 3) % 6], outs[i % 3]);
        cases.push(MatmulDesc { a, b, out, batch: 2, ..product(19, 23, 37) });
    }
    let integers =
        MatmulDesc { a: Format::I8, b: Format::I8, a_zero: true, b_zero: true, ..product(17, 70, 9) };
    cases.push(MatmulDesc {
        a_scale: Some(Granularity::PerRow),
        b_scale: Some(Granularity::PerColumn),
        ..integers
    });
    let scale = Some(Granularity::PerTensor);
    let (bias, residual, gate) = (true, true, Some(Columns { start: 5, width: 41 }));
    for activation in [Activation::Relu, Activation::GeluTanh, Activation::Silu] {
        let shared = activation == Activation::Silu;
        let fused = MatmulDesc {
            activation,
            bias,
            residual,
            gate,
            a_scale: scale,
            b_scale: scale,
            ..product(18, 20, 35)
        };
        cases.push(MatmulDesc { batch: 2, b_shared: shared, residual_shared: shared, ..fused });
    }
    cases
}
