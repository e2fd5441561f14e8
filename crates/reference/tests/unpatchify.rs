//! Unpatchify against the einsum of the published DiT.

mod golden;

use golden::Golden;
use langevin_reference::{Op, Tensors, UnpatchifyDesc, unpatchify};
use ndarray::Array3;

const GOLDEN: &[u8] = include_bytes!("../goldens/unpatchify.safetensors");

#[test]
fn pictures_are_those_of_einsum() {
    let golden = Golden::new(GOLDEN);
    let want = golden.values("out");
    let x: Array3<f64> = golden.array("x");
    assert_eq!(unpatchify(x.view(), 4, 6, 2).unwrap().into_dyn(), want);

    let desc = UnpatchifyDesc { batch: 2, channels: 3, height: 4, width: 6, patch: 2 };
    let mut inputs = Tensors::new();
    inputs.insert("x", golden.tensor("x"));
    assert_eq!(desc.evaluate(&inputs).unwrap().remove(0).values(), want);
}
