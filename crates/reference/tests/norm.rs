//! Norm against jax.nn.standardize and the formula in jax, both in f64.

mod golden;

use golden::{Golden, assert_close, largest};
use langevin_reference::{Modulation, NormDesc, NormKind, Op, Tensors, norm};
use ndarray::{Array3, ArrayD, Ix3};

const GOLDEN: &[u8] = include_bytes!("../goldens/norm.safetensors");
/// The `EPS` of the script.
const EPS: f32 = 1e-3;

/// A mean and a variance of 11 numbers, which jax takes as the difference of two means, a root, and what follows.
const ROUNDINGS: usize = 2 * 11 + 12;

#[test]
fn both_norms_agree_with_jax() {
    let golden = Golden::new(GOLDEN);
    let x: Array3<f64> = golden.array("x");
    let magnitude = largest(&x).powi(2) / smallest_variance(&x) * largest(&golden.values("layer"));
    for (kind, name) in [(NormKind::Layer, "layer"), (NormKind::Rms, "rms")] {
        assert_close(&norm(x.view(), kind, EPS.into()), &golden.array::<Ix3>(name), ROUNDINGS, magnitude);
    }
}

#[test]
fn weight_bias_and_modulation_agree_with_numpy() {
    let golden = Golden::new(GOLDEN);
    let x: Array3<f64> = golden.array("x");
    let modulation = Modulation { width: 26, shift: 2, scale: 14 };
    let affine =
        NormDesc { batch: 2, rows: 3, width: 11, eps: EPS, weight: true, bias: true, ..Default::default() };
    let modulated = NormDesc { modulation: Some(modulation), ..affine.clone() };
    for (desc, name) in [(affine, "affine"), (modulated, "modulated")] {
        let mut inputs = Tensors::new();
        for spec in desc.tensors().iter().filter(|spec| spec.name != "out") {
            inputs.insert(spec.name, golden.tensor(spec.name));
        }
        let want: ArrayD<f64> = golden.values(name);
        let growth =
            (1.0 + largest(&golden.values("weight"))) * (2.0 + largest(&golden.values("modulation")));
        let magnitude = largest(&x).powi(2) / smallest_variance(&x) * largest(&want) * growth;
        assert_close(&desc.evaluate(&inputs).unwrap()[0].values(), &want, ROUNDINGS, magnitude);
    }
}

fn smallest_variance(x: &Array3<f64>) -> f64 {
    x.rows().into_iter().map(|row| row.var(0.0)).fold(f64::INFINITY, f64::min)
}
