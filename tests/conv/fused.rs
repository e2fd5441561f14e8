//! What is fused with a convolution: scales, bias, activation, residual.

use super::{OUT_FORMATS, plane};
use langevin::{Activation, Boundary, ConvDesc, ConvLayout, Format, Granularity};
use langevin_testkit::{conform_in_turns, gpu};

/// Pairwise: every activation, granularity and layout with every flag, formats in turn.
#[test]
fn scales_bias_activation_and_residual() {
    let Some(gpu) = gpu() else { return };
    let scales = [None, Some(Granularity::PerTensor), Some(Granularity::PerRow)];
    let formats = [Format::E4m3, Format::I8, Format::F16, Format::E5m2, Format::F32];
    for (i, activation) in Activation::ALL.into_iter().enumerate() {
        let bit = |n: usize| (i >> n) & 1 == 1;
        let desc = ConvDesc {
            batch: 2,
            in_channels: 6,
            out_channels: 10,
            groups: 2,
            x: formats[i],
            w: if bit(0) { Format::I8 } else { Format::E4m3 },
            out: OUT_FORMATS[i % 3],
            layout: ConvLayout::ALL[i % 2],
            padding: vec![[1, 0], [2, 1]],
            boundary: vec![Boundary::Zero, Boundary::Constant(0.5)],
            x_scale: !bit(0) || bit(1),
            w_scale: scales[(i + 2) % 3],
            bias: !bit(1),
            activation,
            residual: !bit(2),
            ..plane(6, 7, [2, 3])
        };
        let desc = if desc.x == Format::I8 { ConvDesc { boundary: vec![], ..desc } } else { desc };
        conform_in_turns(&gpu, &desc, i as u64);
    }
}

/// Integers with everything after them: their sum is exact, and its scales are numbers of f32.
#[test]
fn scaled_integers() {
    let Some(gpu) = gpu() else { return };
    for (i, layout) in ConvLayout::ALL.into_iter().enumerate() {
        let desc = ConvDesc {
            x: Format::I8,
            w: Format::I8,
            in_channels: 20,
            out_channels: 12,
            layout,
            padding: vec![[1, 1]],
            boundary: vec![Boundary::Constant(-3.0), Boundary::Circular],
            x_scale: true,
            w_scale: Some(Granularity::PerRow),
            bias: true,
            activation: Activation::Relu,
            residual: true,
            out: OUT_FORMATS[1 + i],
            ..plane(5, 9, [3, 3])
        };
        conform_in_turns(&gpu, &desc, i as u64);
    }
}
