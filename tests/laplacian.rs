//! The Laplacian against its reference: shapes x edges x formats, its algebra, its convolution, and the errors.

use langevin::reference::generate::{self, Random};
use langevin::verify::{self, Answer, Expected, Op, RunOptions, Tensor, Tensors};
use langevin::{Boundary, Conv, Edge, Format, Laplacian, LaplacianDesc};
use langevin_testkit::{conform, gpu};
use proptest::prelude::*;

const FORMATS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];

/// Every kind of edge, with values that show.
const EDGES: [[Edge; 2]; 6] = [
    [Edge::Periodic; 2],
    [Edge::Fixed(0.0); 2],
    [Edge::Neumann(0.0); 2],
    [Edge::Dirichlet(0.75), Edge::Fixed(-0.5)],
    [Edge::Neumann(1.5), Edge::Dirichlet(-2.0)],
    [Edge::Fixed(3.0), Edge::Neumann(-0.25)],
];

fn grid(spatial: &[usize]) -> LaplacianDesc {
    LaplacianDesc { spatial: spatial.to_vec(), ..Default::default() }
}

fn run(gpu: &langevin::Gpu, desc: &LaplacianDesc, u: Tensor) -> Tensor {
    let inputs = field(u);
    verify::run(gpu, desc, &inputs, &RunOptions::default()).unwrap().remove("out").unwrap()
}

fn field(u: Tensor) -> Tensors {
    let mut inputs = Tensors::new();
    inputs.insert("u", u);
    inputs
}

/// Widths around a quad, heights around a block of four rows, cells around a workgroup of 64 quads.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    for (i, &width) in [1, 2, 3, 4, 5, 8, 13].iter().enumerate() {
        for (j, &height) in [1, 2, 3, 4, 5, 11].iter().enumerate() {
            let boundary = vec![EDGES[(i + j) % 6], EDGES[(2 * i + j) % 6]];
            conform(&gpu, &LaplacianDesc { boundary, ..grid(&[height, width]) }, (10 * i + j) as u64);
        }
    }
    for width in [1, 2, 255, 256, 257, 515] {
        conform(&gpu, &LaplacianDesc { boundary: vec![EDGES[width % 6]], ..grid(&[width]) }, width as u64);
    }
    for spatial in [[1, 1, 1], [2, 3, 5], [5, 4, 8], [3, 9, 17]] {
        conform(&gpu, &grid(&spatial), 7);
    }
}

#[test]
fn every_edge_on_every_axis() {
    let Some(gpu) = gpu() else { return };
    for (i, first) in EDGES.into_iter().enumerate() {
        for (j, k) in [(0, 1), (1, 3), (2, 5), (3, 0), (4, 2), (5, 4)] {
            let boundary = vec![first, EDGES[j], EDGES[k]];
            let spacing = vec![0.5, 2.0, 0.3];
            let desc = LaplacianDesc { batch: 2, boundary, spacing, ..grid(&[3, 6, 7]) };
            conform(&gpu, &desc, (10 * i + j) as u64);
        }
    }
}

#[test]
fn formats() {
    let Some(gpu) = gpu() else { return };
    for u in FORMATS {
        for out in FORMATS {
            for spatial in [&[37][..], &[6, 13], &[3, 5, 9]] {
                let desc = LaplacianDesc { u, out, batch: 3, boundary: vec![EDGES[4]], ..grid(spatial) };
                conform(&gpu, &desc, 11);
            }
        }
    }
}

#[test]
fn empty_grids_are_defined() {
    let Some(gpu) = gpu() else { return };
    for spatial in [&[0][..], &[0, 4], &[4, 0], &[2, 0, 3]] {
        conform(&gpu, &grid(spatial), 0);
    }
    conform(&gpu, &LaplacianDesc { batch: 0, ..grid(&[3, 3]) }, 0);
}

#[test]
fn a_constant_has_no_laplacian() {
    let Some(gpu) = gpu() else { return };
    for edges in [Edge::Periodic, Edge::Neumann(0.0), Edge::Dirichlet(0.1), Edge::Fixed(0.1)] {
        let desc = LaplacianDesc { boundary: vec![[edges; 2]], spacing: vec![0.7], ..grid(&[3, 6, 11]) };
        let constant = Tensor::from_f32(Format::F32, &[1, 3, 6, 11], &[0.1; 198]).unwrap();
        let out = run(&gpu, &desc, constant);
        assert!(out.to_f32().iter().all(|&value| value == 0.0), "{edges:?}");
    }
}

