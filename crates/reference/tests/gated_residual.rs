//! Gated residual against numpy.einsum in f64.

mod golden;

use golden::{Golden, assert_close};
use langevin_reference::{Columns, GatedResidualDesc, Op, Tensors, gated_residual};
use ndarray::{Array2, Array3, ArrayD, Axis, Slice};

const GOLDEN: &[u8] = include_bytes!("../goldens/gated_residual.safetensors");

#[test]
fn the_function_and_the_answer_agree_with_numpy() {
    let golden = Golden::new(GOLDEN);
    let want: ArrayD<f64> = golden.values("out");
    let (x, residual): (Array3<f64>, Array3<f64>) = (golden.array("x"), golden.array("residual"));
    let gate: Array2<f64> = golden.array("gate");
    let chunk = gate.slice_axis(Axis(1), Slice::from(4..9));
    let got = gated_residual(x.view(), residual.view(), chunk).unwrap();
    assert_close(&got.into_dyn(), &want, 2, 2.0 * golden::largest(&want));

    let gate = Some(Columns { start: 4, width: 11 });
    let desc = GatedResidualDesc { batch: 2, rows: 3, width: 5, gate, ..Default::default() };
    let mut inputs = Tensors::new();
    for name in ["x", "residual", "gate"] {
        inputs.insert(name, golden.tensor(name));
    }
    assert_close(&desc.evaluate(&inputs).unwrap()[0].values(), &want, 2, 2.0 * golden::largest(&want));
}
