//! Patchify and the patch embedding against jax.lax in f64, and the embedding made of patchify and a matmul.

mod golden;

use golden::{Golden, assert_close, largest};
use langevin_reference::{
    Format, MatmulDesc, Op, Operand, PatchifyDesc, Tensor, Tensors, patch_embed, patchify,
};
use ndarray::{Array1, Array2, Array3, Array4, ArrayD};

const GOLDEN: &[u8] = include_bytes!("../goldens/patchify.safetensors");
/// 3 channels of 2 x 2 taps.
const TAPS: usize = 12;

#[test]
fn patches_are_those_of_jax() {
    let golden = Golden::new(GOLDEN);
    let x: Array4<f64> = golden.array("x");
    let want: Array3<f64> = golden.array("patches");
    assert_eq!(patchify(x.view(), 2).unwrap(), want);

    let desc = PatchifyDesc { batch: 2, channels: 3, height: 4, width: 6, patch: 2, repeat: 2 };
    let mut inputs = Tensors::new();
    inputs.insert("x", golden.tensor("x"));
    let got = desc.evaluate(&inputs).unwrap().remove(0).values();
    let twice = ndarray::concatenate(ndarray::Axis(0), &[want.view(), want.view()]).unwrap();
    assert_eq!(got, twice.into_dyn());
}

#[test]
fn the_embedding_is_a_convolution() {
    let golden = Golden::new(GOLDEN);
    let (x, weight): (Array4<f64>, Array4<f64>) = (golden.array("x"), golden.array("weight"));
    let (bias, position): (Array1<f64>, Array2<f64>) = (golden.array("bias"), golden.array("position"));
    let got = patch_embed(x.view(), weight.view(), bias.view(), position.view()).unwrap();
    assert_close(&got.into_dyn(), &golden.values("embedded"), TAPS + 3, magnitude(&golden));
}

#[test]
fn patchify_and_a_matmul_make_the_embedding() {
    let golden = Golden::new(GOLDEN);
    let cut = PatchifyDesc { batch: 2, channels: 3, height: 4, width: 6, patch: 2, ..Default::default() };
    let mut inputs = Tensors::new();
    inputs.insert("x", golden.tensor("x"));
    let tokens = cut.evaluate(&inputs).unwrap().remove(0).values();
    let stored = |values: &ArrayD<f64>| {
        let narrow: Vec<f32> = values.iter().map(|&value| value as f32).collect();
        Tensor::from_f32(Format::F32, values.shape(), &narrow).unwrap()
    };
    let weight: Array2<f64> =
        golden.array::<ndarray::Ix4>("weight").into_shape_with_order((5, TAPS)).unwrap();
    let mut inputs = Tensors::new();
    inputs.insert("a", stored(&tokens));
    inputs.insert("b", stored(&weight.t().to_owned().into_dyn()));
    inputs.insert("bias", golden.tensor("bias"));
    inputs.insert("residual", golden.tensor("position"));
    let embed = MatmulDesc {
        batch: 2,
        m: cut.tokens(),
        k: TAPS,
        n: 5,
        b: Operand { shared: true, ..Default::default() },
        bias: true,
        residual: true,
        residual_shared: true,
        ..Default::default()
    };
    let got = embed.evaluate(&inputs).unwrap().remove(0).values();
    assert_close(&got, &golden.values("embedded"), TAPS + 3, magnitude(&golden));
}

fn magnitude(golden: &Golden<'_>) -> f64 {
    let product = TAPS as f64 * largest(&golden.values("x")) * largest(&golden.values("weight"));
    product + largest(&golden.values("bias")) + largest(&golden.values("position"))
}
