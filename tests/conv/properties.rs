//! What holds for any convolution.

use super::{plane, run};
use langevin::reference::{Op, generate};
use langevin::verify::{self, RunOptions, Tensor, Tensors};
use langevin::{Activation, Boundary, ConvDesc, ConvLayout, Format, Gpu, Granularity, Kernel, MatmulDesc};
use langevin_testkit::{conform_in_turns, conform_on, gpu};
use proptest::prelude::*;

fn bytes(tensors: &Tensors, name: &str) -> Vec<u8> {
    tensors.get(name).unwrap().bytes().to_vec()
}

fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_f32(Format::F32, shape, values).unwrap()
}

fn preferred(gpu: &Gpu, desc: &ConvDesc, inputs: &Tensors) -> Vec<f64> {
    run(gpu, desc, inputs, desc.variants(gpu.capabilities())[0]).to_f64().into_raw_vec_and_offset().0
}

/// The bounds of an answer.
fn bounds(desc: &ConvDesc, inputs: &Tensors) -> Vec<f64> {
    match desc.evaluate(inputs).unwrap().remove(0).answer {
        verify::Answer::Bounded { bound, .. } => bound.into_raw_vec_and_offset().0,
        verify::Answer::Exact(_) => unreachable!("sums of f32 are rounded"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..Default::default() })]

    /// Any set of options; each is a shader of its own.
    #[test]
    fn any_convolution_is_within_its_bound(
        (height, width, kernel_y, kernel_x) in (1usize..20, 1usize..20, 1usize..4, 1usize..4),
        (groups, channels, outputs) in (1usize..3, 0usize..40, 1usize..40),
        (stride, dilation, upsample) in (1usize..4, 1usize..4, 1usize..3),
        padding in (0usize..4, 0usize..4),
        boundaries in (0usize..6, 0usize..6),
        formats in (0usize..6, 0usize..6, 0usize..3),
        flags in any::<u8>(),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let bit = |i: u32| flags >> i & 1 == 1;
        let transposed = flags % 4 == 3;
        let plain = |list: Vec<Boundary>| if transposed { vec![] } else { list };
        let desc = ConvDesc {
            in_channels: groups * channels,
            out_channels: groups * outputs,
            groups,
            x: Format::ALL[formats.0],
            w: Format::ALL[formats.1],
            out: super::OUT_FORMATS[formats.2],
            layout: ConvLayout::ALL[usize::from(bit(2))],
            stride: vec![stride],
            dilation: vec![1, dilation],
            upsample: if transposed { vec![] } else { vec![1, upsample] },
            padding: vec![[padding.0.min(height - 1), padding.1.min(height - 1)], [padding.1.min(width - 1), 0]],
            boundary: plain(vec![Boundary::ALL[boundaries.0], Boundary::ALL[boundaries.1]]),
            transposed,
            x_scale: bit(3),
            w_scale: [None, Some(Granularity::PerTensor), None, Some(Granularity::PerRow)][usize::from(flags >> 4) % 4],
            bias: bit(6),
            activation: Activation::ALL[usize::from(flags) % 5],
            residual: bit(7),
            ..plane(height, width, [kernel_y, kernel_x])
        };
        conform_in_turns(&gpu, &desc, seed);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3, ..Default::default() })]

    /// Turning a circular input turns the output, bit for bit.
    #[test]
    fn circular_convolution_commutes_with_turning(
        (height, width, kernel) in (1usize..9, 1usize..12, 1usize..6),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let padding = [kernel / 2, kernel - 1 - kernel / 2];
        let desc = ConvDesc {
            padding: vec![padding],
            boundary: vec![Boundary::Circular],
            // A kernel of its own extents along every axis would be a shader of its own.
            ..plane(height, width, [kernel, 3.min(kernel)])
        };
        let desc = ConvDesc { padding: vec![padding, [1, kernel.min(3).saturating_sub(2)]], ..desc };
        prop_assume!(desc.out_spatial()[0] == height);
        let inputs = generate::inputs(&desc, seed);
        let mut turned = inputs.clone();
        let row = width * 4;
        let mut x = bytes(&inputs, "x");
        x.rotate_left(row);
        turned.insert("x", Tensor::new(Format::F32, &[1, 1, height, width], x).unwrap());
        let run = |inputs| verify::run(&gpu, &desc, inputs, &RunOptions::default()).unwrap();
        let mut expected = bytes(&run(&inputs), "out");
        expected.rotate_left(desc.out_spatial()[1] * 4);
        prop_assert_eq!(bytes(&run(&turned), "out"), expected);
        conform_on(&gpu, &desc, &turned);
    }

    /// `conv(a x + y) = a conv(x) + conv(y)` within the bounds of the three, for a power of two; x and y are multiples of
    /// 1/64, so that their sum is exact.
    #[test]
    fn it_is_linear(seed in any::<u64>(), layout in 0usize..2) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = ConvDesc {
            in_channels: 9,
            out_channels: 20,
            layout: ConvLayout::ALL[layout],
            padding: vec![[1, 1]],
            boundary: vec![Boundary::Reflect],
            ..plane(6, 9, [3, 3])
        };
        let grid = |seed| -> Vec<f32> {
            let x = generate::inputs(&desc, seed).get("x").unwrap().to_f32();
            x.iter().map(|value| (value * 64.0).round() / 64.0).collect()
        };
        let (x, y) = (grid(seed), grid(seed ^ 1));
        let sum: Vec<f32> = x.iter().zip(&y).map(|(x, y)| 4.0 * x + y).collect();
        let shape = desc.tensors()[0].shape.clone();
        let of = |values: &[f32]| {
            let mut inputs = generate::inputs(&desc, seed);
            inputs.insert("x", f32s(&shape, values));
            (preferred(&gpu, &desc, &inputs), bounds(&desc, &inputs))
        };
        let [(x, x_bound), (y, y_bound), (both, bound)] = [of(&x), of(&y), of(&sum)];
        for i in 0..both.len() {
            let allowed = 4.0 * x_bound[i] + y_bound[i] + bound[i];
            prop_assert!((4.0 * x[i] + y[i] - both[i]).abs() <= allowed);
        }
    }
}

