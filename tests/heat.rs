//! Heat steps against their reference, one by one and several to a dispatch, their physics over many steps, and the errors.

#[path = "heat/bands.rs"]
mod bands;
#[path = "heat/steps.rs"]
mod steps;
#[path = "heat/super_steps.rs"]
mod super_steps;

use langevin::reference::generate;
use langevin::verify::{self, RunOptions, Tensor, Tensors};
use langevin::{Edge, FaceMean, Format, Gpu, Heat, HeatBuffers, HeatDesc, Stencil};
use langevin_testkit::{conform, gpu};
use proptest::prelude::*;
use std::f64::consts::PI;

const FORMATS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];

const EDGES: [[Edge; 2]; 5] = [
    [Edge::Periodic; 2],
    [Edge::Fixed(0.0); 2],
    [Edge::Neumann(0.0); 2],
    [Edge::Dirichlet(0.75), Edge::Fixed(-0.5)],
    [Edge::Neumann(1.5), Edge::Dirichlet(-1.0)],
];

/// A grid with the largest time step whose values stay means.
fn monotone(spatial: &[usize], edges: [Edge; 2]) -> HeatDesc {
    let desc =
        HeatDesc { spatial: spatial.to_vec(), boundary: vec![edges], diffusivity: 0.7, ..Default::default() };
    let limit = desc.monotone_dt();
    HeatDesc { time_step: if limit.is_finite() { limit } else { 1.0 }, ..desc }
}

fn field(u: &Tensor) -> Tensors {
    let mut inputs = Tensors::new();
    inputs.insert("u", u.clone());
    inputs
}

/// `calls` calls with two buffers in turn, in one pass.
fn evolve(gpu: &Gpu, desc: &HeatDesc, u: &Tensor, calls: usize) -> Tensor {
    let heat = Heat::new(gpu.device(), desc).unwrap();
    let buffers = [gpu.upload("a", &u.to_words(0)).unwrap(), gpu.upload("b", &u.to_words(0)).unwrap()];
    let scratch = gpu.empty("scratch", heat.scratch_bytes()).unwrap();
    let bind = |from: usize| {
        let [u, out] = [&buffers[from], &buffers[1 - from]].map(wgpu::Buffer::as_entire_buffer_binding);
        let scratch = (heat.scratch_bytes() > 0).then(|| scratch.as_entire_buffer_binding());
        heat.bind(gpu.device(), HeatBuffers { scratch, ..HeatBuffers::new(u, out) }).unwrap()
    };
    let both = [bind(0), bind(1)];
    gpu.run(|encoder| {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        (0..calls).for_each(|call| both[call % 2].record(&mut pass));
    })
    .unwrap();
    let words = gpu.download(&buffers[calls % 2]).unwrap();
    Tensor::from_words(desc.out, u.shape(), &words).unwrap()
}

#[test]
fn shapes_edges_and_formats() {
    let Some(gpu) = gpu() else { return };
    for (i, &width) in [1, 3, 4, 5, 9, 17].iter().enumerate() {
        for (j, &height) in [1, 3, 4, 5, 9].iter().enumerate() {
            conform(&gpu, &monotone(&[height, width], EDGES[(i + j) % 5]), (i * 8 + j) as u64);
        }
    }
    for (i, edges) in EDGES.into_iter().enumerate() {
        for spatial in [&[300][..], &[3, 6, 7]] {
            let desc = HeatDesc { batch: 2, spacing: vec![0.5 + i as f64], ..monotone(spatial, edges) };
            let stable = HeatDesc { time_step: desc.stable_dt(), ..desc };
            conform(&gpu, &stable, i as u64);
        }
    }
    for u in FORMATS {
        for out in FORMATS {
            conform(&gpu, &HeatDesc { u, out, ..monotone(&[6, 13], EDGES[3]) }, 1);
        }
    }
    for spatial in [&[0][..], &[4, 0]] {
        conform(&gpu, &HeatDesc { spatial: spatial.to_vec(), time_step: 0.1, ..Default::default() }, 0);
    }
    conform(&gpu, &HeatDesc { time_step: 0.0, ..monotone(&[4, 4], EDGES[0]) }, 1);
}

