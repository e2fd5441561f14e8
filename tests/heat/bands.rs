//! Fields larger than a binding: bands of them have the bits of one piece, or are refused by name.

use super::{EDGES, FORMATS, monotone};
use langevin::reference::generate;
use langevin::verify::{self, Op, RunOptions};
use langevin::{
    Capabilities, Edge, FaceMean, Format, Gpu, Heat, HeatDesc, Kernel, PlanOptions, Stencil, sources,
};
use langevin_testkit::gpu;

/// The device's capabilities with bindings of at most that many bytes.
fn binding(gpu: &Gpu, bytes: u64) -> Capabilities {
    let mut capabilities = gpu.capabilities().clone();
    capabilities.limits.max_storage_buffer_binding_size = bytes;
    capabilities
}

/// Every variant in several pieces: within the bound, and with the bits of one piece where the driver keeps the order of
/// operations.
fn check(gpu: &Gpu, desc: &HeatDesc, bytes: u64, seed: u64) {
    let small = binding(gpu, bytes);
    let inputs = generate::inputs(desc, seed);
    let expected = desc.evaluate(&inputs).unwrap().remove(0);
    for variant in desc.variants(&small) {
        let stages = sources(desc, &small, &variant.into()).unwrap();
        let ranges = stages.iter().flat_map(|stage| &stage.ranges);
        assert!(ranges.clone().any(Option::is_some), "{} of {desc:?} is in one piece", variant.name);
        for range in ranges.flatten() {
            let aligned = range.start.is_multiple_of(small.limits.min_storage_buffer_offset_alignment.into());
            assert!(range.end - range.start <= bytes && aligned, "{range:?} of {desc:?}");
        }
        let run = |capabilities: &Capabilities| {
            let capabilities = Some(capabilities.clone());
            let plan = PlanOptions { pick: variant.into(), capabilities, ..Default::default() };
            verify::run(gpu, desc, &inputs, &RunOptions { plan }).unwrap().remove("out").unwrap()
        };
        let got = run(&small);
        let comparison = verify::compare(&expected, &got);
        assert!(comparison.passed(), "{} of {desc:?}: {comparison}", variant.name);
        if gpu.capabilities().device_type == wgpu::DeviceType::Cpu {
            assert_eq!(got.bytes(), run(gpu.capabilities()).bytes(), "{} of {desc:?}", variant.name);
        }
    }
}

#[test]
fn items_of_the_batch_come_first() {
    let Some(gpu) = gpu() else { return };
    for (i, spatial) in [&[70][..], &[9, 13], &[3, 5, 6]].into_iter().enumerate() {
        let desc = HeatDesc { batch: 7, u: FORMATS[i], out: FORMATS[i], ..monotone(spatial, EDGES[i]) };
        check(&gpu, &desc, 1200, i as u64);
    }
}

/// Faces at the first and the last band only, and the seam where both ends of a periodic axis meet.
#[test]
fn rows_and_slices() {
    let Some(gpu) = gpu() else { return };
    for (i, edges) in EDGES.into_iter().enumerate() {
        for (j, spatial) in [&[67, 12][..], &[50, 13], &[11, 6, 9]].into_iter().enumerate() {
            let steps_per_dispatch = [1, 3, 8][(i + j) % 3];
            let format = FORMATS[(i + j) % 2];
            let desc = HeatDesc { steps_per_dispatch, u: format, out: format, ..monotone(spatial, edges) };
            check(&gpu, &desc, 450 * format.bytes() as u64, (3 * i + j) as u64);
        }
    }
    // Inputs and outputs of other sizes, and two items that are cut each.
    let desc = HeatDesc { batch: 2, out: Format::F16, ..monotone(&[40, 15], EDGES[0]) };
    check(&gpu, &desc, 900, 1);
}

#[test]
fn stencils_media_and_sources() {
    let Some(gpu) = gpu() else { return };
    for (i, edges) in [EDGES[0], EDGES[4]].into_iter().enumerate() {
        for stencil in [Stencil::Fourth, Stencil::Isotropic] {
            let still = HeatDesc { stencil, source: Some(Format::BF16), ..monotone(&[40, 12], edges) };
            let time_step = 0.5 * still.stable_dt();
            check(&gpu, &HeatDesc { time_step, steps_per_dispatch: 1 + i, ..still }, 1000, i as u64);
        }
        let still = monotone(&[9, 5, 8], edges);
        let (medium, face_mean) = (Some(Format::F32), FaceMean::Harmonic);
        check(&gpu, &HeatDesc { medium, face_mean, source: Some(Format::F16), ..still }, 1000, 5);
    }
}

#[test]
fn what_no_band_fits_into_is_refused() {
    let Some(gpu) = gpu() else { return };
    let refused = |desc: &HeatDesc, bytes| {
        let capabilities = Some(binding(&gpu, bytes));
        let options = PlanOptions { capabilities, ..Default::default() };
        Heat::with_options(gpu.device(), desc, &options).unwrap_err().to_string()
    };
    let wide = monotone(&[8, 300], [Edge::Periodic; 2]);
    for desc in [wide, monotone(&[600], EDGES[1])] {
        let error = refused(&desc, 2048);
        assert!(error.contains("max_storage_buffer_binding_size") && error.contains("2048"), "{error}");
    }
}