#[test]
fn nan_reaches_only_its_neighbours() {
    let Some(gpu) = gpu() else { return };
    let desc = LaplacianDesc { boundary: vec![EDGES[1]], ..grid(&[7, 10]) };
    let clean = generate::inputs(&desc, 2).remove("u").unwrap();
    let mut cells = clean.to_f32();
    cells[3 * 10 + 4] = f32::NAN;
    let dirty = Tensor::from_f32(Format::F32, &[1, 7, 10], &cells).unwrap();
    let [clean, dirty] = [clean, dirty].map(|u| run(&gpu, &desc, u).to_f32());
    for i in 0..70 {
        let distance = (i / 10usize).abs_diff(3) + (i % 10usize).abs_diff(4);
        assert!(distance <= 1 || clean[i].to_bits() == dirty[i].to_bits(), "cell {i}");
    }
}

/// What both bounds together allow between a result and the Laplacian's own answer.
fn within_both(got: &Tensor, laplacian: &Expected, conv: &Expected) -> verify::Comparison {
    let (Answer::Bounded { value, bound }, Answer::Bounded { bound: other, .. }) =
        (&laplacian.answer, &conv.answer)
    else {
        panic!("both are bounded")
    };
    let shape = value.raw_dim();
    let expected = Expected::bounded("out", value.clone(), bound + &other.to_shape(shape).unwrap());
    verify::compare(&expected, &got.clone().reshape(value.shape()).unwrap())
}

#[test]
fn the_convolution_computes_the_same() {
    let Some(gpu) = gpu() else { return };
    let zero = [Edge::Fixed(0.0); 2];
    for (i, boundary) in [vec![], vec![zero], vec![zero, [Edge::Periodic; 2]]].into_iter().enumerate() {
        for spatial in [&[9][..], &[6, 7], &[3, 4, 5], &[1, 2]] {
            let boundary =
                if boundary.len() == 2 && spatial.len() != 2 { vec![zero] } else { boundary.clone() };
            let spacing = vec![0.25 + i as f64];
            let desc = LaplacianDesc { batch: 2, boundary, spacing, ..grid(spatial) };
            let u = generate::inputs(&desc, 5).remove("u").unwrap();
            let laplacian = desc.evaluate(&field(u.clone())).unwrap();
            let (conv, w) = desc.as_conv().unwrap();
            let mut inputs = Tensors::new();
            inputs.insert("x", u.reshape(&[&[2, 1], spatial].concat()).unwrap());
            inputs.insert("w", w);
            let out = verify::run(&gpu, &conv, &inputs, &RunOptions::default()).unwrap();
            let expected = conv.evaluate(&inputs).unwrap();
            let comparison = within_both(out.get("out").unwrap(), &laplacian[0], &expected[0]);
            assert!(comparison.passed() && comparison.rejects_zeros, "{desc:?} {comparison}");
            assert!(Conv::new(gpu.device(), &conv).is_ok());
        }
    }
}

/// The bounds are tight enough to tell edges, spacings and a missing axis apart.
#[test]
fn another_laplacian_is_noticed() {
    let Some(gpu) = gpu() else { return };
    let desc = LaplacianDesc { boundary: vec![[Edge::Neumann(0.0); 2]], ..grid(&[5, 6]) };
    let inputs = generate::inputs(&desc, 8);
    let out = run(&gpu, &desc, inputs.get("u").unwrap().clone());
    let passes = |desc: &LaplacianDesc| verify::compare(&desc.evaluate(&inputs).unwrap()[0], &out).passed();
    assert!(passes(&desc));
    for edges in [EDGES[0], EDGES[1], [Edge::Dirichlet(0.0); 2], [Edge::Neumann(0.0), Edge::Neumann(1e-3)]] {
        assert!(!passes(&LaplacianDesc { boundary: vec![edges], ..desc.clone() }), "{edges:?}");
    }
    assert!(!passes(&LaplacianDesc { spacing: vec![1.0, 1.0001], ..desc.clone() }));
    assert!(!passes(&LaplacianDesc { spacing: vec![1e6, 1.0], ..desc }));
}

