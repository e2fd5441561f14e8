//! The convolution against JAX's, the boundaries against NumPy's, and the JSON of its descriptor.

mod golden;

use golden::{Golden, assert_close, largest};
use langevin_reference::{
    Activation, Boundary, ConvDesc, ConvLayout, Format, Granularity, Op, Tensor, Tensors, conv,
};
use ndarray::ArrayD;

use Boundary::{Circular, Constant, Reflect, Replicate, Symmetric, Zero};

/// What the cases of goldens/conv.py set beside their shapes.
fn settings(
    groups: usize,
    stride: &[usize],
    dilation: &[usize],
    padding: &[[usize; 2]],
    boundary: &[Boundary],
) -> ConvDesc {
    ConvDesc {
        groups,
        stride: stride.to_vec(),
        dilation: dilation.to_vec(),
        padding: padding.to_vec(),
        boundary: boundary.to_vec(),
        ..Default::default()
    }
}

/// The settings of goldens/conv.py; shapes follow from the tensors.
fn cases() -> Vec<(&'static str, ConvDesc)> {
    let last = |desc| ConvDesc { layout: ConvLayout::ChannelsLast, bias: true, ..desc };
    let upsampled = |factors: &[usize], desc| ConvDesc { upsample: factors.to_vec(), ..desc };
    let scaled = ConvDesc {
        x_scale: true,
        w_scale: Some(Granularity::PerRow),
        bias: true,
        activation: Activation::Silu,
        residual: true,
        ..settings(1, &[], &[], &[[1, 1]], &[Constant(7.0)])
    };
    let solid = [[1, 0], [2, 1], [1, 1]];
    vec![
        ("line", settings(1, &[2], &[2], &[[3, 1]], &[Zero])),
        ("grouped", ConvDesc { bias: true, ..settings(2, &[1, 2], &[1], &[[1, 1], [0, 1]], &[]) }),
        ("depthwise", settings(3, &[], &[], &[[1, 1]], &[Circular])),
        ("mixed", settings(1, &[1], &[2, 1], &[[2, 3], [4, 2]], &[Reflect, Replicate])),
        ("wide", settings(1, &[], &[], &[[5, 3], [7, 4]], &[Circular, Zero])),
        (
            "solid",
            ConvDesc {
                bias: true,
                ..settings(1, &[1, 2, 1], &[1, 1, 2], &solid, &[Circular, Reflect, Replicate])
            },
        ),
        ("constant", settings(1, &[], &[1, 2], &[[2, 1], [2, 3]], &[Constant(1.5), Constant(-0.25)])),
        ("corners", settings(1, &[], &[], &[[2, 2], [1, 2]], &[Constant(2.0), Reflect])),
        ("last", last(settings(2, &[2, 1], &[], &[[1, 2], [0, 1]], &[Replicate, Constant(0.5)]))),
        ("last_line", last(settings(1, &[], &[2], &[[3, 3]], &[Circular]))),
        ("upsampled", upsampled(&[2, 3], settings(1, &[], &[], &[[1, 1], [4, 3]], &[Reflect, Circular]))),
        ("upsampled_strided", upsampled(&[2], settings(1, &[3], &[2], &[[2, 6]], &[Constant(-1.0)]))),
        ("scaled", scaled),
        ("mirrored", settings(1, &[], &[], &[[8, 2], [3, 5]], &[Symmetric])),
    ]
}

fn transposed_cases() -> Vec<(&'static str, ConvDesc)> {
    let transposed = |output_padding: &[usize], desc| ConvDesc {
        transposed: true,
        output_padding: output_padding.to_vec(),
        ..desc
    };
    let last =
        ConvDesc { layout: ConvLayout::ChannelsLast, ..settings(2, &[2], &[], &[[1, 1], [0, 2]], &[]) };
    let solid = [[1, 0], [1, 1], [0, 0]];
    vec![
        ("transposed", transposed(&[], settings(1, &[2], &[], &[[1, 1]], &[]))),
        ("transposed_odd", transposed(&[2], settings(1, &[3], &[2], &[[2, 1]], &[]))),
        ("transposed_gaps", transposed(&[1, 3], settings(1, &[3, 4], &[1, 2], &[[0, 0], [0, 1]], &[]))),
        ("transposed_common", transposed(&[1], settings(1, &[4], &[6], &[[5, 3]], &[]))),
        ("transposed_groups", transposed(&[1, 0], settings(2, &[2, 1], &[1, 2], &[[1, 0], [0, 1]], &[]))),
        ("transposed_last", transposed(&[1, 0], last)),
        ("transposed_solid", transposed(&[0, 0, 2], settings(1, &[2, 1, 3], &[1, 2, 1], &solid, &[]))),
    ]
}

