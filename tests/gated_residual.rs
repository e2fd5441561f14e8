//! Gated residual against its reference: shapes x formats x gates, properties, and the errors.

use langevin::reference::{Tensor, generate};
use langevin::verify::{self, RunOptions};
use langevin::{Columns, Format, GatedResidual, GatedResidualDesc};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

const OUTPUTS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];

fn rows(batch: usize, rows: usize, width: usize) -> GatedResidualDesc {
    GatedResidualDesc { batch, rows, width, ..Default::default() }
}

/// Around a group of four and the 64 groups of a workgroup.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let shapes =
        [(1, 1, 1), (2, 3, 3), (1, 5, 4), (3, 1, 5), (1, 1, 255), (2, 1, 256), (1, 2, 257), (3, 7, 61)];
    for (i, (batch, count, width)) in shapes.into_iter().enumerate() {
        let desc = rows(batch, count, width);
        conform(&gpu, &desc, i as u64);
        conform(&gpu, &GatedResidualDesc { gate: Some(Columns::all(width)), ..desc.clone() }, i as u64);
        let gate = Some(Columns { start: i, width: width + 2 * i + 1 });
        conform(&gpu, &GatedResidualDesc { gate, ..desc }, i as u64);
    }
}

#[test]
fn every_pair_of_formats() {
    let Some(gpu) = gpu() else { return };
    for (i, x) in Format::ALL.into_iter().enumerate() {
        for (j, out) in OUTPUTS.into_iter().enumerate() {
            for width in [13, 14] {
                let gate = ((i + j) % 2 == 0).then_some(Columns { start: 3, width: 20 });
                conform(&gpu, &GatedResidualDesc { x, out, gate, ..rows(2, 3, width) }, 7);
            }
        }
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for (batch, count, width) in [(0, 2, 3), (2, 0, 3), (2, 3, 0), (0, 0, 0)] {
        conform(
            &gpu,
            &GatedResidualDesc { gate: Some(Columns { start: 1, width: 9 }), ..rows(batch, count, width) },
            0,
        );
    }
}

#[test]
fn columns_outside_the_gate_are_not_used() {
    let Some(gpu) = gpu() else { return };
    let desc = GatedResidualDesc { gate: Some(Columns { start: 3, width: 12 }), ..rows(2, 4, 6) };
    let mut inputs = generate::inputs(&desc, 2);
    let mut gate = inputs.get("gate").unwrap().to_f32();
    for (i, value) in gate.iter_mut().enumerate() {
        if !(3..9).contains(&(i % 12)) {
            *value = f32::NAN;
        }
    }
    inputs.insert("gate", Tensor::from_f32(Format::F32, &[2, 12], &gate).unwrap());
    conform_on(&gpu, &desc, &inputs);
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &GatedResidualDesc| GatedResidual::new(gpu.device(), desc).unwrap_err().to_string();
    let desc = GatedResidualDesc { out: Format::E4m3, ..rows(1, 1, 1) };
    assert_eq!(error(&desc), "gated_residual: `out` must be f32, f16 or bf16, got e4m3");
    let desc = GatedResidualDesc { gate: Some(Columns { start: 3, width: 5 }), ..rows(1, 1, 3) };
    let message = "gated_residual: `gate` must be columns inside its matrix, got columns 3..3+3 of 5";
    assert_eq!(error(&desc), message);
    assert!(
        error(&rows(1 << 10, 1 << 10, 1 << 20)).contains("the number of elements of `x` must be at most")
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_gated_residual_is_within_its_bound(
        (batch, count, width) in (1usize..4, 1usize..9, 1usize..90),
        formats in (0usize..6, 0usize..3),
        gate in prop::option::of((0usize..9, 0usize..9)),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let gate = gate.map(|(start, rest)| Columns { start, width: start + width + rest });
        let (x, out) = (Format::ALL[formats.0], OUTPUTS[formats.1]);
        conform(&gpu, &GatedResidualDesc { x, out, gate, ..rows(batch, count, width) }, seed);
    }

    /// A gate of zeros returns the residual's bits, in every format.
    #[test]
    fn a_closed_gate_returns_the_residual(
        (batch, count, width) in (1usize..3, 1usize..9, 1usize..90),
        out in 0usize..3,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let gate = Some(Columns { start: 2, width: width + 2 });
        let desc = GatedResidualDesc { out: OUTPUTS[out], gate, ..rows(batch, count, width) };
        let mut inputs = generate::inputs(&desc, seed);
        let zeros = vec![0.0; batch * (width + 2)];
        inputs.insert("gate", Tensor::from_f32(Format::F32, &[batch, width + 2], &zeros).unwrap());
        let result = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap();
        prop_assert_eq!(result.get("out").unwrap().bytes(), inputs.get("residual").unwrap().bytes());
    }
}
