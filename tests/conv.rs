//! Convolution against its reference: shapes x formats x boundaries x groups x layouts, properties, and the errors.

#[path = "conv/fused.rs"]
mod fused;
#[path = "conv/product.rs"]
mod product;
#[path = "conv/properties.rs"]
mod properties;
#[path = "conv/transposed.rs"]
mod transposed;

use langevin::reference::{Op, generate};
use langevin::verify::{self, RunOptions, Tensor, Tensors};
use langevin::{Boundary, Conv, ConvDesc, ConvLayout, Format, Gpu, Kernel, PlanOptions, Variant};
use langevin_testkit::{conform, conform_in_turns, gpu};

const OUT_FORMATS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];

use ConvLayout::ChannelsLast;

fn plane(height: usize, width: usize, kernel: [usize; 2]) -> ConvDesc {
    ConvDesc { spatial: vec![height, width], kernel: kernel.to_vec(), ..Default::default() }
}

/// The output of one variant.
fn run(gpu: &Gpu, desc: &ConvDesc, inputs: &Tensors, variant: Variant) -> Tensor {
    let capabilities = Some(gpu.capabilities().clone());
    let plan = PlanOptions { pick: variant.into(), capabilities, ..Default::default() };
    verify::run(gpu, desc, inputs, &RunOptions { plan }).unwrap().remove("out").unwrap()
}

/// Widths around a quad, outputs around a workgroup of 64 quads, channels around the blocks of every variant.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let widths = [1, 4, 5, 37];
    let channels = [1, 3, 5, 8, 33];
    for (i, &width) in widths.iter().enumerate() {
        for (j, &out_channels) in channels.iter().enumerate() {
            let desc = ConvDesc {
                batch: 1 + i % 2,
                in_channels: channels[(i + j) % channels.len()],
                out_channels,
                layout: ConvLayout::ALL[(i + j) % 2],
                padding: vec![[1, 1]],
                ..plane(1 + 3 * j, width, [3, 3])
            };
            conform_in_turns(&gpu, &desc, (i + j) as u64);
        }
    }
    for quads in [63, 64, 65, 131] {
        conform_in_turns(&gpu, &plane(quads, 4, [1, 1]), quads as u64);
    }
}

fn in_both_layouts(gpu: &Gpu, desc: &ConvDesc, seed: u64) {
    conform_in_turns(gpu, desc, seed);
    conform_in_turns(gpu, &ConvDesc { layout: ChannelsLast, ..desc.clone() }, seed + 1);
}

#[test]
fn one_two_and_three_axes_with_every_setting_their_own() {
    let Some(gpu) = gpu() else { return };
    let line = ConvDesc {
        in_channels: 3,
        out_channels: 2,
        spatial: vec![19],
        kernel: vec![4],
        stride: vec![3],
        dilation: vec![2],
        padding: vec![[5, 0]],
        ..Default::default()
    };
    in_both_layouts(&gpu, &line, 1);
    let plane = ConvDesc {
        batch: 2,
        in_channels: 4,
        out_channels: 6,
        groups: 2,
        stride: vec![2, 1],
        dilation: vec![1, 3],
        padding: vec![[0, 2], [3, 1]],
        boundary: vec![Boundary::Reflect, Boundary::Circular],
        bias: true,
        ..plane(9, 13, [2, 3])
    };
    in_both_layouts(&gpu, &plane, 2);
    let solid = ConvDesc {
        in_channels: 2,
        out_channels: 5,
        spatial: vec![3, 5, 7],
        kernel: vec![2, 1, 3],
        stride: vec![1, 2, 2],
        padding: vec![[1, 1], [0, 0], [2, 2]],
        boundary: vec![Boundary::Replicate, Boundary::Zero, Boundary::Circular],
        ..Default::default()
    };
    in_both_layouts(&gpu, &solid, 3);
    // Stride, dilation and a boundary that needs the shift, on the outermost axis too.
    let deep = ConvDesc {
        in_channels: 2,
        out_channels: 3,
        spatial: vec![9, 4, 5],
        kernel: vec![3, 2, 2],
        stride: vec![2, 1, 3],
        dilation: vec![3, 2, 1],
        padding: vec![[4, 2], [1, 0], [0, 1]],
        boundary: vec![Boundary::Circular, Boundary::Replicate, Boundary::Reflect],
        ..Default::default()
    };
    in_both_layouts(&gpu, &deep, 4);
}