/// The same with the shapes and formats of its tensors.
fn shaped(desc: ConvDesc, inputs: &Tensors) -> ConvDesc {
    let [x, w] = ["x", "w"].map(|tensor| inputs.get(tensor).unwrap());
    let (batch, in_channels, spatial) = desc.layout.parts(x.shape()).unwrap();
    let (outer, inner, kernel) = desc.layout.parts(w.shape()).unwrap();
    let out_channels = if desc.transposed { inner * desc.groups } else { outer };
    let (spatial, kernel) = (spatial.to_vec(), kernel.to_vec());
    let format = if x.dtype() == Format::I8.into() { Format::I8 } else { Format::F32 };
    ConvDesc { batch, in_channels, out_channels, spatial, kernel, x: format, w: format, ..desc }
}

#[test]
fn agrees_with_jax() {
    let golden = Golden::new(include_bytes!("../goldens/conv.safetensors"));
    for (name, desc) in cases().into_iter().chain(transposed_cases()) {
        let mut inputs = Tensors::new();
        for tensor in ["x", "w"] {
            inputs.insert(tensor, golden.tensor(&format!("{name}.{tensor}")));
        }
        let desc = shaped(desc, &inputs);
        for spec in desc.tensors().iter().filter(|spec| !["x", "w", "out"].contains(&spec.name)) {
            inputs.insert(spec.name, golden.tensor(&format!("{name}.{}", spec.name)));
        }
        let got = desc.evaluate(&inputs).unwrap()[0].values();
        let want = golden.values(&format!("{name}.out"));
        assert!(largest(&want) > 0.1, "{name} is nearly nothing");
        // Inputs are in [-1, 1] and constants up to 2, or their scaled products up to 128 * 128 * 0.003 * 0.02 = 1.
        let terms = desc.terms() + 8;
        assert_close(&got, &want, terms + 1, 2.0 * terms as f64);
        if desc.tensors().len() == 3 {
            let [x, w] = ["x", "w"].map(|tensor| inputs.get(tensor).unwrap().to_f64());
            assert_eq!(conv(x.view(), w.view(), &desc).unwrap(), got);
        }
    }
}

/// `<conv(x), y> = <x, transposed conv(y)>`, by definition.
#[test]
fn the_transposed_convolution_is_the_adjoint() {
    for (i, (name, back)) in transposed_cases().into_iter().enumerate() {
        let golden = Golden::new(include_bytes!("../goldens/conv.safetensors"));
        let [y, w] = ["x", "w"].map(|tensor| golden.values(&format!("{name}.{tensor}")));
        let mut inputs = Tensors::new();
        inputs.insert("x", golden.tensor(&format!("{name}.x")));
        inputs.insert("w", golden.tensor(&format!("{name}.w")));
        let back = shaped(back, &inputs);
        let there = ConvDesc {
            transposed: false,
            output_padding: vec![],
            in_channels: back.out_channels,
            out_channels: back.in_channels,
            spatial: back.out_spatial(),
            ..back.clone()
        };
        assert_eq!(there.out_spatial(), back.spatial, "{name}");
        let shape = there.tensors()[0].shape.clone();
        let x = ArrayD::from_shape_fn(shape, |index| {
            let index = ndarray::Dimension::slice(&index).iter().fold(i, |sum, &i| 7 * sum + i);
            (index % 11) as f64 / 8.0 - 0.5
        });
        let image = conv(x.view(), w.view(), &there).unwrap();
        let preimage = conv(y.view(), w.view(), &back).unwrap();
        let (left, right) = ((&image * &y).sum(), (&x * &preimage).sum());
        assert!((left - right).abs() < 1e-12 * (&image * &y).mapv(f64::abs).sum(), "{name}: {left} {right}");
    }
}

#[test]
fn a_known_answer_and_nothing_at_all() {
    let desc = ConvDesc { spatial: vec![2, 3], kernel: vec![2, 2], bias: true, ..Default::default() };
    let mut inputs = Tensors::new();
    let tensor = |shape: &[usize], values: &[f32]| Tensor::from_f32(Format::F32, shape, values).unwrap();
    inputs.insert("x", tensor(&[1, 1, 2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]));
    inputs.insert("w", tensor(&[1, 1, 2, 2], &[1.0, 10.0, 100.0, 1000.0]));
    inputs.insert("bias", tensor(&[1], &[0.5]));
    // Not flipped: the last weight meets the last element of the window.
    let out = desc.evaluate(&inputs).unwrap()[0].values();
    assert_eq!(out.as_slice().unwrap(), [5421.5, 6532.5]);

    let empty = ConvDesc { spatial: vec![2], kernel: vec![3], ..Default::default() };
    assert_eq!(empty.out_spatial(), [0]);
    let x = ndarray::ArrayD::zeros(vec![1, 1, 2]);
    let w = ndarray::ArrayD::zeros(vec![1, 1, 3]);
    assert_eq!(conv(x.view(), w.view(), &empty).unwrap().shape(), [1, 1, 0]);
    let error = conv(w.view(), w.view(), &empty).unwrap_err();
    assert_eq!(error.to_string(), "conv: tensor `x` must have shape [1, 1, 2], got [1, 1, 3]");
}

