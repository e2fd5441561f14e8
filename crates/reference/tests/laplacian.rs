//! The Laplacian against SciPy's and a sparse matrix, and how fast it converges.

mod golden;

use golden::{Golden, assert_close, largest};
use langevin_reference::{Edge, LaplacianDesc, Op, Stencil, Tensors, laplacian};
use ndarray::ArrayD;
use std::f64::consts::PI;

#[test]
fn agrees_with_scipy() {
    let golden = Golden::new(include_bytes!("../goldens/laplacian.safetensors"));
    let of = |edge| LaplacianDesc { boundary: vec![[edge; 2]], ..Default::default() };
    let edges = LaplacianDesc {
        spacing: vec![0.5, 2.0, 0.75],
        boundary: vec![
            [Edge::Dirichlet(0.75), Edge::Fixed(-0.5)],
            [Edge::Neumann(1.5), Edge::Dirichlet(-2.0)],
            [Edge::Fixed(3.0), Edge::Neumann(-0.25)],
        ],
        ..Default::default()
    };
    for (name, desc) in [
        ("wrap", LaplacianDesc::default()),
        ("constant", of(Edge::Fixed(0.0))),
        ("reflect", of(Edge::Neumann(0.0))),
        ("line", LaplacianDesc::default()),
        ("edges", edges),
    ] {
        let u = golden.tensor(&format!("{name}.u"));
        let desc = LaplacianDesc { spatial: u.shape().to_vec(), ..desc };
        let shape = desc.tensors()[0].shape.clone();
        let mut inputs = Tensors::new();
        inputs.insert("u", u.reshape(&shape).unwrap());
        let got = desc.evaluate(&inputs).unwrap()[0].values();
        // Cells are in [-1, 1], values at edges at most 3 and doubled at most.
        let size = 4.0 * 6.0 * desc.lambda_max();
        let want = golden.values(&format!("{name}.out")).into_shape_with_order(shape).unwrap();
        assert!(largest(&want) > 1.0, "{name} is nearly nothing");
        assert_close(&got, &want, 4 * desc.spatial.len() + 1, size);
    }
}

/// The largest error for `cos(a) cos(b)` on the unit square, of which the eigenvalue is known.
fn error(stencil: Stencil, cells: usize, edge: Edge, wave: f64, phase: f64) -> f64 {
    let spacing = 1.0 / cells as f64;
    let desc = LaplacianDesc {
        spatial: vec![cells, cells],
        spacing: vec![spacing],
        boundary: vec![[edge; 2]],
        stencil,
        ..Default::default()
    };
    let mode = |i: usize| (wave * (i as f64 + 0.5) * spacing - phase).cos();
    let u = ArrayD::from_shape_fn(vec![1, cells, cells], |index| mode(index[1]) * mode(index[2]));
    let exact = u.mapv(|value| -2.0 * wave * wave * value);
    let got = laplacian(u.view(), &desc).unwrap();
    (got - exact).iter().fold(0.0, |worst: f64, error| worst.max(error.abs()))
}

/// Waves that the edges continue smoothly: whole ones, and half ones between insulated and between cold faces.
const WAVES: [(Edge, f64, f64); 3] =
    [(Edge::Periodic, 2.0 * PI, 0.3), (Edge::Neumann(0.0), PI, 0.0), (Edge::Dirichlet(0.0), PI, PI / 2.0)];

fn has_order(stencil: Stencil, expected: f64) {
    for (edge, wave, phase) in WAVES {
        let errors = [16, 32, 64].map(|cells| error(stencil, cells, edge, wave, phase));
        for pair in errors.windows(2) {
            let order = (pair[0] / pair[1]).log2();
            // The error is c h^p (1 - d (w h)^2 + ..) with d below 1/4: doubling the cells moves the order by less than (w h)^2.
            let slack = (wave / 16.0).powi(2);
            assert!(
                (order - expected).abs() <= slack,
                "{stencil:?}, {edge:?}: order {order}, errors {errors:?}"
            );
        }
    }
}

#[test]
fn is_of_second_order() {
    has_order(Stencil::Second, 2.0);
    has_order(Stencil::Isotropic, 2.0);
}

#[test]
fn is_of_fourth_order() {
    has_order(Stencil::Fourth, 4.0);
}

#[test]
fn a_wrong_shape_is_an_error() {
    let desc = LaplacianDesc { spatial: vec![3], ..Default::default() };
    let error = laplacian(ArrayD::zeros(vec![3]).view(), &desc).unwrap_err();
    assert_eq!(error.to_string(), "laplacian: tensor `u` must have shape [1, 3], got [3]");
}