#[test]
fn every_boundary_on_either_axis() {
    let Some(gpu) = gpu() else { return };
    for (i, first) in Boundary::ALL.into_iter().enumerate() {
        for (j, second) in Boundary::ALL.into_iter().enumerate().filter(|(j, _)| (i + j) % 6 < 3) {
            let desc = ConvDesc {
                padding: vec![[2, 1], [1, 3]],
                boundary: vec![first, second],
                layout: ConvLayout::ALL[(i + j) % 2],
                in_channels: 1 + i,
                ..plane(6, 9, [3, 3])
            };
            conform_in_turns(&gpu, &desc, (i + 2 * j) as u64);
        }
    }
    // These paddings may be wider than the input.
    let around = vec![Boundary::Circular, Boundary::Symmetric];
    let wide = ConvDesc { padding: vec![[7, 11]], boundary: around, ..plane(3, 2, [2, 3]) };
    in_both_layouts(&gpu, &wide, 99);
}

/// Every format of x with two of w, in both layouts, with outputs, boundaries and a bias in turn.
#[test]
fn formats() {
    let Some(gpu) = gpu() else { return };
    for (i, x) in Format::ALL.into_iter().enumerate() {
        for (j, step) in [0, 3].into_iter().enumerate() {
            let desc = ConvDesc {
                x,
                w: Format::ALL[(i + step) % 6],
                out: OUT_FORMATS[(i + j) % 3],
                in_channels: 7,
                out_channels: 9,
                layout: ConvLayout::ALL[(i + j) % 2],
                padding: vec![[1, 1]],
                boundary: vec![Boundary::ALL[(i + j) % 6]],
                bias: j == 0,
                ..plane(5, 7, [3, 3])
            };
            conform_in_turns(&gpu, &desc, (i + j) as u64);
        }
    }
}

#[test]
fn depthwise_and_grouped() {
    let Some(gpu) = gpu() else { return };
    for (i, (in_channels, out_channels, groups)) in
        [(6, 6, 6), (6, 12, 6), (6, 4, 2), (15, 30, 3), (8, 8, 2), (24, 48, 2)].into_iter().enumerate()
    {
        let desc = ConvDesc {
            in_channels,
            out_channels,
            groups,
            padding: vec![[1, 1]],
            bias: true,
            out: OUT_FORMATS[i % 3],
            ..plane(6, 10, [3, 3])
        };
        in_both_layouts(&gpu, &desc, groups as u64);
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    conform(&gpu, &ConvDesc { batch: 0, ..plane(3, 4, [3, 3]) }, 0);
    conform(&gpu, &ConvDesc { out_channels: 0, ..plane(3, 4, [3, 3]) }, 0);
    // The kernel is longer than the input.
    conform(&gpu, &plane(3, 2, [3, 3]), 0);
    // Without input channels, and without input, the bias is left.
    conform(&gpu, &ConvDesc { in_channels: 0, out_channels: 5, bias: true, ..plane(3, 4, [3, 3]) }, 1);
    conform(&gpu, &ConvDesc { padding: vec![[3, 2]], bias: true, ..plane(0, 4, [3, 3]) }, 2);
    conform(&gpu, &ConvDesc { padding: vec![[3, 2]], ..plane(4, 0, [3, 3]) }, 3);
}

#[test]
fn nan_stays_in_the_windows_it_stands_in() {
    let Some(gpu) = gpu() else { return };
    let desc = ConvDesc { padding: vec![[1, 1]], ..plane(8, 8, [3, 3]) };
    let mut inputs = generate::inputs(&desc, 3);
    let clean = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap();
    let mut x = inputs.get("x").unwrap().to_f32();
    x[0] = f32::NAN;
    inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 1, 8, 8], &x).unwrap());
    let got = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap();
    let [clean, got] = [&clean, &got].map(|tensors| tensors.get("out").unwrap().to_f32());
    for i in 0..64 {
        let touched = i / 8 < 2 && i % 8 < 2;
        assert!(touched || got[i].to_bits() == clean[i].to_bits(), "output {i}: {} and {}", got[i], clean[i]);
    }
}

