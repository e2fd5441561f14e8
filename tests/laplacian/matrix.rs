//! convolution == Laplacian == matrix: a dense matrix that is put together here, from tridiagonal and pentadiagonal ones along
//! each axis and their Kronecker products.

use super::{field, grid, run, within_both};
use langevin::reference::generate;
use langevin::verify::{self, Expected, Op, RunOptions, Tensors};
use langevin::{Conv, Edge, LaplacianDesc, Stencil};
use langevin_testkit::gpu;

type Matrix = Vec<Vec<f64>>;

/// Second differences of `extent` cells with the unit spacing, for edges without a value of their own.
fn second_difference(extent: usize, edge: Edge) -> Matrix {
    band(extent, edge, &[1.0], -2.0)
}

/// The same to fourth order.
fn fourth_order(extent: usize, edge: Edge) -> Matrix {
    band(extent, edge, &[16.0 / 12.0, -1.0 / 12.0], -2.5)
}

/// A band matrix: `weights` of the cells 1, 2, .. away, those beyond an end wrapped, left out or folded back.
fn band(extent: usize, edge: Edge, weights: &[f64], centre: f64) -> Matrix {
    let mut matrix = vec![vec![0.0; extent]; extent];
    let last = extent as i64 - 1;
    for (i, row) in matrix.iter_mut().enumerate() {
        row[i] += centre;
        for (away, weight) in (1..).zip(weights) {
            for mut j in [i as i64 - away, i as i64 + away] {
                let mut sign = 1.0;
                while !(0..=last).contains(&j) {
                    match edge {
                        Edge::Periodic => j = j.rem_euclid(last + 1),
                        Edge::Fixed(_) => {
                            sign = 0.0;
                            j = 0;
                        }
                        // The face is half a cell beyond the last centre.
                        _ => {
                            j = if j < 0 { -1 - j } else { 2 * last + 1 - j };
                            sign *= if matches!(edge, Edge::Dirichlet(_)) { -1.0 } else { 1.0 };
                        }
                    }
                }
                row[j as usize] += sign * weight;
            }
        }
    }
    matrix
}

fn scaled(matrix: &Matrix, factor: f64) -> Matrix {
    matrix.iter().map(|row| row.iter().map(|entry| factor * entry).collect()).collect()
}

fn sum(a: &Matrix, b: &Matrix) -> Matrix {
    a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
}

fn kronecker(a: &Matrix, b: &Matrix) -> Matrix {
    let row = |i: usize, k: usize| a[i].iter().flat_map(|x| b[k].iter().map(move |y| x * y)).collect();
    (0..a.len()).flat_map(|i| (0..b.len()).map(move |k| (i, k))).map(|(i, k)| row(i, k)).collect()
}

fn identity(extent: usize) -> Matrix {
    (0..extent).map(|i| (0..extent).map(|j| f64::from(u8::from(i == j))).collect()).collect()
}

/// The product of the matrices of the given axes, identities for the others.
fn product(spatial: &[usize], of: impl Fn(usize) -> Option<Matrix>) -> Matrix {
    let along = |axis: usize| of(axis).unwrap_or_else(|| identity(spatial[axis]));
    (1..spatial.len()).fold(along(0), |whole, axis| kronecker(&whole, &along(axis)))
}

/// The dense matrix of a stencil on a grid with the same edge everywhere.
fn dense(stencil: Stencil, spatial: &[usize], h: f64, edge: Edge) -> Matrix {
    let axes = spatial.len();
    let along = |axis: usize| match stencil {
        Stencil::Fourth => fourth_order(spatial[axis], edge),
        _ => second_difference(spatial[axis], edge),
    };
    let of = |chosen: &[usize]| product(spatial, |axis| chosen.contains(&axis).then(|| along(axis)));
    let mut total = (1..axes).fold(of(&[0]), |total, axis| sum(&total, &of(&[axis])));
    if stencil == Stencil::Isotropic {
        // Equal spacings: h^2 / 6 for each pair and h^4 / 30 for all three, over the spacings of the differences.
        for i in 0..axes {
            for j in 0..i {
                total = sum(&total, &scaled(&of(&[i, j]), 1.0 / 6.0));
            }
        }
        if axes == 3 {
            total = sum(&total, &scaled(&of(&[0, 1, 2]), 1.0 / 30.0));
        }
    }
    scaled(&total, 1.0 / (h * h))
}

