//! Patchify against its reference: shapes, bits, the patch embedding made of it, and the errors.

use langevin::reference::{Dtype, Tensor, Tensors, generate, patch_embed};
use langevin::verify::{self, RunOptions};
use langevin::{Format, MatmulDesc, Patchify, PatchifyDesc};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

fn picture(height: usize, width: usize, patch: usize) -> PatchifyDesc {
    PatchifyDesc { height, width, patch, ..Default::default() }
}

#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    for (i, (height, width, patch)) in
        [(1, 1, 1), (3, 5, 1), (2, 4, 2), (8, 8, 2), (9, 6, 3), (7, 14, 7), (65, 13, 13), (4, 64, 4)]
            .into_iter()
            .enumerate()
    {
        conform(&gpu, &picture(height, width, patch), i as u64);
        conform(&gpu, &PatchifyDesc { channels: 3, batch: 2, ..picture(height, width, patch) }, i as u64);
        conform(&gpu, &PatchifyDesc { repeat: 2, batch: 3, ..picture(height, width, patch) }, i as u64);
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for desc in [
        picture(0, 4, 2),
        picture(4, 0, 2),
        PatchifyDesc { batch: 0, ..picture(4, 4, 2) },
        PatchifyDesc { channels: 0, ..picture(4, 4, 2) },
        PatchifyDesc { repeat: 0, ..picture(4, 4, 2) },
    ] {
        conform(&gpu, &desc, 0);
    }
    // The other axes of an empty picture must still be a shape that an array may have.
    let desc = PatchifyDesc { batch: 1 << 30, channels: 1 << 30, ..picture(0, 1 << 30, 1) };
    let error = Patchify::new(gpu.device(), &desc).unwrap_err().to_string();
    assert!(error.contains("the product of the extents of `x`, 0 left out, must be at most"), "{error}");
}

/// NaN with payloads, infinities, subnormals and both zeros.
#[test]
fn every_bit_arrives() {
    let Some(gpu) = gpu() else { return };
    let desc = PatchifyDesc { channels: 2, repeat: 2, ..picture(4, 4, 2) };
    let special =
        [0x7fc0_0001u32, 0xffff_ffff, 0x7f80_0001, 0x7f80_0000, 1, 0x8000_0001, 0x8000_0000, 0x3f80_0000];
    let bytes = special.iter().cycle().take(32).flat_map(|word| word.to_le_bytes()).collect();
    let mut inputs = Tensors::new();
    inputs.insert("x", Tensor::new(Format::F32, &[1, 2, 4, 4], bytes).unwrap());
    conform_on(&gpu, &desc, &inputs);
}

/// A matmul with the flattened weight, its bias and a shared residual turns the tokens into the patch embedding.
#[test]
fn a_matmul_makes_it_a_patch_embedding() {
    let Some(gpu) = gpu() else { return };
    let (batch, channels, patch, d) = (2, 3, 2, 10);
    let cut = PatchifyDesc { batch, channels, ..picture(6, 8, patch) };
    let (tokens, taps) = (cut.tokens(), channels * patch * patch);
    let mut random = generate::Random::new(11);
    let mut made = |shape: &[usize]| generate::tensor(&mut random, Dtype::from(Format::F32), shape);
    let (x, weight) = (made(&[batch, channels, 6, 8]), made(&[d, channels, patch, patch]));
    let (bias, position) = (made(&[d]), made(&[tokens, d]));
    let view = |tensor: &Tensor| tensor.to_f64();
    let expected = patch_embed(
        view(&x).into_dimensionality().unwrap().view(),
        view(&weight).into_dimensionality().unwrap().view(),
        view(&bias).into_dimensionality().unwrap().view(),
        view(&position).into_dimensionality().unwrap().view(),
    )
    .unwrap();

    let mut inputs = Tensors::new();
    inputs.insert("x", x);
    let cut = verify::run(&gpu, &cut, &inputs, &RunOptions::default()).unwrap().remove("out").unwrap();
    let embed = MatmulDesc {
        batch,
        m: tokens,
        k: taps,
        n: d,
        b: langevin::Operand { shared: true, ..Default::default() },
        bias: true,
        residual: true,
        residual_shared: true,
        ..Default::default()
    };
    let weight = weight.to_f32();
    let transposed: Vec<f32> = (0..taps * d).map(|i| weight[i % d * taps + i / d]).collect();
    let mut inputs = Tensors::new();
    inputs.insert("a", cut);
    inputs.insert("b", Tensor::from_f32(Format::F32, &[taps, d], &transposed).unwrap());
    inputs.insert("bias", bias);
    inputs.insert("residual", position);
    conform_on(&gpu, &embed, &inputs);
    let answer = verify::Op::evaluate(&embed, &inputs).unwrap().remove(0).values();
    // The matmul's answer is summed in f64 in another order than the convolution's.
    let rounding = 2.0 * (taps as f64 + 2.0) * f64::EPSILON * (taps as f64 + 2.0);
    for (a, b) in answer.iter().zip(&expected) {
        assert!((a - b).abs() <= rounding, "{a} and {b}");
    }
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &PatchifyDesc| Patchify::new(gpu.device(), desc).unwrap_err().to_string();
    assert_eq!(error(&picture(4, 4, 0)), "patchify: `patch` must be at least 1, got 0");
    assert_eq!(error(&picture(7, 8, 2)), "patchify: `height` must be a multiple of the patch, 2, got 7");
    assert_eq!(error(&picture(9, 8, 3)), "patchify: `width` must be a multiple of the patch, 3, got 8");
    let desc = PatchifyDesc { repeat: 1 << 12, ..picture(1 << 10, 1 << 10, 1) };
    assert!(error(&desc).contains("the number of elements of `out` must be at most"));
    assert!(error(&picture(usize::MAX, usize::MAX, 1)).contains("the number of elements of `x`"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_picture_is_cut_right(
        (batch, channels, down, across) in (1usize..4, 1usize..5, 1usize..7, 1usize..7),
        (patch, repeat) in (1usize..6, 1usize..4),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = PatchifyDesc { batch, channels, repeat, ..picture(down * patch, across * patch, patch) };
        conform(&gpu, &desc, seed);
    }
}