#[test]
fn a_padded_copy_is_the_same() {
    // Zero padding by hand: the identity that makes the boundary an index.
    let padded = ConvDesc { padding: vec![[2, 1]], ..line(5) };
    let x = ndarray::Array3::from_shape_fn((1, 1, 5), |(_, _, i)| i as f64 + 1.0).into_dyn();
    let w = ndarray::Array3::from_shape_fn((1, 1, 3), |(_, _, i)| 1.0 / (i as f64 + 1.0)).into_dyn();
    let mut copy = ndarray::ArrayD::zeros(vec![1, 1, 8]);
    copy.slice_mut(ndarray::s![.., .., 2..7]).assign(&x);
    assert_eq!(conv(x.view(), w.view(), &padded), conv(copy.view(), w.view(), &line(8)));
}

fn line(extent: usize) -> ConvDesc {
    ConvDesc { spatial: vec![extent], kernel: vec![3], ..Default::default() }
}

#[test]
fn known_answers_of_the_other_direction_and_of_repeated_inputs() {
    let run = |desc: &ConvDesc, x: &[f64], w: &[f64]| {
        let array =
            |values: &[f64]| ArrayD::from_shape_vec(vec![1, 1, values.len()], values.to_vec()).unwrap();
        conv(array(x).view(), array(w).view(), desc).unwrap().into_raw_vec_and_offset().0
    };
    // Each input brings the kernel along, two outputs further than the one before.
    let spread = ConvDesc { transposed: true, stride: vec![2], ..line(3) };
    let (x, w) = ([1.0, 2.0, 4.0], [1.0, 10.0, 100.0]);
    assert_eq!(run(&spread, &x, &w), [1.0, 10.0, 102.0, 20.0, 204.0, 40.0, 400.0]);
    let cut = ConvDesc { padding: vec![[1, 2]], output_padding: vec![1], ..spread };
    assert_eq!(run(&cut, &x, &w), [10.0, 102.0, 20.0, 204.0, 40.0]);
    // 1 1 2 2 4 4, and a constant on either side.
    let repeated =
        ConvDesc { upsample: vec![2], padding: vec![[1, 1]], boundary: vec![Constant(5.0)], ..line(3) };
    assert_eq!(run(&repeated, &x, &w), [115.0, 211.0, 221.0, 422.0, 442.0, 544.0]);
}

#[test]
fn broken_rules_are_named_with_their_numbers() {
    let error = |desc: ConvDesc| desc.validate().unwrap_err().to_string();
    let constant = |x, value| ConvDesc { x, boundary: vec![Constant(value)], ..line(5) };
    let transposed = ConvDesc { transposed: true, stride: vec![2], dilation: vec![3], ..line(5) };
    let integers = ConvDesc { x: Format::I8, w: Format::I8, in_channels: 43_691, ..line(5) };
    let cases = [
        (ConvDesc { upsample: vec![0], ..line(5) }, "`upsample` must be at least 1 along every axis, got 0"),
        (
            ConvDesc { upsample: vec![2], padding: vec![[10, 0]], boundary: vec![Reflect], ..line(5) },
            "`padding` must be less than the extent 10 of an axis that is reflected, got 10",
        ),
        (
            constant(Format::F16, 0.1),
            "`boundary` must be a constant that f16 holds (the nearest is 0.099975586), got constant 0.1",
        ),
        (
            constant(Format::I8, 128.0),
            "`boundary` must be a constant that i8 holds (the nearest is 127), got constant 128",
        ),
        (
            constant(Format::F32, f32::INFINITY),
            "`boundary` must be a constant that is finite, got constant inf",
        ),
        (
            ConvDesc { boundary: vec![Circular], ..transposed.clone() },
            "`boundary` must be zero for a transposed convolution, which reads nothing outside, got Circular",
        ),
        (
            ConvDesc { upsample: vec![2], ..transposed.clone() },
            "`upsample` must be 1 for a transposed convolution, got 2",
        ),
        (
            ConvDesc { output_padding: vec![3], ..transposed },
            "`output_padding` must be less than 3, the larger of stride and dilation, got 3",
        ),
        (
            ConvDesc { output_padding: vec![1], ..line(5) },
            "`output_padding` must be absent unless it is transposed, got 1",
        ),
        (
            ConvDesc { w_scale: Some(Granularity::PerColumn), ..line(5) },
            "`w_scale` must be per tensor or per row: one for each output channel, got PerColumn",
        ),
        (
            integers.clone(),
            "`kernel` must be such that at most 131071 products of i8 are summed, which fit an i32, got 131073 products",
        ),
    ];
    for (desc, expected) in cases {
        assert_eq!(error(desc), format!("conv: {expected}"));
    }
    for valid in [
        ConvDesc { in_channels: 43_690, ..integers },
        constant(Format::I8, -128.0),
        constant(Format::F32, 0.1),
    ] {
        assert_eq!(valid.validate(), Ok(()));
    }
    let wide = ConvDesc { spatial: vec![1 << 30], upsample: vec![2], ..line(5) };
    assert!(error(wide).contains("must be at most 2147483647, got 2147483648"));
}