/// Every stencil, media and sources, on one to three axes.
#[test]
fn stencils_media_and_sources() {
    let Some(gpu) = gpu() else { return };
    for (i, stencil) in Stencil::ALL.into_iter().enumerate() {
        for (j, spatial) in [&[7][..], &[6, 9], &[3, 4, 5]].into_iter().enumerate() {
            let source = Some(FORMATS[j]);
            let still = HeatDesc { stencil, source, batch: 2, ..monotone(spatial, EDGES[(i + j) % 5]) };
            conform(&gpu, &HeatDesc { time_step: still.stable_dt(), ..still }, (3 * i + j) as u64);
        }
    }
    for (i, face_mean) in [FaceMean::Arithmetic, FaceMean::Harmonic].into_iter().enumerate() {
        for (j, spatial) in [&[9][..], &[5, 6], &[3, 4, 6]].into_iter().enumerate() {
            let medium = Some(FORMATS[(i + j) % 3]);
            let source = (j == 1).then_some(Format::F32);
            let desc = HeatDesc { medium, source, face_mean, ..monotone(spatial, EDGES[(2 * i + j) % 5]) };
            conform(&gpu, &desc, (3 * i + j) as u64);
        }
    }
}

#[test]
fn a_constant_is_a_fixed_point_to_the_bit() {
    let Some(gpu) = gpu() else { return };
    let value = 0.1f32;
    for edge in [Edge::Periodic, Edge::Neumann(0.0), Edge::Dirichlet(value.into()), Edge::Fixed(value.into())]
    {
        for stencil in Stencil::ALL {
            let still = HeatDesc { stencil, ..monotone(&[6, 11], [edge; 2]) };
            let desc = HeatDesc { time_step: 0.9 * still.stable_dt(), steps_per_dispatch: 3, ..still };
            let constant = Tensor::from_f32(Format::F32, &[1, 6, 11], &[value; 66]).unwrap();
            assert_eq!(evolve(&gpu, &desc, &constant, 3), constant, "{edge:?}, {stencil:?}");
        }
    }
}

/// Both media conserve what they hold, and a cell of share 0 keeps its heat under the harmonic mean.
#[test]
fn media_conserve_and_insulate() {
    let Some(gpu) = gpu() else { return };
    let (height, width) = (12, 17);
    for face_mean in [FaceMean::Arithmetic, FaceMean::Harmonic] {
        let plain = monotone(&[height, width], [Edge::Neumann(0.0); 2]);
        let desc = HeatDesc { medium: Some(Format::F32), face_mean, ..plain };
        let mut inputs = generate::inputs(&desc, 5);
        let wall = |i: usize| if i % width == 8 { 0.0 } else { 0.25 + 0.5 * ((i % 7) as f32 / 7.0) };
        let shares: Vec<f32> = (0..height * width).map(wall).collect();
        inputs.insert("medium", Tensor::from_f32(Format::F32, &[1, height, width], &shares).unwrap());
        let u: Vec<f32> = (0..height * width).map(|i| if i % width < 8 { 1.0 } else { 0.0 }).collect();
        let before = Tensor::from_f32(Format::F32, &[1, height, width], &u).unwrap();
        inputs.insert("u", before.clone());
        let mut after = before.clone();
        for _ in 0..6 {
            inputs.insert("u", after);
            after = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap().remove("out").unwrap();
        }
        let allowed = 6.0 * desc.step_bound(1.0) * (height * width) as f64;
        let [old, new] = [&before, &after].map(|field| field.to_f64().sum());
        assert!((old - new).abs() <= allowed, "{face_mean:?} lost {}", old - new);
        let crossed = after.to_f64().indexed_iter().any(|(at, &x)| at[2] > 8 && x != 0.0);
        assert_eq!(crossed, face_mean == FaceMean::Arithmetic, "{face_mean:?}");
    }
}

/// A source adds its own steady rate to a field that is otherwise at rest.
#[test]
fn a_source_adds_its_rate() {
    let Some(gpu) = gpu() else { return };
    let desc = HeatDesc { source: Some(Format::F32), time_step: 0.125, ..monotone(&[5, 9], EDGES[0]) };
    let mut inputs = Tensors::new();
    inputs.insert("u", Tensor::from_f32(Format::F32, &[1, 5, 9], &[0.5; 45]).unwrap());
    inputs.insert("source", Tensor::from_f32(Format::F32, &[1, 5, 9], &[2.0; 45]).unwrap());
    let out = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap().remove("out").unwrap();
    assert_eq!(out.to_f32(), [0.75; 45]);
}

