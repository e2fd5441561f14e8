//! Steps of Runge-Kutta-Legendre: the bound with every option, physics, order in time, and pieces.

use super::{EDGES, FORMATS, evolve, monotone};
use langevin::verify::{self, Op, RunOptions, Tensor};
use langevin::{
    Edge, FaceMean, Format, HeatDesc, Kernel, PlanOptions, Scheme, Stencil, reference::generate, sources,
};
use langevin_testkit::{conform, gpu};
use std::f64::consts::TAU;

/// A super step of that share of the longest.
fn super_step(desc: HeatDesc, stages: usize, share: f64) -> HeatDesc {
    let desc = HeatDesc { scheme: Scheme::Rkl2 { stages }, time_step: 0.0, ..desc };
    HeatDesc { time_step: share * desc.stable_dt().min(20.0), ..desc }
}

#[test]
fn shapes_edges_and_formats() {
    let Some(gpu) = gpu() else { return };
    for (i, stages) in [2, 3, 4, 7, 12].into_iter().enumerate() {
        let spatial = [&[9][..], &[5, 6], &[3, 4, 5], &[1, 13], &[7, 1]][i];
        let desc = HeatDesc { batch: 2, ..monotone(spatial, EDGES[i]) };
        conform(&gpu, &super_step(desc, stages, 0.9), i as u64);
    }
    for (i, u) in FORMATS.into_iter().enumerate() {
        let desc = HeatDesc { u, out: FORMATS[(i + 1) % 3], ..monotone(&[6, 7], EDGES[i]) };
        conform(&gpu, &super_step(desc, 5, 0.5), i as u64);
    }
    for spatial in [&[0][..], &[0, 4], &[4, 0]] {
        let desc = HeatDesc { spatial: spatial.to_vec(), ..Default::default() };
        conform(&gpu, &HeatDesc { time_step: 0.1, ..super_step(desc, 3, 0.0) }, 0);
    }
}

#[test]
fn stencils_media_and_sources() {
    let Some(gpu) = gpu() else { return };
    for (i, stencil) in [Stencil::Fourth, Stencil::Isotropic].into_iter().enumerate() {
        let desc = HeatDesc { stencil, source: Some(FORMATS[i]), ..monotone(&[6, 9], EDGES[i]) };
        conform(&gpu, &super_step(desc, 4 + i, 0.8), i as u64);
    }
    for (i, face_mean) in [FaceMean::Arithmetic, FaceMean::Harmonic].into_iter().enumerate() {
        let (medium, source) = (Some(FORMATS[i]), (i == 1).then_some(Format::F32));
        let desc = HeatDesc { medium, source, face_mean, ..monotone(&[3, 5, 6], EDGES[2 * i]) };
        conform(&gpu, &super_step(desc, 5, 0.8), i as u64);
    }
}

/// Neither a constant nor what a closed grid holds changes but by rounding.
#[test]
fn constants_and_mass() {
    let Some(gpu) = gpu() else { return };
    for edge in [Edge::Periodic, Edge::Neumann(0.0)] {
        let desc = super_step(monotone(&[12, 10], [edge; 2]), 9, 1.0);
        let run = |u: Tensor| {
            let mut inputs = verify::Tensors::new();
            inputs.insert("u", u);
            let expected = desc.evaluate(&inputs).unwrap().remove(0);
            let out =
                verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap().remove("out").unwrap();
            let verify::Answer::Bounded { bound, .. } = expected.answer else { panic!("bounded") };
            (out.to_f64(), bound.iter().copied().fold(0.0, f64::max))
        };
        let (out, bound) = run(Tensor::from_f32(Format::F32, &[1, 12, 10], &[0.7; 120]).unwrap());
        assert!(out.iter().all(|value| (value - f64::from(0.7f32)).abs() <= bound), "{edge:?}");
        let u = generate::inputs(&desc, 2).remove("u").unwrap();
        let (out, bound) = run(u.clone());
        let lost = (out.sum() - u.to_f64().sum()).abs();
        assert!(lost <= 120.0 * bound, "{edge:?} lost {lost}");
        let spread = |field: &ndarray::ArrayD<f64>| field.iter().map(|value| value * value).sum::<f64>();
        assert!(spread(&out) < 0.5 * spread(&u.to_f64()), "{edge:?} hardly spread");
    }
}

/// Twice as many steps quarter the error in time, measured on the GPU.
#[test]
fn second_order_in_time() {
    let Some(gpu) = gpu() else { return };
    let (cells, time) = (32, 8.0f64);
    let wave = TAU / cells as f64;
    let mode: Vec<f32> = (0..cells).map(|i| (wave * i as f64).cos() as f32).collect();
    let u = Tensor::from_f32(Format::F32, &[1, cells], &mode).unwrap();
    // What the discrete Laplacian makes of the wave, exactly in time.
    let rate = 4.0 * (wave / 2.0).sin().powi(2);
    let error = |count: usize| {
        let scheme = Scheme::Rkl2 { stages: 8 };
        let time_step = time / count as f64;
        let desc = HeatDesc { spatial: vec![cells], scheme, time_step, ..Default::default() };
        (evolve(&gpu, &desc, &u, count).to_f64()[[0, 0]] - (-rate * time).exp()).abs()
    };
    let errors = [1, 2, 4].map(error);
    for (pair, count) in errors.windows(2).zip([1, 2]) {
        let order = (pair[0] / pair[1]).log2();
        // The error is c z^3 (1 + d z + ..) for a step of z = rate time_step, with d below 1; rounding is a thousandth of it.
        let slack = 2.0 * rate * time / f64::from(count) + 0.01;
        assert!((order - 2.0).abs() <= slack, "order {order}, errors {errors:?}");
    }
}

#[test]
fn fields_larger_than_a_binding() {
    let Some(gpu) = gpu() else { return };
    let mut small = gpu.capabilities().clone();
    small.limits.max_storage_buffer_binding_size = 1000;
    for (i, edges) in [EDGES[0], EDGES[3]].into_iter().enumerate() {
        for medium in [None, Some(Format::F32)] {
            let desc = super_step(HeatDesc { medium, ..monotone(&[34, 13], edges) }, 4, 0.9);
            let inputs = generate::inputs(&desc, i as u64);
            let expected = desc.evaluate(&inputs).unwrap().remove(0);
            for variant in desc.variants(&small) {
                let stages = sources(&desc, &small, &variant.into()).unwrap();
                assert!(stages.len() > 8, "{} of {desc:?} is in one piece", variant.name);
                let capabilities = Some(small.clone());
                let plan = PlanOptions { pick: variant.into(), capabilities, ..Default::default() };
                let got = verify::run(&gpu, &desc, &inputs, &RunOptions { plan }).unwrap();
                let comparison = verify::compare(&expected, got.get("out").unwrap());
                let good = comparison.passed() && comparison.rejects_zeros;
                assert!(good, "{} of {desc:?}: {comparison}", variant.name);
            }
        }
    }
}
