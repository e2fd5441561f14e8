//! The transposed convolution, and the one of repeated inputs.

use super::{OUT_FORMATS, in_both_layouts, plane, run};
use langevin::reference::{Op, generate};
use langevin::verify::{self, RunOptions, Tensor};
use langevin::{Boundary, ConvDesc, ConvLayout, Format, Gpu, Granularity, Kernel};
use langevin_testkit::{conform, conform_in_turns, gpu};
use ndarray::ArrayD;

fn transposed(spatial: &[usize], kernel: &[usize], stride: &[usize]) -> ConvDesc {
    ConvDesc {
        spatial: spatial.to_vec(),
        kernel: kernel.to_vec(),
        stride: stride.to_vec(),
        transposed: true,
        ..Default::default()
    }
}

/// Strides that leave some outputs with fewer products than others, or with none; odd extents; one to three axes.
fn shapes() -> Vec<ConvDesc> {
    let channels = ConvDesc { in_channels: 6, out_channels: 10, ..transposed(&[5, 7], &[4, 4], &[2, 2]) };
    vec![
        ConvDesc { padding: vec![[1, 1]], ..channels.clone() },
        ConvDesc {
            padding: vec![[1, 1]],
            kernel: vec![3, 3],
            output_padding: vec![1, 0],
            ..channels.clone()
        },
        ConvDesc { batch: 2, kernel: vec![2, 2], stride: vec![3, 5], ..channels.clone() },
        ConvDesc { groups: 2, dilation: vec![1, 3], padding: vec![[0, 2], [3, 1]], ..channels.clone() },
        ConvDesc { dilation: vec![4, 6], stride: vec![6, 4], kernel: vec![3, 5], ..channels },
        ConvDesc { in_channels: 3, out_channels: 5, padding: vec![[5, 3]], ..transposed(&[19], &[11], &[4]) },
        ConvDesc {
            in_channels: 2,
            out_channels: 3,
            padding: vec![[1, 0], [0, 1], [1, 1]],
            output_padding: vec![0, 1, 2],
            ..transposed(&[2, 3, 4], &[3, 2, 4], &[1, 2, 3])
        },
    ]
}

#[test]
fn every_shape_in_both_layouts() {
    let Some(gpu) = gpu() else { return };
    for (i, desc) in shapes().into_iter().enumerate() {
        let desc = ConvDesc {
            dilation: if desc.dilation == [4, 6] { vec![4, 6] } else { desc.dilation.clone() },
            ..desc
        };
        in_both_layouts(&gpu, &ConvDesc { bias: i % 2 == 0, ..desc }, i as u64);
    }
}

#[test]
fn formats_and_what_is_fused() {
    let Some(gpu) = gpu() else { return };
    for (i, x) in Format::ALL.into_iter().enumerate() {
        let desc = ConvDesc {
            x,
            w: Format::ALL[(i + 3) % 6],
            out: OUT_FORMATS[i % 3],
            layout: ConvLayout::ALL[(i / 3) % 2],
            residual: i % 2 == 0,
            x_scale: i % 2 == 1,
            w_scale: [None, Some(Granularity::PerRow)][i % 2],
            ..shapes()[0].clone()
        };
        conform(&gpu, &desc, i as u64);
    }
    let integers = ConvDesc { x: Format::I8, w: Format::I8, ..shapes()[1].clone() };
    in_both_layouts(&gpu, &integers, 9);
}

/// An array that is no tensor's, as one.
fn tensor(values: &ArrayD<f64>) -> Tensor {
    let narrow: Vec<f32> = values.iter().map(|&value| value as f32).collect();
    Tensor::from_f32(Format::F32, values.shape(), &narrow).unwrap()
}

