//! Matmul against its reference: shapes x formats x layouts x epilogues x every variant, properties, and the errors.

#[path = "matmul/errors.rs"]
mod errors;
#[path = "matmul/integers.rs"]
mod integers;
#[path = "matmul/limits.rs"]
mod limits;
#[path = "matmul/properties.rs"]
mod properties;
#[path = "matmul/values.rs"]
mod values;

use langevin::reference::generate;
use langevin::verify::{self, RunOptions, Tensors};
use langevin::{
    Activation, Columns, Format, Granularity, Kernel, MatmulDesc, Operand, Pair, PlanOptions, Variant,
};
use langevin_testkit::{compare_with, conform, conform_in_turns, gpu};

fn product(m: usize, k: usize, n: usize) -> MatmulDesc {
    MatmulDesc { m, k, n, ..Default::default() }
}

fn run(gpu: &langevin::Gpu, desc: &MatmulDesc, inputs: &Tensors, variant: Variant) -> verify::Tensor {
    let plan = PlanOptions { pick: variant.into(), ..Default::default() };
    let mut outputs = verify::run(gpu, desc, inputs, &RunOptions { plan }).unwrap();
    outputs.remove("out").unwrap()
}

/// 1, tile - 1, tile, tile + 1, 2 tile + 3 and primes, for the tiles of every variant (8, 16, 32, 64).
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let sizes = [1, 15, 16, 17, 37, 63, 64, 65, 131];
    for (i, &m) in sizes.iter().enumerate() {
        for (j, &n) in sizes.iter().enumerate() {
            let k = sizes[(i + 2 * j) % sizes.len()];
            conform_in_turns(&gpu, &product(m, k, n), (i * 16 + j + i / 3) as u64);
        }
    }
    conform(&gpu, &MatmulDesc { batch: 3, ..product(5, 7, 6) }, 1);
    // Enough tiles of 64 and of 128 that those sizes are chosen; nothing is summed but one tile's depth.
    conform(&gpu, &product(700, 33, 800), 2);
    let largest = product(1500, 17, 1500);
    for variant in largest.variants(gpu.capabilities()).into_iter().filter(|v| v.name.starts_with("tiled")) {
        let inputs = generate::inputs(&largest, 3);
        compare_with(&gpu, &largest, &inputs, variant, gpu.capabilities().clone());
    }
}

/// Every format on either side, beside F32 and beside itself; the six outputs take turns. Operands are decoded
/// independently of each other, and each combination is one more shader to compile.
#[test]
fn formats() {
    let Some(gpu) = gpu() else { return };
    for (i, a) in Format::ALL.into_iter().enumerate() {
        for (j, b) in Format::ALL.into_iter().enumerate() {
            // Beside itself and beside the next: every format on either side meets narrower and wider ones.
            if (6 + j - i) % 6 <= 1 {
                let out = Format::ALL[(i + 2 * j) % 6];
                let (a, b) = (a.into(), b.into());
                let out_scale = out.bits() == 8;
                conform(
                    &gpu,
                    &MatmulDesc { a, b, out, out_scale, batch: 2, ..product(7 + 12 * (j % 2), 23, 37) },
                    7,
                );
            }
        }
    }
}

/// Both operands as they are and transposed, in wider matrices, shared by the batch, in formats of every width.
#[test]
fn layouts() {
    let Some(gpu) = gpu() else { return };
    let mut seed = 0;
    for (a_format, b_format) in
        [(Format::F32, Format::F32), (Format::F16, Format::E4m3), (Format::I8, Format::I8)]
    {
        for transposed in [[true, false], [false, true], [true, true]] {
            seed += 1;
            // Sizes that are whole blocks of four, and rows that are whole vectors, then neither.
            for (m, k, n) in [(8, 36, 24), (7, 23, 37)] {
                let [a_length, b_length] =
                    [if transposed[0] { m } else { k }, if transposed[1] { k } else { n }];
                let wider = |length, start| Some(Columns { start, width: start + length + 3 });
                let a = Operand {
                    transposed: transposed[0],
                    columns: wider(a_length, if a_format == Format::F32 { 3 } else { 4 })
                        .filter(|_| seed % 2 == 0),
                    shared: seed % 3 == 0,
                    ..a_format.into()
                };
                let b = Operand {
                    transposed: transposed[1],
                    columns: wider(b_length, if b_format == Format::F32 { 1 } else { 8 })
                        .filter(|_| seed % 2 == 1),
                    shared: seed % 4 == 1,
                    ..b_format.into()
                };
                conform_in_turns(&gpu, &MatmulDesc { a, b, batch: 2, ..product(m, k, n) }, seed + seed / 3);
            }
        }
    }
}

/// The result goes into some columns of a wider matrix, and the others stay.
#[test]
fn columns_of_a_wider_result() {
    let Some(gpu) = gpu() else { return };
    for (out, start, n, width) in [(Format::F32, 3, 9, 20), (Format::F16, 2, 6, 11), (Format::E4m3, 4, 7, 11)]
    {
        let out_columns = Some(Columns { start, width });
        conform(&gpu, &MatmulDesc { out, out_columns, batch: 2, residual: true, ..product(5, 9, n) }, 3);
    }
}