#[test]
fn only_edges_that_a_padding_stands_for_are_a_convolution() {
    let (conv, _) = grid(&[4, 4]).as_conv().unwrap();
    assert_eq!(conv.boundary, [Boundary::Circular; 2]);
    let error =
        LaplacianDesc { boundary: vec![[Edge::Neumann(0.0); 2]], ..grid(&[4]) }.as_conv().unwrap_err();
    let expected = "laplacian: `boundary` must be periodic or fixed at 0 for a convolution, got [Neumann(0.0), Neumann(0.0)]";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: LaplacianDesc| Laplacian::new(gpu.device(), &desc).unwrap_err().to_string();
    let base = grid(&[4, 5]);
    let cases = [
        (grid(&[]), "`spatial` must be the extents of 1, 2 or 3 axes, got 0 extents"),
        (grid(&[1; 4]), "`spatial` must be the extents of 1, 2 or 3 axes, got 4 extents"),
        (
            LaplacianDesc { spacing: vec![1.0; 3], ..base.clone() },
            "`spacing` must be empty, one value for every axis, or 2 values for 2 axes, got 3 values",
        ),
        (
            LaplacianDesc { spacing: vec![0.0], ..base.clone() },
            "`spacing` must be positive, and its inverse square an f32, got 0",
        ),
        (
            LaplacianDesc { spacing: vec![1.0, f64::NAN], ..base.clone() },
            "`spacing` must be positive, and its inverse square an f32, got NaN",
        ),
        (
            LaplacianDesc { boundary: vec![[Edge::Periodic, Edge::Fixed(1.0)]], ..base.clone() },
            "`boundary` must be periodic at both ends of an axis or at none, got Periodic and Fixed(1.0)",
        ),
        (
            LaplacianDesc { boundary: vec![[Edge::Dirichlet(f64::INFINITY); 2]], ..base.clone() },
            "`boundary` must be a value that is finite as f32, also times 2 or the spacing, got Dirichlet(inf)",
        ),
        (LaplacianDesc { u: Format::E4m3, ..base.clone() }, "`u` must be f32, f16 or bf16, got e4m3"),
        (LaplacianDesc { out: Format::I8, ..base }, "`out` must be f32, f16 or bf16, got i8"),
    ];
    for (desc, expected) in cases {
        assert_eq!(error(desc), format!("laplacian: {expected}"));
    }
    assert!(error(grid(&[1 << 17, 1 << 17])).contains("the number of elements of `u` must be at most"));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_grid_is_within_its_bound(
        spatial in prop::collection::vec(1usize..12, 1..4),
        edges in prop::collection::vec(0usize..6, 3),
        spacing in 0.1f64..4.0,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let boundary = (0..spatial.len()).map(|axis| EDGES[edges[axis]]).collect();
        conform(&gpu, &LaplacianDesc { boundary, spacing: vec![spacing], ..grid(&spatial) }, seed);
    }

    /// `<v, L u> = <L v, u>` within the bounds, for every edge whose matrix is symmetric: all, with values of 0.
    #[test]
    fn the_operator_is_symmetric(
        (height, width, edge) in (1usize..9, 1usize..12, 0usize..4),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let edge = [Edge::Periodic, Edge::Fixed(0.0), Edge::Dirichlet(0.0), Edge::Neumann(0.0)][edge];
        let desc = LaplacianDesc { boundary: vec![[edge; 2]], spacing: vec![0.5], ..grid(&[height, width]) };
        let mut random = Random::new(seed);
        let mut image = || {
            let u = generate::tensor(&mut random, Format::F32, &[1, height, width]);
            let expected = desc.evaluate(&field(u.clone())).unwrap().remove(0);
            let Answer::Bounded { bound, .. } = expected.answer else { panic!("bounded") };
            (u.to_f64(), run(&gpu, &desc, u).to_f64(), bound)
        };
        let ((u, lu, u_bound), (v, lv, v_bound)) = (image(), image());
        let difference = ((&v * &lu).sum() - (&lv * &u).sum()).abs();
        let allowed = (v.mapv(f64::abs) * &u_bound).sum() + (u.mapv(f64::abs) * &v_bound).sum();
        // The sums are f64, each of two factors.
        let size = (v.mapv(f64::abs) * lu.mapv(f64::abs)).sum() + (u.mapv(f64::abs) * lv.mapv(f64::abs)).sum();
        let own = size * f64::EPSILON * (height * width + 1) as f64;
        prop_assert!(difference <= allowed + own, "{} > {}", difference, allowed);
    }

    /// What flows out of one cell flows into another: the sum over an insulated or periodic grid is 0.
    #[test]
    fn the_sum_over_a_closed_grid_is_zero(
        (height, width, periodic) in (1usize..9, 1usize..12, any::<bool>()),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let edge = if periodic { Edge::Periodic } else { Edge::Neumann(0.0) };
        let desc = LaplacianDesc { boundary: vec![[edge; 2]], ..grid(&[height, width]) };
        let u = generate::inputs(&desc, seed).remove("u").unwrap();
        let expected = desc.evaluate(&field(u.clone())).unwrap().remove(0);
        let Answer::Bounded { bound, .. } = expected.answer else { panic!("bounded") };
        let out = run(&gpu, &desc, u).to_f64();
        // The sum is f64.
        let own = out.mapv(f64::abs).sum() * f64::EPSILON * out.len() as f64;
        prop_assert!(out.sum().abs() <= bound.sum() + own, "{} > {}", out.sum(), bound.sum());
    }
}
