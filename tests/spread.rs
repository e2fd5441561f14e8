//! Element-wise kernels as a GPU runs them, several units to an invocation: sizes around an invocation's, a workgroup's and
//! two workgroups' share.

use langevin::{
    Activation, ActivationDesc, CastDesc, Columns, DequantizeDesc, Format, GatedResidualDesc, Granularity,
    Kernel,
};
use langevin_testkit::{conform_as_gpu, gpu};

/// Rows and their width: 256 invocations take 1024 units of four.
const SHAPES: [[usize; 2]; 8] =
    [[1, 1], [3, 5], [1, 1020], [1, 1023], [1, 4096], [1, 4097], [683, 6], [5, 1639]];

#[test]
fn every_unit_is_done_once() {
    let Some(gpu) = gpu() else { return };
    for (i, [rows, width]) in SHAPES.into_iter().enumerate() {
        let (shape, seed) = (vec![rows, width], i as u64);
        let half = Format::F16;
        conform_as_gpu(
            &gpu,
            &CastDesc { shape: shape.clone(), x: Format::F32, out: half, overflow: None },
            seed,
        );
        let granularities = [Granularity::PerTensor, Granularity::PerRow, Granularity::PerColumn];
        for (j, granularity) in granularities.into_iter().enumerate() {
            let q = Format::ALL[(i + j) % Format::ALL.len()];
            let desc = DequantizeDesc { shape: shape.clone(), q, granularity, ..Default::default() };
            conform_as_gpu(&gpu, &desc, seed);
        }
        let activation = Activation::Silu;
        conform_as_gpu(&gpu, &ActivationDesc { rows, width, activation, x: half, out: half }, seed);
        let gate = Some(Columns { start: 3, width: width + 4 });
        conform_as_gpu(&gpu, &GatedResidualDesc { batch: 1, rows, width, gate, ..Default::default() }, seed);
    }
}

/// A device of small workgroups has fewer invocations to one, and as many units to an invocation.
#[test]
fn small_workgroups() {
    let Some(gpu) = gpu() else { return };
    let mut capabilities = gpu.capabilities().clone();
    capabilities.device_type = langevin::wgpu::DeviceType::IntegratedGpu;
    capabilities.limits.max_compute_invocations_per_workgroup = 64;
    let desc = DequantizeDesc { shape: vec![3, 1639], ..Default::default() };
    let inputs = langevin::reference::generate::inputs(&desc, 9);
    let variant = desc.variants(&capabilities)[0];
    langevin_testkit::compare_with(&gpu, &desc, &inputs, variant, capabilities);
}
