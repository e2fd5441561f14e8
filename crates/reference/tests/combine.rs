//! Guidance and an Euler step against SciPy's interpolation in f64.

mod golden;

use golden::{Golden, assert_close, largest};
use langevin_reference::{CombineDesc, Format, Op, Tensor, Tensors, combine};
use ndarray::{Array2, ArrayD, Ix2};

const GOLDEN: &[u8] = include_bytes!("../goldens/combine.safetensors");

#[test]
fn the_function_and_the_answer_agree_with_scipy() {
    let golden = Golden::new(GOLDEN);
    // 2.5 and -0.125: their products are exact.
    let [scale, dt]: [f64; 2] = golden.values("factors").into_iter().collect::<Vec<_>>().try_into().unwrap();
    let factors = [1.0, scale * dt, (1.0 - scale) * dt];
    // [3, 4] samples, and twice as many predictions: each a row.
    let rows = |values: ArrayD<f64>, rows: usize| -> Array2<f64> {
        values.to_shape((rows, 12)).unwrap().into_owned().into_dimensionality::<Ix2>().unwrap()
    };
    let want = rows(golden.values("out"), 1);
    let (prediction, state) = (rows(golden.values("velocity"), 2), rows(golden.values("x"), 1));
    let factors_row = Array2::from_shape_vec((1, 3), factors.to_vec()).unwrap();
    let got = combine(state.view(), prediction.view(), factors_row.view()).unwrap();
    // The interpolation divides by the distance to its nodes: about ten operations, on numbers extrapolated by 2.5.
    let magnitude = largest(&state) + 5.0 * largest(&prediction);
    assert_close(&got, &want, 10, magnitude);

    let desc = CombineDesc { predictions: 2, elements: 12, ..Default::default() };
    let mut inputs = Tensors::new();
    inputs.insert("state", golden.tensor("x").reshape(&[1, 12]).unwrap());
    inputs.insert("prediction", golden.tensor("velocity").reshape(&[2, 12]).unwrap());
    let factors = factors.map(|factor| factor as f32);
    inputs.insert("factors", Tensor::from_f32(Format::F32, &[1, 3], &factors).unwrap());
    assert_close(&desc.evaluate(&inputs).unwrap()[0].values(), &want.into_dyn(), 10, magnitude);
}