/// `<conv(x), y>` and `<x, transposed(y)>` for the same w are no further apart than their bounds say.
#[test]
fn it_is_the_adjoint() {
    let Some(gpu) = gpu() else { return };
    let whole_steps =
        |desc: &ConvDesc| (0..3).all(|i| desc.three_axes()[i].output_padding < desc.three_axes()[i].stride);
    let adjoint_pairs: Vec<_> = shapes().into_iter().filter(whole_steps).collect();
    assert!(adjoint_pairs.len() > 5);
    for (i, back) in adjoint_pairs.into_iter().enumerate() {
        let there = ConvDesc {
            transposed: false,
            output_padding: vec![],
            in_channels: back.out_channels,
            out_channels: back.in_channels,
            spatial: back.out_spatial(),
            ..back.clone()
        };
        let of_there = generate::inputs(&there, i as u64);
        let mut of_back = generate::inputs(&back, 100 + i as u64);
        of_back.insert("w", of_there.get("w").unwrap().clone());
        let [x, y] = [&of_there, &of_back].map(|inputs| inputs.get("x").unwrap().to_f64());
        let bound = |desc: &ConvDesc, inputs| match desc.evaluate(inputs).unwrap().remove(0).answer {
            verify::Answer::Bounded { bound, .. } => bound,
            verify::Answer::Exact(_) => unreachable!("sums of f32 are rounded"),
        };
        let (image, preimage) = (preferred(&gpu, &there, &of_there), preferred(&gpu, &back, &of_back));
        let apart = ((&image * &y).sum() - (&x * &preimage).sum()).abs();
        let allowed = (bound(&there, &of_there) * y.mapv(f64::abs)).sum()
            + (bound(&back, &of_back) * x.mapv(f64::abs)).sum();
        assert!(apart <= allowed && allowed < 0.01 * (&image * &y).mapv(f64::abs).sum(), "{back:?}");
    }
}

fn preferred(gpu: &Gpu, desc: &ConvDesc, inputs: &verify::Tensors) -> ArrayD<f64> {
    run(gpu, desc, inputs, desc.variants(gpu.capabilities())[0]).to_f64()
}

/// Repeating the input by hand gives the same bits, whatever the boundary.
#[test]
fn upsampling_is_a_repeated_input() {
    let Some(gpu) = gpu() else { return };
    for (i, boundary) in Boundary::ALL.into_iter().enumerate() {
        let fused = ConvDesc {
            in_channels: 3,
            out_channels: 5,
            layout: ConvLayout::ALL[i % 2],
            upsample: vec![2, 3],
            padding: vec![[1, 1], [4, 2]],
            boundary: vec![boundary, Boundary::Circular],
            stride: vec![1, 2],
            ..plane(3, 4, [3, 3])
        };
        conform_in_turns(&gpu, &fused, i as u64);
        let inputs = generate::inputs(&fused, i as u64);
        let by_hand = ConvDesc { upsample: vec![], spatial: vec![6, 12], ..fused.clone() };
        let small = inputs.get("x").unwrap().to_f64();
        let shape = by_hand.tensors()[0].shape.clone();
        let first = if fused.layout == ConvLayout::ChannelsFirst { 2 } else { 1 };
        let repeated = ArrayD::from_shape_fn(shape, |mut index| {
            index[first] /= 2;
            index[first + 1] /= 3;
            small[index]
        });
        let mut large = inputs.clone();
        large.insert("x", tensor(&repeated));
        let [fused, by_hand] = [(&fused, &inputs), (&by_hand, &large)]
            .map(|(desc, inputs)| verify::run(&gpu, desc, inputs, &RunOptions::default()).unwrap());
        assert_eq!(fused.get("out"), by_hand.get("out"), "{boundary:?}");
    }
}

#[test]
fn without_input_or_channels_the_bias_is_left() {
    let Some(gpu) = gpu() else { return };
    let desc = ConvDesc { bias: true, out_channels: 3, ..transposed(&[3, 4], &[3, 3], &[2, 2]) };
    in_both_layouts(&gpu, &ConvDesc { in_channels: 0, ..desc.clone() }, 1);
    in_both_layouts(&gpu, &ConvDesc { spatial: vec![0, 4], ..desc.clone() }, 2);
    in_both_layouts(&gpu, &ConvDesc { padding: vec![[9, 9]], ..desc }, 3);
}