/// What remains between fixed faces is the harmonic function: linear between two walls, `x y` on the unit square.
#[test]
fn the_steady_state_is_harmonic() {
    let Some(gpu) = gpu() else { return };
    let cells = 12;
    let between = HeatDesc {
        spatial: vec![4, cells],
        boundary: vec![[Edge::Neumann(0.0); 2], [Edge::Dirichlet(1.0), Edge::Dirichlet(3.0)]],
        steps_per_dispatch: 8,
        ..Default::default()
    };
    for stencil in Stencil::ALL {
        let still = HeatDesc { stencil, ..between.clone() };
        let desc = HeatDesc { time_step: 0.9 * still.stable_dt(), ..still };
        let start = Tensor::from_f32(Format::F32, &[1, 4, cells], &[0.0; 48]).unwrap();
        let got = evolve(&gpu, &desc, &start, 160).to_f64();
        for (index, value) in got.indexed_iter() {
            let expected = 1.0 + 2.0 * (index[2] as f64 + 0.5) / cells as f64;
            // Rounding of the last steps, which the slowest mode keeps for 1 / (1 - rate) of them.
            let slowest = desc.ratio(1) * 4.0 * (PI / (2.0 * cells as f64)).sin().powi(2);
            let allowed = desc.step_bound(3.0) / slowest;
            assert!((value - expected).abs() <= allowed, "{stencil:?} at {index:?}: {value} and {expected}");
        }
    }
}

#[test]
fn many_steps_are_the_steps_one_by_one() {
    let Some(gpu) = gpu() else { return };
    let desc = monotone(&[9, 14], EDGES[4]);
    let u = generate::inputs(&desc, 4).remove("u").unwrap();
    let mut one_by_one = u.clone();
    for _ in 0..5 {
        let out = verify::run(&gpu, &desc, &field(&one_by_one), &RunOptions::default()).unwrap();
        one_by_one = out.get("out").unwrap().clone();
    }
    assert_eq!(evolve(&gpu, &desc, &u, 5), one_by_one);
}

#[test]
fn mass_is_conserved_and_no_value_leaves_the_range() {
    let Some(gpu) = gpu() else { return };
    for edge in [Edge::Periodic, Edge::Neumann(0.0), Edge::Fixed(0.0), Edge::Dirichlet(0.0)] {
        let desc = monotone(&[24, 31], [edge; 2]);
        let u = generate::inputs(&desc, 6).remove("u").unwrap();
        let steps = 40;
        let before = u.to_f64();
        let after = evolve(&gpu, &desc, &u, steps).to_f64();
        let range = |field: &ndarray::ArrayD<f64>| {
            field.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &x| (low.min(x), high.max(x)))
        };
        let (low, high) = range(&before);
        let allowed = steps as f64 * desc.step_bound(low.abs().max(high.abs()));
        let (new_low, new_high) = range(&after);
        // The values at the edges, 0 here, count among those of which the new ones are means.
        assert!(new_low >= low.min(0.0) - allowed && new_high <= high.max(0.0) + allowed, "{edge:?}");
        assert!(new_high - new_low < 0.5 * (high - low), "{edge:?} hardly spread anything");
        let lost = (before.sum() - after.sum()).abs();
        let conserves = matches!(edge, Edge::Periodic | Edge::Neumann(_));
        assert_eq!(lost <= allowed * before.len() as f64, conserves, "{edge:?} lost {lost} of {allowed}");
    }
}

/// `cos` of a whole number of waves is an eigenvector of the periodic matrix, of half waves of the insulated one,
/// `sin` of half waves of the one with zero faces: they decay by exactly `1 - dt D (4 / h^2) sin^2(k h / 2)` a step.
#[test]
fn eigenmodes_decay_at_the_discrete_rate() {
    let Some(gpu) = gpu() else { return };
    let (width, spacing, steps) = (48, 0.5, 60);
    for (edge, wave, phase) in [
        (Edge::Periodic, 2.0 * PI * 3.0, 0.0),
        (Edge::Neumann(0.0), PI * 5.0, 0.0),
        (Edge::Dirichlet(0.0), PI * 5.0, PI / 2.0),
    ] {
        let desc = HeatDesc {
            spatial: vec![3, width],
            spacing: vec![1.0, spacing],
            boundary: vec![[Edge::Periodic; 2], [edge; 2]],
            time_step: 0.08,
            ..Default::default()
        };
        let angle = wave / width as f64;
        let mode = |x: usize| (angle * (x as f64 + 0.5) - phase).cos() as f32;
        let cells: Vec<f32> = (0..3 * width).map(|i| mode(i % width)).collect();
        let u = Tensor::from_f32(Format::F32, &[1, 3, width], &cells).unwrap();
        let rate = 1.0 - desc.ratio(1) * 4.0 * (angle / 2.0).sin().powi(2);
        assert!(rate.powi(steps) < 0.5, "the mode must decay");
        let got = evolve(&gpu, &desc, &u, steps as usize).to_f64();
        // The rounding of the initial mode is never amplified; each step then adds at most its own bound.
        let allowed = f64::from(steps) * desc.step_bound(1.0) + f64::from(f32::EPSILON);
        for (x, value) in got.iter().enumerate() {
            let expected = rate.powi(steps) * f64::from(mode(x % width));
            assert!((value - expected).abs() <= allowed, "{edge:?} at {x}: {value} and {expected}");
        }
    }
}