/// Groups of one channel are convolutions of one channel each, bit for bit.
#[test]
fn a_depthwise_convolution_is_one_for_each_channel() {
    let Some(gpu) = gpu() else { return };
    let desc = ConvDesc {
        in_channels: 5,
        out_channels: 5,
        groups: 5,
        padding: vec![[1, 1]],
        boundary: vec![Boundary::Replicate],
        ..plane(7, 10, [3, 3])
    };
    let inputs = generate::inputs(&desc, 4);
    let of = |name: &str| inputs.get(name).unwrap().to_f32();
    let (x, w) = (of("x"), of("w"));
    let single = ConvDesc { in_channels: 1, out_channels: 1, groups: 1, ..desc.clone() };
    for variant in desc.variants(gpu.capabilities()) {
        let whole = run(&gpu, &desc, &inputs, variant).to_f32();
        for channel in 0..5 {
            let mut alone = Tensors::new();
            alone.insert("x", f32s(&[1, 1, 7, 10], &x[70 * channel..70 * (channel + 1)]));
            alone.insert("w", f32s(&[1, 1, 3, 3], &w[9 * channel..9 * (channel + 1)]));
            if single.variants(gpu.capabilities()).contains(&variant) {
                let got = run(&gpu, &single, &alone, variant).to_f32();
                assert_eq!(got, whole[70 * channel..70 * (channel + 1)], "{}", variant.name);
            }
        }
    }
}

/// A kernel of one element is a matrix product, and any other is one with a matrix of repeated weights.
#[test]
fn a_convolution_is_a_matrix_product() {
    let Some(gpu) = gpu() else { return };
    let pointwise = ConvDesc { batch: 2, in_channels: 24, out_channels: 20, ..plane(5, 8, [1, 1]) };
    let inputs = generate::inputs(&pointwise, 6);
    let product = MatmulDesc { batch: 2, m: 20, k: 24, n: 40, ..Default::default() };
    let product = MatmulDesc { a: langevin::Operand { shared: true, ..product.a }, ..product };
    let mut factors = Tensors::new();
    factors.insert("a", inputs.get("w").unwrap().clone().reshape(&[20, 24]).unwrap());
    factors.insert("b", inputs.get("x").unwrap().clone().reshape(&[2, 24, 40]).unwrap());
    let by_matmul = verify::run(&gpu, &product, &factors, &RunOptions::default()).unwrap();
    let by_matmul = by_matmul.get("out").unwrap().to_f64();
    let allowed = bounds(&pointwise, &inputs);
    for (i, (a, b)) in by_matmul.iter().zip(preferred(&gpu, &pointwise, &inputs)).enumerate() {
        assert!((a - b).abs() <= 2.0 * allowed[i], "{i}: {a} {b}");
    }

    // One column of the matrix for each input: the answer to a single one.
    let desc = ConvDesc {
        out_channels: 2,
        padding: vec![[1, 0], [2, 1]],
        stride: vec![1, 2],
        boundary: vec![Boundary::Circular, Boundary::Reflect],
        ..plane(3, 4, [2, 3])
    };
    let inputs = generate::inputs(&desc, 7);
    let x = inputs.get("x").unwrap().to_f32();
    let mut product = vec![0.0; desc.out_channels * desc.out_spatial().iter().product::<usize>()];
    for (i, &value) in x.iter().enumerate() {
        let mut unit = inputs.clone();
        let values: Vec<f32> = (0..x.len()).map(|j| f32::from(u8::from(i == j))).collect();
        unit.insert("x", f32s(&[1, 1, 3, 4], &values));
        let column = preferred(&gpu, &desc, &unit);
        product.iter_mut().zip(column).for_each(|(sum, entry)| *sum += entry * f64::from(value));
    }
    for ((got, want), allowed) in
        preferred(&gpu, &desc, &inputs).iter().zip(&product).zip(bounds(&desc, &inputs))
    {
        // A column may add two weights where an input is met twice: one more rounding.
        assert!((got - want).abs() <= 2.0 * allowed, "{got} {want}");
    }
}
