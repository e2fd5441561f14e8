//! Unpatchify against its reference: shapes, bits, the way there and back, and the errors.

use langevin::reference::{Tensor, Tensors, generate};
use langevin::verify::{self, RunOptions};
use langevin::{Format, PatchifyDesc, Unpatchify, UnpatchifyDesc};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

fn picture(height: usize, width: usize, patch: usize) -> UnpatchifyDesc {
    UnpatchifyDesc { height, width, patch, ..Default::default() }
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
        conform(&gpu, &UnpatchifyDesc { channels: 3, batch: 2, ..picture(height, width, patch) }, i as u64);
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for desc in [
        picture(0, 4, 2),
        picture(4, 0, 2),
        UnpatchifyDesc { batch: 0, ..picture(4, 4, 2) },
        UnpatchifyDesc { channels: 0, ..picture(4, 4, 2) },
    ] {
        conform(&gpu, &desc, 0);
    }
    // The other axes of an empty picture must still be a shape that an array may have.
    let desc = UnpatchifyDesc { batch: 1 << 30, channels: 1 << 30, ..picture(0, 1 << 30, 1) };
    let error = Unpatchify::new(gpu.device(), &desc).unwrap_err().to_string();
    assert!(error.contains("the product of the extents of `x`, 0 left out, must be at most"), "{error}");
}

/// NaN with payloads, infinities, subnormals and both zeros.
#[test]
fn every_bit_arrives() {
    let Some(gpu) = gpu() else { return };
    let desc = UnpatchifyDesc { channels: 2, ..picture(4, 4, 2) };
    let special =
        [0x7fc0_0001u32, 0xffff_ffff, 0x7f80_0001, 0x7f80_0000, 1, 0x8000_0001, 0x8000_0000, 0x3f80_0000];
    let bytes = special.iter().cycle().take(32).flat_map(|word| word.to_le_bytes()).collect();
    let mut inputs = Tensors::new();
    inputs.insert("x", Tensor::new(Format::F32, &[1, 4, 8], bytes).unwrap());
    conform_on(&gpu, &desc, &inputs);
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &UnpatchifyDesc| Unpatchify::new(gpu.device(), desc).unwrap_err().to_string();
    assert_eq!(error(&picture(4, 4, 0)), "unpatchify: `patch` must be at least 1, got 0");
    assert_eq!(error(&picture(7, 8, 2)), "unpatchify: `height` must be a multiple of the patch, 2, got 7");
    assert_eq!(error(&picture(9, 8, 3)), "unpatchify: `width` must be a multiple of the patch, 3, got 8");
    assert!(error(&picture(1 << 16, 1 << 16, 1)).contains("the number of elements of `x` must be at most"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_picture_is_put_together_right(
        (batch, channels, down, across) in (1usize..4, 1usize..5, 1usize..7, 1usize..7),
        patch in 1usize..6,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = UnpatchifyDesc { batch, channels, ..picture(down * patch, across * patch, patch) };
        conform(&gpu, &desc, seed);
    }

    /// With one channel both orders inside a token are the same, so cutting and putting together is the identity.
    #[test]
    fn one_channel_goes_there_and_back(
        (batch, down, across, patch) in (1usize..4, 1usize..7, 1usize..7, 1usize..6),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let back = UnpatchifyDesc { batch, ..picture(down * patch, across * patch, patch) };
        let UnpatchifyDesc { height, width, .. } = back;
        let there = PatchifyDesc { batch, height, width, patch, ..Default::default() };
        let mut inputs = generate::inputs(&there, seed);
        let tokens = verify::run(&gpu, &there, &inputs, &RunOptions::default()).unwrap().remove("out").unwrap();
        let x = inputs.remove("x").unwrap();
        inputs.insert("x", tokens);
        let again = verify::run(&gpu, &back, &inputs, &RunOptions::default()).unwrap().remove("out").unwrap();
        prop_assert_eq!(again, x);
    }
}
