//! Guidance against SciPy's interpolation in f64.

mod golden;

use golden::{Golden, assert_close, largest};
use langevin_reference::{GuidanceDesc, Op, Tensors, guidance};
use ndarray::{Array2, ArrayD};

const GOLDEN: &[u8] = include_bytes!("../goldens/guidance.safetensors");

#[test]
fn the_function_and_the_answer_agree_with_scipy() {
    let golden = Golden::new(GOLDEN);
    let want: ArrayD<f64> = golden.values("out");
    let (velocity, x): (Array2<f64>, Array2<f64>) = (golden.array("velocity"), golden.array("x"));
    let got = guidance(velocity.view(), x.view(), 2.5, -0.125).unwrap();
    // The interpolation divides by the distance to its nodes: about ten operations, on numbers extrapolated by 2.5.
    let magnitude = largest(&x) + 5.0 * largest(&velocity);
    assert_close(&got.into_dyn(), &want, 10, magnitude);

    let desc = GuidanceDesc { batch: 3, width: 4, guided: true };
    let mut inputs = Tensors::new();
    for name in ["velocity", "x", "factors"] {
        inputs.insert(name, golden.tensor(name));
    }
    assert_close(&desc.evaluate(&inputs).unwrap()[0].values(), &want, 10, magnitude);
}