/// Sums of I8 by I8 are the integers themselves, in every variant, far beyond what f32 adds exactly.
#[test]
fn integers_are_exact() {
    let Some(gpu) = gpu() else { return };
    let small =
        ConvDesc { x: Format::I8, w: Format::I8, in_channels: 9, out_channels: 3, ..plane(9, 10, [3, 3]) };
    let long = ConvDesc {
        in_channels: 260,
        out_channels: 5,
        spatial: vec![3, 7],
        padding: vec![[1, 1]],
        boundary: vec![Boundary::Constant(-128.0)],
        layout: ChannelsLast,
        ..small.clone()
    };
    for (desc, extreme) in [(small.clone(), false), (small, true), (long.clone(), false), (long, true)] {
        let mut inputs = generate::inputs(&desc, 5);
        if extreme {
            for spec in &desc.tensors()[..2] {
                let codes = vec![0x80; spec.elements().unwrap()];
                inputs.insert(spec.name, Tensor::new(Format::I8, &spec.shape, codes).unwrap());
            }
        }
        let expected = desc.evaluate(&inputs).unwrap()[0].values();
        for variant in desc.variants(gpu.capabilities()) {
            let got = run(&gpu, &desc, &inputs, variant).to_f64();
            // Beyond 2^24 the f32 of a sum may be either neighbour.
            let same = |(got, want): (&f64, &f64)| {
                got == want || (want.abs() > 16_777_216.0 && (got - want).abs() <= 2.0)
            };
            assert!(got.iter().zip(&expected).all(same), "{} of {desc:?}", variant.name);
        }
    }
}

/// The bounds are tight enough to tell boundaries, a flipped kernel and a padding moved by one apart.
#[test]
fn another_convolution_is_noticed() {
    let Some(gpu) = gpu() else { return };
    let desc = ConvDesc { padding: vec![[1, 1]], ..plane(6, 7, [3, 3]) };
    let inputs = generate::inputs(&desc, 8);
    let out = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap();
    let passes = |desc: &ConvDesc, inputs: &verify::Tensors| {
        let expected = verify::Op::evaluate(desc, inputs).unwrap().remove(0);
        verify::compare(&expected, out.get("out").unwrap()).passed()
    };
    assert!(passes(&desc, &inputs));
    for boundary in [Boundary::Circular, Boundary::Reflect, Boundary::Replicate, Boundary::Symmetric] {
        assert!(!passes(&ConvDesc { boundary: vec![boundary], ..desc.clone() }, &inputs), "{boundary:?}");
    }
    assert!(!passes(&ConvDesc { padding: vec![[0, 2], [1, 1]], ..desc.clone() }, &inputs));
    let mut flipped = inputs.clone();
    let w: Vec<f32> = inputs.get("w").unwrap().to_f32().into_iter().rev().collect();
    flipped.insert("w", Tensor::from_f32(Format::F32, &[1, 1, 3, 3], &w).unwrap());
    assert!(!passes(&desc, &flipped));
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: ConvDesc| Conv::new(gpu.device(), &desc).unwrap_err().to_string();
    let base = plane(5, 6, [3, 3]);
    let cases = [
        (
            ConvDesc { spatial: vec![], ..base.clone() },
            "`spatial` must be the extents of 1, 2 or 3 axes, got 0 extents",
        ),
        (
            ConvDesc { kernel: vec![3], ..base.clone() },
            "`kernel` must be the extents of 2 axes, as `spatial` has, got [3]",
        ),
        (
            ConvDesc { stride: vec![1; 3], ..base.clone() },
            "`stride` must be empty, one value for every axis, or 2 values for 2 axes, got 3 values",
        ),
        (
            ConvDesc { dilation: vec![0], ..base.clone() },
            "`dilation` must be at least 1 along every axis, got 0",
        ),
        (ConvDesc { out: Format::I8, ..base.clone() }, "`out` must be f32, f16 or bf16, got i8"),
        (
            ConvDesc { in_channels: 4, out_channels: 6, groups: 4, ..base.clone() },
            "`groups` must be a divisor of 4 input and 6 output channels, got 4",
        ),
        (
            ConvDesc { groups: 0, ..base.clone() },
            "`groups` must be a divisor of 1 input and 1 output channels, got 0",
        ),
        (
            ConvDesc { padding: vec![[0, 0], [6, 0]], boundary: vec![Boundary::Reflect], ..base.clone() },
            "`padding` must be less than the extent 6 of an axis that is reflected, got 6",
        ),
        (
            ConvDesc { padding: vec![[1, 1]], boundary: vec![Boundary::Circular], ..plane(0, 4, [1, 1]) },
            "`spatial` must be at least 1 where it is not padded by zeros, got 0 with a padding of 1 by Circular",
        ),
    ];
    for (desc, expected) in cases {
        assert_eq!(error(desc), format!("conv: {expected}"));
    }
    assert!(error(ConvDesc { padding: vec![[1 << 31, 0]], ..base }).contains("must be at most 2147483647"));
    assert!(error(plane(1 << 16, 1 << 16, [1, 1])).contains("the number of elements of `x` must be at most"));
}
