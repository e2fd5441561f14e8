//! Activations against jax.nn in f64.

mod golden;

use golden::{Golden, assert_close};
use langevin_reference::Activation;
use ndarray::Array1;

const GOLDEN: &[u8] = include_bytes!("../goldens/activation.safetensors");

#[test]
fn every_function_agrees_with_jax() {
    let golden = Golden::new(GOLDEN);
    let x: Array1<f64> = golden.array("x");
    for (activation, name) in
        [(Activation::Relu, "relu"), (Activation::Silu, "silu"), (Activation::GeluTanh, "gelu_tanh")]
    {
        let want: Array1<f64> = golden.array(name);
        for (&x, &want) in x.iter().zip(&want) {
            let got = Array1::from_elem(1, activation.apply(x));
            // At most ten operations; tanh and exp take their argument's rounding times |x|.
            assert_close(&got, &Array1::from_elem(1, want), 10, x.abs() * (1.0 + x.abs()));
        }
    }
}