#[test]
fn errors_name_the_limit_and_the_value() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: HeatDesc| Heat::new(gpu.device(), &desc).unwrap_err().to_string();
    let base = HeatDesc { spatial: vec![8, 8], ..Default::default() };
    let cases = [
        (
            HeatDesc { time_step: 0.26, ..base.clone() },
            "`time_step` must be at most 0.25, the stability limit 2 / (diffusivity * lambda_max), got 0.26",
        ),
        (
            HeatDesc { time_step: 0.2, diffusivity: 4.0, spacing: vec![2.0, 1.0], ..base.clone() },
            "`time_step` must be at most 0.1, the stability limit 2 / (diffusivity * lambda_max), got 0.2",
        ),
        (HeatDesc { time_step: -1.0, ..base.clone() }, "`time_step` must be finite and not negative, got -1"),
        (
            HeatDesc { time_step: f64::NAN, ..base.clone() },
            "`time_step` must be finite and not negative, got NaN",
        ),
        (
            HeatDesc { diffusivity: f64::INFINITY, ..base.clone() },
            "`diffusivity` must be finite and not negative, got inf",
        ),
        (
            HeatDesc { spacing: vec![-1.0], ..base.clone() },
            "`spacing` must be positive, and its inverse square an f32, got -1",
        ),
        (HeatDesc { out: Format::E5m2, ..base.clone() }, "`out` must be f32, f16 or bf16, got e5m2"),
        (
            HeatDesc { time_step: 0.2, stencil: Stencil::Fourth, ..base.clone() },
            "`time_step` must be at most 0.1875, the stability limit 2 / (diffusivity * lambda_max), got 0.2",
        ),
        (
            HeatDesc { medium: Some(Format::F32), stencil: Stencil::Isotropic, ..base.clone() },
            "`stencil` must be second where cells have a medium: its fluxes are those between two cells, got Isotropic",
        ),
        (HeatDesc { medium: Some(Format::I8), ..base.clone() }, "`medium` must be f32, f16 or bf16, got i8"),
        (
            HeatDesc { source: Some(Format::E4m3), ..base.clone() },
            "`source` must be f32, f16 or bf16, got e4m3",
        ),
        (HeatDesc { steps_per_dispatch: 0, ..base.clone() }, "`steps_per_dispatch` must be 1 to 8, got 0"),
        (HeatDesc { steps_per_dispatch: 9, ..base.clone() }, "`steps_per_dispatch` must be 1 to 8, got 9"),
        (
            HeatDesc { steps_per_dispatch: 2, out: Format::F16, ..base.clone() },
            "`steps_per_dispatch` must be 1 where `u` is f32 and `out` f16: a step continues the one before, got 2",
        ),
    ];
    for (desc, expected) in cases {
        assert_eq!(error(desc), format!("heat: {expected}"));
    }
    assert!(Heat::new(gpu.device(), &HeatDesc { time_step: base.stable_dt(), ..base.clone() }).is_ok());
    let media = HeatDesc { medium: Some(Format::F32), time_step: 0.1, ..base };
    let mut inputs = generate::inputs(&media, 1);
    let mut shares = [0.5; 64];
    shares[9] = 1.5;
    inputs.insert("medium", Tensor::from_f32(Format::F32, &[1, 8, 8], &shares).unwrap());
    let error = verify::run(&gpu, &media, &inputs, &RunOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "heat: tensor `medium` must hold shares from 0 to 1, got 1.5 at [0, 1, 1]");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_step_is_within_its_bound(
        spatial in prop::collection::vec(1usize..12, 1..4),
        edges in 0usize..5,
        (spacing, diffusivity, fraction) in (0.1f64..4.0, 0.0f64..3.0, 0.0f64..1.0),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = HeatDesc { spacing: vec![spacing], diffusivity, ..monotone(&spatial, EDGES[edges]) };
        let time_step = fraction * desc.stable_dt().min(1.0);
        conform(&gpu, &HeatDesc { time_step, ..desc }, seed);
    }
}
