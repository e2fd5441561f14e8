//! The convolution against JAX's, the boundaries against NumPy's, and the JSON of its descriptor.

mod golden;

use golden::{Golden, assert_close, largest};
use langevin_reference::{Boundary, ConvDesc, Format, Op, Tensor, Tensors, conv};

use Boundary::{Circular, Reflect, Replicate, Zero};

/// The settings of goldens/conv.py; shapes follow from the tensors.
fn cases() -> [(&'static str, ConvDesc); 6] {
    let desc =
        |groups, stride: &[usize], dilation: &[usize], padding: &[[usize; 2]], boundary: &[Boundary]| {
            ConvDesc {
                groups,
                stride: stride.to_vec(),
                dilation: dilation.to_vec(),
                padding: padding.to_vec(),
                boundary: boundary.to_vec(),
                ..Default::default()
            }
        };
    [
        ("line", desc(1, &[2], &[2], &[[3, 1]], &[Zero])),
        ("grouped", ConvDesc { bias: true, ..desc(2, &[1, 2], &[1], &[[1, 1], [0, 1]], &[]) }),
        ("depthwise", desc(3, &[], &[], &[[1, 1]], &[Circular])),
        ("mixed", desc(1, &[1], &[2, 1], &[[2, 3], [4, 2]], &[Reflect, Replicate])),
        ("wide", desc(1, &[], &[], &[[5, 3], [7, 4]], &[Circular, Zero])),
        (
            "solid",
            ConvDesc {
                bias: true,
                ..desc(1, &[1, 2, 1], &[1, 1, 2], &[[1, 0], [2, 1], [1, 1]], &[Circular, Reflect, Replicate])
            },
        ),
    ]
}

#[test]
fn agrees_with_jax() {
    let golden = Golden::new(include_bytes!("../goldens/conv.safetensors"));
    for (name, desc) in cases() {
        let mut inputs = Tensors::new();
        for tensor in ["x", "w"].into_iter().chain(desc.bias.then_some("bias")) {
            inputs.insert(tensor, golden.tensor(&format!("{name}.{tensor}")));
        }
        let [x, w] = ["x", "w"].map(|tensor| inputs.get(tensor).unwrap().shape().to_vec());
        let (spatial, kernel) = (x[2..].to_vec(), w[2..].to_vec());
        let desc = ConvDesc { batch: x[0], in_channels: x[1], out_channels: w[0], spatial, kernel, ..desc };
        let got = desc.evaluate(&inputs).unwrap()[0].values();
        let terms = desc.terms() + 1;
        // Inputs are in [-1, 1].
        let want = golden.values(&format!("{name}.out"));
        assert!(largest(&want) > 0.1, "{name} is nearly nothing");
        assert_close(&got, &want, terms + 1, terms as f64);
        if !desc.bias {
            let [x, w] = ["x", "w"].map(|tensor| inputs.get(tensor).unwrap().to_f64());
            assert_eq!(conv(x.view(), w.view(), &desc).unwrap(), got);
        }
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
