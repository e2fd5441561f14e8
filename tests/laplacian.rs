//! The Laplacian against its reference: shapes x edges x formats x stencils, its algebra, its convolution and its matrix, and
//! the errors.

#[path = "laplacian/matrix.rs"]
mod matrix;

use langevin::reference::generate::{self, Random};
use langevin::verify::{self, Answer, Expected, Op, RunOptions, Tensor, Tensors};
use langevin::{Boundary, Edge, FaceMean, Format, Laplacian, LaplacianDesc, Stencil};
use langevin_testkit::{conform, conform_on, gpu};
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

/// Widths around a quad and a strip of 56 columns, heights around a block of four rows, cells around a workgroup of 64 quads.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    for (i, &width) in [1, 2, 3, 4, 5, 8, 13].iter().enumerate() {
        for (j, &height) in [1, 2, 3, 4, 5, 11].iter().enumerate() {
            let boundary = vec![EDGES[(i + j) % 6], EDGES[(2 * i + j) % 6]];
            conform(&gpu, &LaplacianDesc { boundary, ..grid(&[height, width]) }, (10 * i + j) as u64);
        }
    }
    for spatial in [[9, 55], [8, 56], [7, 57], [3, 112], [66, 64]] {
        let edges = EDGES[[0, 4][spatial[0] % 2]];
        conform(&gpu, &LaplacianDesc { boundary: vec![edges], batch: 2, ..grid(&spatial) }, 3);
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

/// Longer and wider stencils, also than the grid, at every kind of edge.
#[test]
fn stencils() {
    let Some(gpu) = gpu() else { return };
    let spatials = [&[1][..], &[2], &[13], &[1, 1], &[2, 3], &[6, 9], &[1, 2, 1], &[3, 4, 6]];
    for (i, stencil) in [Stencil::Fourth, Stencil::Isotropic].into_iter().enumerate() {
        for (j, spatial) in spatials.into_iter().enumerate() {
            for (k, first) in EDGES.into_iter().enumerate() {
                let boundary =
                    (0..spatial.len()).map(|axis| if axis == 0 { first } else { EDGES[(j + k + axis) % 6] });
                let spacing = vec![0.5, 0.75, 0.6][..spatial.len()].to_vec();
                let boundary = boundary.collect();
                let desc = LaplacianDesc { stencil, batch: 2, boundary, spacing, ..grid(spatial) };
                conform(&gpu, &desc, (100 * i + 10 * j + k) as u64);
            }
        }
    }
    for (u, out) in [(FORMATS[1], FORMATS[2]), (FORMATS[2], FORMATS[1])] {
        conform(
            &gpu,
            &LaplacianDesc { u, out, stencil: Stencil::Fourth, diffusivity: -0.7, ..grid(&[5, 11]) },
            3,
        );
    }
}

#[test]
fn media() {
    let Some(gpu) = gpu() else { return };
    for (i, face_mean) in [FaceMean::Arithmetic, FaceMean::Harmonic].into_iter().enumerate() {
        for (j, spatial) in [&[6][..], &[5, 7], &[3, 4, 5]].into_iter().enumerate() {
            let (medium, boundary) = (Some(FORMATS[(i + j) % 3]), vec![EDGES[(3 * i + j) % 6]]);
            let desc = LaplacianDesc { medium, face_mean, boundary, diffusivity: 0.3, ..grid(spatial) };
            let mut inputs = generate::inputs(&desc, (10 * i + j) as u64);
            let shares: Vec<f32> =
                inputs.get("medium").unwrap().to_f32().iter().map(|share| (3.0 * share).max(0.0)).collect();
            let shape = inputs.get("u").unwrap().shape().to_vec();
            inputs.insert("medium", Tensor::from_f32(medium.unwrap(), &shape, &shares).unwrap());
            conform_on(&gpu, &desc, &inputs);
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
    let value = f64::from(0.1f32);
    for edges in [Edge::Periodic, Edge::Neumann(0.0), Edge::Dirichlet(value), Edge::Fixed(value)] {
        for stencil in Stencil::ALL {
            let boundary = vec![[edges; 2]];
            let desc = LaplacianDesc { boundary, stencil, spacing: vec![0.7], ..grid(&[3, 6, 11]) };
            let constant = Tensor::from_f32(Format::F32, &[1, 3, 6, 11], &[0.1; 198]).unwrap();
            let out = run(&gpu, &desc, constant);
            assert!(out.to_f32().iter().all(|&value| value == 0.0), "{edges:?}, {stencil:?}");
        }
    }
}

#[test]
fn nan_reaches_only_its_neighbours() {
    let Some(gpu) = gpu() else { return };
    for (stencil, spread) in [(Stencil::Second, 1), (Stencil::Fourth, 2), (Stencil::Isotropic, 2)] {
        let desc = LaplacianDesc { boundary: vec![EDGES[1]], stencil, ..grid(&[7, 10]) };
        let clean = generate::inputs(&desc, 2).remove("u").unwrap();
        // Inside, and in a corner, where a fixed edge must not meet it.
        for (row, column) in [(3, 4), (0, 0), (6, 9)] {
            let mut cells = clean.to_f32();
            cells[row * 10 + column] = f32::NAN;
            let dirty = Tensor::from_f32(Format::F32, &[1, 7, 10], &cells).unwrap();
            let [clean, dirty] = [clean.clone(), dirty].map(|u| run(&gpu, &desc, u).to_f32());
            for i in 0..70 {
                let distance = (i / 10usize).abs_diff(row) + (i % 10usize).abs_diff(column);
                let same = clean[i].to_bits() == dirty[i].to_bits();
                assert!(distance <= spread || same, "{stencil:?}, cell {i}");
            }
        }
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
    let insulated = LaplacianDesc { boundary: vec![[Edge::Neumann(0.0); 2]], ..grid(&[4]) };
    assert_eq!(insulated.as_conv().unwrap().0.boundary, [Boundary::Symmetric]);
    let error = |desc: LaplacianDesc| desc.as_conv().unwrap_err().to_string();
    for [before, after] in [
        [Edge::Dirichlet(0.0); 2],
        [Edge::Neumann(0.5); 2],
        [Edge::Fixed(1.0), Edge::Fixed(0.0)],
        [Edge::Fixed(0.1); 2],
    ] {
        let expected =
            "`boundary` must be periodic, fixed at one f32 or insulated at both ends for a convolution";
        assert_eq!(
            error(LaplacianDesc { boundary: vec![[before, after]], ..grid(&[4]) }),
            format!("laplacian: {expected}, got {before:?} and {after:?}")
        );
    }
    let medium = LaplacianDesc { medium: Some(Format::F32), ..insulated };
    assert_eq!(error(medium), "laplacian: `medium` must be absent for a convolution, got f32");
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
            "`boundary` must be a value that is finite as f32, also times 4 or 4 spacings, got Dirichlet(inf)",
        ),
        (LaplacianDesc { u: Format::E4m3, ..base.clone() }, "`u` must be f32, f16 or bf16, got e4m3"),
        (LaplacianDesc { out: Format::I8, ..base.clone() }, "`out` must be f32, f16 or bf16, got i8"),
        (
            LaplacianDesc { diffusivity: f64::NAN, ..base.clone() },
            "`diffusivity` must be finite, also over the squared spacing as f32, got NaN",
        ),
        (
            LaplacianDesc { medium: Some(Format::F32), stencil: Stencil::Fourth, ..base },
            "`stencil` must be second where cells have a medium: its fluxes are those between two cells, got Fourth",
        ),
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
        (spacing, stencil) in (0.1f64..4.0, 0usize..3),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let (boundary, stencil) = ((0..spatial.len()).map(|axis| EDGES[edges[axis]]).collect(), Stencil::ALL[stencil]);
        conform(&gpu, &LaplacianDesc { boundary, stencil, spacing: vec![spacing], ..grid(&spatial) }, seed);
    }

    /// `<v, L u> = <L v, u>` within the bounds, for every edge whose matrix is symmetric: all, with values of 0.
    #[test]
    fn the_operator_is_symmetric(
        (height, width, edge, stencil) in (1usize..9, 1usize..12, 0usize..4, 0usize..3),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let edge = [Edge::Periodic, Edge::Fixed(0.0), Edge::Dirichlet(0.0), Edge::Neumann(0.0)][edge];
        let (boundary, stencil) = (vec![[edge; 2]], Stencil::ALL[stencil]);
        let desc = LaplacianDesc { boundary, stencil, spacing: vec![0.5], ..grid(&[height, width]) };
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
        (height, width, periodic, stencil) in (1usize..9, 1usize..12, any::<bool>(), 0usize..3),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let edge = if periodic { Edge::Periodic } else { Edge::Neumann(0.0) };
        let (boundary, stencil) = (vec![[edge; 2]], Stencil::ALL[stencil]);
        let desc = LaplacianDesc { boundary, stencil, ..grid(&[height, width]) };
        let u = generate::inputs(&desc, seed).remove("u").unwrap();
        let expected = desc.evaluate(&field(u.clone())).unwrap().remove(0);
        let Answer::Bounded { bound, .. } = expected.answer else { panic!("bounded") };
        let out = run(&gpu, &desc, u).to_f64();
        // The sum is f64.
        let own = out.mapv(f64::abs).sum() * f64::EPSILON * out.len() as f64;
        prop_assert!(out.sum().abs() <= bound.sum() + own, "{} > {}", out.sum(), bound.sum());
    }
}