/// Scales and zero points of every granularity, on both operands.
#[test]
fn scales() {
    let Some(gpu) = gpu() else { return };
    let a_scales =
        [None, Some(Granularity::PerTensor), Some(Granularity::PerRow), Some(Granularity::PerGroup(32))];
    let b_scales =
        [Some(Granularity::PerColumn), Some(Granularity::PerGroup(64)), Some(Granularity::PerTensor)];
    let mut seed = 0;
    for a_scale in a_scales {
        for b_scale in b_scales {
            seed += 1;
            let formats = [Format::I8, Format::E4m3, Format::I8, Format::BF16];
            let (a_format, b_format) = (formats[seed as usize % 4], formats[(seed as usize / 2) % 4]);
            let operand = |format, scale, transposed| Operand {
                scale,
                transposed,
                zero: format == Format::I8 && seed % 3 != 0,
                shared: seed % 5 == 0,
                ..Operand::from(format)
            };
            let a = operand(a_format, a_scale, seed % 4 == 3);
            let b = operand(b_format, b_scale, seed % 4 >= 2);
            conform_in_turns(
                &gpu,
                &MatmulDesc { a, b, batch: 2, ..product(if seed == 8 { 17 } else { 5 }, 101, 35) },
                seed + seed / 3,
            );
        }
    }
}

/// Bias, activation, pair, gate, residual and the scale of the output.
#[test]
fn epilogues() {
    let Some(gpu) = gpu() else { return };
    for seed in 0..10u64 {
        let bit = |i: u64| seed >> i & 1 == 1;
        let out = Format::ALL[seed as usize % 6];
        let desc = MatmulDesc {
            batch: 2,
            a: Operand::default().scaled(Granularity::PerRow),
            b: Operand { shared: bit(1), ..Operand::default().scaled(Granularity::PerTensor) },
            bias: bit(0),
            activation: Activation::ALL[(seed / 2) as usize % 5],
            pair: [None, Some(Pair::GateFirst), Some(Pair::GateLast)][seed as usize % 3],
            gate: bit(1).then_some(Columns { start: 5, width: 41 }),
            residual: bit(2) || seed == 9,
            residual_shared: seed == 9,
            out,
            out_scale: out.bits() == 8,
            ..product(if seed == 3 { 33 } else { 7 }, 20, 36)
        };
        conform_in_turns(&gpu, &desc, seed + seed / 3);
    }
    for (pair, b) in [(Pair::GateFirst, Format::I8), (Pair::GateLast, Format::F16)] {
        // A pair of quantized halves, over a sum that is cut into slices.
        let b = Operand::from(b).scaled(Granularity::PerColumn);
        let (a, activation) = (Format::I8.into(), Activation::Silu);
        conform(
            &gpu,
            &MatmulDesc { a, b, pair: Some(pair), activation, bias: true, ..product(9, 1100, 68) },
            5,
        );
    }
}

/// Few tiles and a long k: slices of k go through the scratch. On a device with few bindings everything does.
#[test]
fn sums_in_slices() {
    let Some(gpu) = gpu() else { return };
    for (a, b) in [(Format::F32, Format::F32), (Format::I8, Format::I8), (Format::F16, Format::E5m2)] {
        let (a, b) = (a.into(), Operand { transposed: true, ..b.into() });
        for (batch, m, k) in [(1, 9, 1300), (2, 3, 2053)] {
            conform(&gpu, &MatmulDesc { a, b, batch, bias: true, ..product(m, k, 11) }, 8);
        }
    }
    let mut capabilities = gpu.capabilities().clone();
    capabilities.limits.max_storage_buffers_per_shader_stage = 8;
    let full = |format: Format, scale| Operand { zero: true, ..Operand::from(format).scaled(scale) };
    for (group, pair) in [(None, None), (Some(32), Some(Pair::GateLast))] {
        let scale = |own| group.map_or(own, Granularity::PerGroup);
        let desc = MatmulDesc {
            batch: 2,
            a: full(Format::I8, scale(Granularity::PerRow)),
            b: full(Format::I8, scale(Granularity::PerColumn)),
            bias: true,
            pair,
            gate: Some(Columns::all(24)),
            residual: true,
            out: Format::E4m3,
            out_scale: true,
            ..product(18, 70, 24)
        };
        let inputs = generate::inputs(&desc, 4);
        for variant in desc.variants(&capabilities) {
            let plan = langevin::sources(&desc, &capabilities, &variant.into()).unwrap();
            assert_eq!(plan.len(), 2, "{} needs two dispatches", variant.name);
            assert!(plan.iter().all(|stage| stage.bindings.len() <= 8), "{} binds too much", variant.name);
            compare_with(&gpu, &desc, &inputs, variant, capabilities.clone());
        }
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for (m, k, n) in [(0, 3, 4), (3, 4, 0), (0, 0, 0)] {
        conform(&gpu, &product(m, k, n), 0);
    }
    conform(&gpu, &MatmulDesc { batch: 0, ..product(2, 2, 2) }, 0);
    // Without a summed axis the epilogue alone is left.
    conform(&gpu, &MatmulDesc { bias: true, residual: true, ..product(5, 0, 7) }, 1);
    let grouped = Operand::from(Format::I8).scaled(Granularity::PerGroup(32));
    conform(&gpu, &MatmulDesc { a: grouped, bias: true, ..product(5, 0, 7) }, 1);
}

#[test]
fn checked_shaders_agree() {
    let Some(gpu) = gpu() else { return };
    let desc = product(20, 30, 40);
    let inputs = generate::inputs(&desc, 5);
    let run = |checked| {
        let plan = PlanOptions { checked, ..Default::default() };
        verify::run(&gpu, &desc, &inputs, &RunOptions { plan }).unwrap()
    };
    assert_eq!(run(true), run(false));
}
