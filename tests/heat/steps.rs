//! Several steps to a dispatch: the bound, and the bits of as many single steps.

use super::{EDGES, FORMATS, field, monotone};
use langevin::reference::generate;
use langevin::verify::{self, RunOptions, Tensor};
use langevin::{Edge, Format, Gpu, HeatDesc, Kernel, PlanOptions, Stencil};
use langevin_testkit::{conform, gpu};

fn steps(desc: &HeatDesc, steps_per_dispatch: usize) -> HeatDesc {
    HeatDesc { steps_per_dispatch, ..desc.clone() }
}

/// Single steps by the variant that every device has.
fn one_by_one(gpu: &Gpu, desc: &HeatDesc, u: &Tensor) -> Tensor {
    let single = steps(desc, 1);
    let variants = single.variants(gpu.capabilities());
    let portable = variants.into_iter().rfind(|variant| variant.name == "rows").unwrap();
    let plan = PlanOptions { pick: portable.into(), ..Default::default() };
    (0..desc.steps_per_dispatch).fold(u.clone(), |u, _| {
        let outputs = verify::run(gpu, &single, &field(&u), &RunOptions { plan: plan.clone() });
        outputs.unwrap().remove("out").unwrap()
    })
}

/// Mesa's software driver neither contracts nor reorders, so every variant gives the bits of single steps.
fn same_bits(gpu: &Gpu, desc: &HeatDesc, seed: u64) {
    if gpu.capabilities().device_type != wgpu::DeviceType::Cpu {
        return;
    }
    let u = generate::inputs(desc, seed).remove("u").unwrap();
    let expected = one_by_one(gpu, desc, &u);
    for variant in desc.variants(gpu.capabilities()).into_iter().filter(|variant| variant.name != "cells") {
        let plan = PlanOptions { pick: variant.into(), ..Default::default() };
        let outputs = verify::run(gpu, desc, &field(&u), &RunOptions { plan }).unwrap();
        let got = outputs.get("out").unwrap();
        let differing =
            expected.to_f32().iter().zip(got.to_f32()).position(|(a, b)| a.to_bits() != b.to_bits());
        assert_eq!(differing, None, "{} of {desc:?}", variant.name);
    }
}

fn check(gpu: &Gpu, desc: &HeatDesc, seed: u64) {
    conform(gpu, desc, seed);
    same_bits(gpu, desc, seed);
}

/// Strips keep 56 columns up to four steps and 48 beyond; their rows start in blocks of 8. Tiles keep 64 - 2 steps of both.
#[test]
fn widths_and_heights_around_strips_and_tiles() {
    let Some(gpu) = gpu() else { return };
    for (i, &width) in [1, 2, 4, 7, 52, 55, 56, 57, 60, 112, 113].iter().enumerate() {
        for (j, &height) in [1, 2, 5, 8, 9, 64].iter().enumerate() {
            if (i + j) % 3 == 0 {
                let edges = EDGES[[0, 3][j % 2]];
                check(&gpu, &steps(&monotone(&[height, width], edges), 3), (8 * i + j) as u64);
            }
        }
    }
    let narrow = [[3, 8], [130, 3], [17, 96], [57, 49]];
    for (i, spatial) in narrow.into_iter().enumerate() {
        for edges in [EDGES[0], EDGES[4]] {
            check(&gpu, &HeatDesc { batch: 2, ..steps(&monotone(&spatial, edges), 8) }, i as u64);
        }
    }
}

#[test]
fn every_number_of_steps() {
    let Some(gpu) = gpu() else { return };
    for count in 1..=8 {
        let edges = EDGES[count % 5];
        check(&gpu, &steps(&monotone(&[21, 68], edges), count), count as u64);
    }
    for (i, count) in [2, 5].into_iter().enumerate() {
        check(&gpu, &HeatDesc { batch: 5, ..steps(&monotone(&[77], EDGES[3 * i]), count) }, count as u64);
        check(&gpu, &steps(&monotone(&[4, 5, 6], EDGES[i + 1]), count), count as u64);
    }
}

/// Faces along one axis and none along the other.
#[test]
fn mixed_boundaries() {
    let Some(gpu) = gpu() else { return };
    let faces = [Edge::Dirichlet(0.5), Edge::Neumann(-0.25)];
    for (i, boundary) in [vec![faces, EDGES[0]], vec![EDGES[0], faces]].into_iter().enumerate() {
        let desc = HeatDesc { boundary, spacing: vec![0.5, 0.75], ..monotone(&[19, 60], EDGES[0]) };
        check(&gpu, &HeatDesc { time_step: desc.stable_dt(), ..steps(&desc, 2) }, i as u64);
    }
}

/// Steps between are rounded as if they were stored.
#[test]
fn formats_between_steps() {
    let Some(gpu) = gpu() else { return };
    for (i, format) in FORMATS.into_iter().enumerate() {
        for width in [60, 59] {
            let desc = HeatDesc { u: format, out: format, ..monotone(&[13, width], EDGES[4]) };
            check(&gpu, &steps(&desc, 3), i as u64);
        }
    }
    let line = HeatDesc { u: Format::F16, out: Format::F16, ..monotone(&[130], EDGES[2]) };
    check(&gpu, &HeatDesc { batch: 3, ..steps(&line, 4) }, 9);
}

/// The general variant takes one step after the other through borrowed memory.
#[test]
fn steps_of_other_stencils() {
    let Some(gpu) = gpu() else { return };
    for (i, stencil) in [Stencil::Fourth, Stencil::Isotropic].into_iter().enumerate() {
        let desc = HeatDesc { stencil, source: Some(Format::F32), ..monotone(&[9, 10], EDGES[i + 1]) };
        conform(&gpu, &HeatDesc { time_step: 0.5 * desc.stable_dt(), ..steps(&desc, 2 + i) }, i as u64);
    }
}

#[test]
fn nothing_and_no_time() {
    let Some(gpu) = gpu() else { return };
    for spatial in [&[0][..], &[0, 4], &[4, 0], &[0, 2, 3]] {
        let desc = HeatDesc { spatial: spatial.to_vec(), time_step: 0.1, ..Default::default() };
        conform(&gpu, &steps(&desc, 4), 0);
    }
    conform(&gpu, &HeatDesc { time_step: 0.0, ..steps(&monotone(&[9, 12], EDGES[0]), 2) }, 1);
}