fn times(matrix: &Matrix, u: &[f64]) -> Vec<f64> {
    matrix.iter().map(|row| row.iter().zip(u).map(|(a, b)| a * b).sum()).collect()
}

const SPATIALS: [&[usize]; 6] = [&[9], &[1], &[6, 7], &[1, 2], &[3, 4, 5], &[2, 1, 3]];

#[test]
fn the_laplacian_is_its_matrix() {
    let Some(gpu) = gpu() else { return };
    for stencil in Stencil::ALL {
        for spatial in SPATIALS {
            for edge in [Edge::Periodic, Edge::Fixed(0.0), Edge::Dirichlet(0.0), Edge::Neumann(0.0)] {
                let h = 0.75;
                let desc =
                    LaplacianDesc { stencil, boundary: vec![[edge; 2]], spacing: vec![h], ..grid(spatial) };
                let u = generate::inputs(&desc, 3).remove("u").unwrap();
                let cells: Vec<f64> = u.to_f64().iter().copied().collect();
                let product = times(&dense(stencil, spatial, h, edge), &cells);
                let expected = desc.evaluate(&field(u.clone())).unwrap().remove(0);
                // Both are f64: as many products as a row has, of sizes up to the weights' sum.
                let size = 2.0 * desc.lambda_max().max(1.0) * 50.0 * f64::EPSILON;
                let reference = expected.values();
                for (got, want) in reference.iter().zip(&product) {
                    assert!((got - want).abs() <= size, "{desc:?}: {got} and {want}");
                }
                let out = run(&gpu, &desc, u);
                assert!(verify::compare(&expected, &out).passed(), "{desc:?}");
            }
        }
    }
}

/// Every stencil under the boundaries that a padding stands for.
#[test]
fn the_convolution_computes_the_same() {
    let Some(gpu) = gpu() else { return };
    let [zero, warm, insulated] = [[Edge::Fixed(0.0); 2], [Edge::Fixed(-1.75); 2], [Edge::Neumann(0.0); 2]];
    for stencil in Stencil::ALL {
        for (i, boundary) in
            [vec![], vec![zero], vec![insulated], vec![warm], vec![zero, [Edge::Periodic; 2]]]
                .into_iter()
                .enumerate()
        {
            for spatial in [&[9][..], &[6, 7], &[3, 4, 5], &[1, 2]] {
                let boundary =
                    if boundary.len() == 2 && spatial.len() != 2 { vec![zero] } else { boundary.clone() };
                let spacing = vec![0.25 + i as f64];
                let desc =
                    LaplacianDesc { batch: 2, boundary, spacing, stencil, diffusivity: 0.6, ..grid(spatial) };
                let u = generate::inputs(&desc, 5).remove("u").unwrap();
                let laplacian = desc.evaluate(&field(u.clone())).unwrap();
                let (conv, w) = desc.as_conv().unwrap();
                let mut inputs = Tensors::new();
                inputs.insert("x", u.reshape(&[&[2, 1], spatial].concat()).unwrap());
                inputs.insert("w", w);
                let out = verify::run(&gpu, &conv, &inputs, &RunOptions::default()).unwrap();
                let expected: Vec<Expected> = conv.evaluate(&inputs).unwrap();
                let comparison = within_both(out.get("out").unwrap(), &laplacian[0], &expected[0]);
                assert!(comparison.passed() && comparison.rejects_zeros, "{desc:?} {comparison}");
                assert!(Conv::new(gpu.device(), &conv).is_ok());
            }
        }
    }
}
