//! Rotary embedding against its reference: shapes x axes x pairings x formats, views, in place, properties, the errors.

use langevin::reference::{generate, rotary_table};
use langevin::verify::{self, Op, RunOptions, Tensor, Tensors};
use langevin::{Format, Gpu, Kernel, Pairing, PlanOptions, Positions, Rotary, RotaryDesc, View};
use langevin_testkit::{conform, conform_as_gpu, conform_on, gpu};
use proptest::prelude::*;

const OUTS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];
const PAIRINGS: [Pairing; 2] = [Pairing::HalfSplit, Pairing::Interleaved];

/// Two heads of rows that turn along these axes.
fn turning(seq: usize, head_dim: usize, axes: &[usize]) -> RotaryDesc {
    let table_rows = seq + 3;
    RotaryDesc { heads: 2, seq, head_dim, axes: axes.to_vec(), table_rows, ..Default::default() }
}

/// Around four elements, the powers of two that share a row, and the rows of a workgroup.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let seqs = [1, 2, 5, 31, 64, 67];
    let head_dims = [1, 2, 3, 4, 5, 7, 8, 15, 16, 17, 31, 64, 66, 127, 128, 129, 255, 256];
    for (i, head_dim) in head_dims.into_iter().enumerate() {
        let desc = RotaryDesc { batch: 1 + i % 3, ..turning(seqs[i % seqs.len()], head_dim, &[]) };
        // One axis of all elements, or of the first two, or none.
        let axes = [head_dim / 2 * 2, 2, 0][i % 3].min(head_dim / 2 * 2);
        let axes = if axes > 0 { vec![axes] } else { Vec::new() };
        for (j, pairing) in PAIRINGS.into_iter().enumerate() {
            let norm = ((i + j) % 2 == 0).then_some(1e-5);
            let weight = norm.is_some();
            let weight_rows = if weight { 1 + i / 2 % 2 } else { 1 };
            let desc = RotaryDesc { axes: axes.clone(), pairing, norm, weight, weight_rows, ..desc.clone() };
            conform(&gpu, &desc, i as u64);
        }
    }
}

#[test]
fn every_axis_and_kind_of_position() {
    let Some(gpu) = gpu() else { return };
    let axes: [&[usize]; 6] = [&[20], &[8, 8], &[6, 10], &[2, 4, 6, 8], &[2, 2, 2], &[12]];
    for (i, axes) in axes.into_iter().enumerate() {
        let kinds = [Positions::From(0), Positions::From(3), Positions::Tokens, Positions::ItemTokens];
        for (j, positions) in kinds.into_iter().enumerate() {
            let pairing = PAIRINGS[(i + j + j / 2) % 2];
            conform(&gpu, &RotaryDesc { batch: 2, pairing, positions, ..turning(9, 22, axes) }, i as u64);
        }
    }
}

#[test]
fn every_pair_of_formats() {
    let Some(gpu) = gpu() else { return };
    for (i, x) in Format::ALL.into_iter().enumerate() {
        for (j, out) in OUTS.into_iter().enumerate() {
            let (head_dim, norm) = ([13, 14, 15, 16][(i + 2 * j) % 4], ((i + j) % 2 == 0).then_some(1e-6));
            let pairing = PAIRINGS[i / 2 % 2];
            conform(&gpu, &RotaryDesc { x, out, norm, pairing, ..turning(5, head_dim, &[6, 4]) }, 7);
        }
    }
}

/// Heads side by side in a packed projection, rows that start between words, and a result among other rows.
#[test]
fn views() {
    let Some(gpu) = gpu() else { return };
    let (seq, head_dim) = (7, 6);
    let packed = |third: usize| Some(View::columns(seq, 3 * 2 * head_dim, third * 2 * head_dim, head_dim));
    for (i, format) in OUTS.into_iter().enumerate() {
        let desc = RotaryDesc { batch: 2, x: format, out: format, ..turning(seq, head_dim, &[6]) };
        for third in 0..3 {
            conform(&gpu, &RotaryDesc { x_view: packed(third), ..desc.clone() }, third as u64);
        }
        conform(&gpu, &RotaryDesc { x_view: packed(1), out_view: packed(2), ..desc.clone() }, i as u64);
        let between = Some(View { offset: 3, batch: 101, head: 7, seq: 15 });
        conform(&gpu, &RotaryDesc { x_view: between, norm: Some(1e-4), ..desc.clone() }, i as u64);
        let in_place = RotaryDesc { x_view: packed(1), out_view: packed(1), in_place: true, ..desc.clone() };
        conform(&gpu, &in_place, i as u64);
        conform(&gpu, &RotaryDesc { norm: Some(1e-4), weight: true, ..in_place }, i as u64);
    }
}

/// Pairs that cross words, rows and lanes: no element is read after it was overwritten.
#[test]
fn in_place() {
    let Some(gpu) = gpu() else { return };
    for (i, head_dim) in [2, 6, 7, 20, 64, 70, 130, 256].into_iter().enumerate() {
        for out in [OUTS[i % 3], OUTS[(i + 1) % 3]] {
            let axes = if i % 2 == 0 { vec![head_dim / 2 * 2] } else { vec![2, head_dim / 2 * 2 - 2] };
            let desc = RotaryDesc { x: out, out, in_place: true, ..turning(67, head_dim, &axes) };
            conform(&gpu, &desc, i as u64);
            conform_as_gpu(&gpu, &desc, i as u64);
        }
    }
}

/// Queries and keys of a packed projection in one call, a row of the weight for each: as two calls, to the bit.
#[test]
fn heads_share_rows_of_the_weight() {
    let Some(gpu) = gpu() else { return };
    let (seq, head_dim) = (5, 6);
    let view = |first: usize| Some(View::columns(seq, 3 * 4 * head_dim, first * head_dim, head_dim));
    let both = RotaryDesc {
        batch: 2,
        heads: 8,
        norm: Some(1e-4),
        weight: true,
        weight_rows: 2,
        x_view: view(0),
        ..turning(seq, head_dim, &[6])
    };
    for weight_rows in [1, 2, 4, 8] {
        conform(&gpu, &RotaryDesc { weight_rows, ..both.clone() }, weight_rows as u64);
    }
    let mut inputs = generate::inputs(&both, 3);
    let weights = inputs.get("weight").unwrap().to_f32();
    let values = inputs.get("x").unwrap().to_f32();
    for variant in both.variants(gpu.capabilities()) {
        let of_both = out_bits(&gpu, &both, &inputs, variant);
        for half in 0..2 {
            let one = RotaryDesc { heads: 4, weight_rows: 1, x_view: view(4 * half), ..both.clone() };
            let row = &weights[half * head_dim..][..head_dim];
            inputs.insert("weight", Tensor::from_f32(Format::F32, &[head_dim], row).unwrap());
            // The last token's last keys end the tensor of both; one call sees its own part.
            let extent = one.tensors()[0].elements().unwrap();
            inputs.insert("x", Tensor::from_f32(Format::F32, &[extent], &values[..extent]).unwrap());
            let of_one = out_bits(&gpu, &one, &inputs, variant);
            let rows = |bits: &[u32], heads: usize| -> Vec<Vec<u32>> {
                bits.chunks(heads * seq * head_dim).map(<[u32]>::to_vec).collect()
            };
            for (both, one) in rows(&of_both, 8).iter().zip(rows(&of_one, 4)) {
                assert_eq!(both[half * one.len()..][..one.len()], one, "{} {half}", variant.name);
            }
        }
        inputs.insert("weight", Tensor::from_f32(Format::F32, &[2, head_dim], &weights).unwrap());
        let shape = [values.len()];
        inputs.insert("x", Tensor::from_f32(Format::F32, &shape, &values).unwrap());
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for (batch, heads, seq) in [(0, 2, 3), (2, 0, 3), (2, 2, 0)] {
        for positions in [Positions::From(0), Positions::ItemTokens] {
            conform(&gpu, &RotaryDesc { batch, heads, positions, ..turning(seq, 8, &[8]) }, 0);
        }
    }
    // Nothing turns: a copy, or a norm.
    conform(&gpu, &turning(5, 9, &[]), 1);
    conform(&gpu, &RotaryDesc { norm: Some(1e-5), positions: Positions::Tokens, ..turning(5, 9, &[]) }, 1);
}

/// Position a million is as exact as position 0: within the bound of the numbers that the table holds, which is within
/// half a unit of the formula's (see the goldens of the reference).
#[test]
fn far_positions() {
    let Some(gpu) = gpu() else { return };
    let desc = turning(4, 64, &[64]);
    let rows: Vec<Vec<f64>> = (0..desc.table_rows).map(|row| vec![1e6 + row as f64]).collect();
    let [cos, sin] = rotary_table(&desc.axes, 10_000.0, &rows).unwrap();
    let mut inputs = generate::inputs(&desc, 1);
    inputs.insert("cos", cos);
    inputs.insert("sin", sin);
    conform_on(&gpu, &desc, &inputs);
}

/// What a token does not turn by may hold anything: other rows of the table, and what lies between the rows of a view.
#[test]
fn what_is_not_used_is_not_read() {
    let Some(gpu) = gpu() else { return };
    let view = Some(View { offset: 2, batch: 0, head: 10, seq: 20 });
    let desc = RotaryDesc {
        positions: Positions::Tokens,
        x_view: view,
        norm: Some(1e-5),
        pairing: Pairing::Interleaved,
        ..turning(4, 7, &[2, 4])
    };
    let mut inputs = generate::inputs(&desc, 4);
    inputs.insert("positions", Tensor::from_i32(&[4, 2], &[0, 2, 2, 4, 4, 6, 6, 0]).unwrap());
    for name in ["cos", "sin"] {
        let mut table = inputs.get(name).unwrap().to_f32();
        table.chunks_mut(3).skip(1).step_by(2).for_each(|row| row.fill(f32::NAN));
        inputs.insert(name, Tensor::from_f32(Format::F32, &[7, 3], &table).unwrap());
    }
    let mut x = inputs.get("x").unwrap().to_f32();
    let length = x.len();
    for (i, x) in x.iter_mut().enumerate() {
        if i < 2 || (i - 2) % 10 >= 7 {
            *x = f32::NAN;
        }
    }
    inputs.insert("x", Tensor::from_f32(Format::F32, &[length], &x).unwrap());
    conform_on(&gpu, &desc, &inputs);
}

fn out_bits(gpu: &Gpu, desc: &RotaryDesc, inputs: &Tensors, pick: langevin::Variant) -> Vec<u32> {
    let plan = PlanOptions { pick: pick.into(), ..Default::default() };
    let outputs = verify::run(gpu, desc, inputs, &RunOptions { plan }).unwrap();
    outputs.get("out").unwrap().to_f32().into_iter().map(f32::to_bits).collect()
}

/// A GPU cannot refuse positions outside the table: it reads no other memory, and turns by some row.
#[test]
fn wrong_positions_are_refused_or_harmless() {
    let Some(gpu) = gpu() else { return };
    let desc = RotaryDesc { positions: Positions::Tokens, ..turning(3, 8, &[8]) };
    let mut inputs = generate::inputs(&desc, 1);
    let wrong = [-1, i32::MAX, 6];
    inputs.insert("positions", Tensor::from_i32(&[3, 1], &wrong).unwrap());
    let error = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "rotary: tensor `positions` must hold rows of `cos` and `sin`, got -1 at [0, 0]");
    for variant in desc.variants(gpu.capabilities()) {
        let options = PlanOptions { pick: variant.into(), ..Default::default() };
        let plan = Rotary::with_options(gpu.device(), &desc, &options).unwrap();
        let mut buffers = Vec::new();
        for spec in plan.tensors() {
            let words = inputs.get(spec.name).map_or_else(|| vec![0; 48], |tensor| tensor.to_words(0));
            buffers.push((spec.name, gpu.upload(spec.name, &words).unwrap()));
        }
        let bindings: Vec<_> =
            buffers.iter().map(|(name, buffer)| (*name, buffer.as_entire_buffer_binding())).collect();
        let call = plan.bind_named(gpu.device(), &bindings).unwrap();
        gpu.run(|encoder| call.encode(encoder)).unwrap();
        let (_, out) = buffers.iter().find(|(name, _)| *name == "out").unwrap();
        let got = gpu.download(out).unwrap();
        // The last row, as the shader has it.
        inputs.insert("positions", Tensor::from_i32(&[3, 1], &[5; 3]).unwrap());
        assert_eq!(got, out_bits(&gpu, &desc, &inputs, variant), "{}", variant.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..Default::default() })]

    #[test]
    fn any_rotary_is_within_its_bound(
        (batch, heads, seq) in (1usize..4, 1usize..4, 1usize..20),
        pairs in prop::collection::vec(1usize..12, 0..5),
        rest in 0usize..9,
        (x, out, kind) in (0usize..6, 0usize..3, 0usize..3),
        (interleaved, norm, weight, in_place) in (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        per_head in any::<bool>(),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let axes: Vec<usize> = pairs.iter().map(|pairs| 2 * pairs).collect();
        let head_dim = (axes.iter().sum::<usize>() + rest).max(1);
        let desc = RotaryDesc {
            batch,
            heads,
            pairing: PAIRINGS[usize::from(interleaved)],
            positions: [Positions::From(2), Positions::Tokens, Positions::ItemTokens][kind],
            norm: norm.then_some(1e-3),
            weight: norm && weight,
            weight_rows: if norm && weight && per_head { heads } else { 1 },
            x: if in_place { OUTS[out] } else { Format::ALL[x] },
            out: OUTS[out],
            in_place,
            ..turning(seq, head_dim, &axes)
        };
        conform(&gpu, &desc, seed);
    }

    /// Position 0 leaves every finite row as it is, to the bit; in every format, in place or not.
    #[test]
    fn position_zero_turns_nothing((seq, pairs, rest) in (1usize..20, 1usize..40, 0usize..4), out in 0usize..3, seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let axes = [2 * pairs];
        let [cos, sin] = rotary_table(&axes, 10_000.0, &vec![vec![0.0]; seq + 3]).unwrap();
        let desc = RotaryDesc { x: OUTS[out], out: OUTS[out], ..turning(seq, 2 * pairs + rest, &axes) };
        let mut inputs = generate::inputs(&desc, seed);
        inputs.insert("cos", cos);
        inputs.insert("sin", sin);
        let x = inputs.get("x").unwrap().clone();
        for variant in desc.variants(gpu.capabilities()) {
            prop_assert_eq!(
                out_bits(&gpu, &desc, &inputs, variant),
                x.to_f32().into_iter().map(f32::to_bits).collect::<Vec<_>>()
            );
        }
    }

    /// Half-split pairs of a row are interleaved pairs of the row in another order.
    #[test]
    fn pairings_differ_by_a_permutation((seq, pairs) in (1usize..9, 1usize..40), seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let dim = 2 * pairs;
        let half_split = turning(seq, dim, &[dim]);
        let interleaved = RotaryDesc { pairing: Pairing::Interleaved, ..half_split.clone() };
        let inputs = generate::inputs(&half_split, seed);
        let mut others = inputs.clone();
        let x = inputs.get("x").unwrap().to_f32();
        let shuffled: Vec<f32> = x
            .chunks(dim)
            .flat_map(|row| (0..dim).map(|i| row[i / 2 + i % 2 * pairs]))
            .collect();
        others.insert("x", Tensor::from_f32(Format::F32, &[1, 2, seq, dim], &shuffled).unwrap());
        let values = |desc: &RotaryDesc, inputs: &Tensors| -> Vec<f64> {
            desc.evaluate(inputs).unwrap()[0].values().into_iter().collect()
        };
        let want: Vec<f64> = values(&half_split, &inputs)
            .chunks(dim)
            .flat_map(|row| (0..dim).map(|i| row[i / 2 + i % 2 * pairs]))
            .collect();
        prop_assert_eq!(values(&interleaved, &others), want);
        conform_on(&gpu, &half_split, &inputs);
        conform_on(&gpu, &interleaved, &others);
    }
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: RotaryDesc| Rotary::new(gpu.device(), &desc).unwrap_err().to_string();
    let good = || turning(3, 8, &[4, 4]);
    let check = |desc, sentence: &str| assert_eq!(error(desc), format!("rotary: {sentence}"));
    check(RotaryDesc { out: Format::I8, ..good() }, "`out` must be f32, f16 or bf16, got i8");
    check(RotaryDesc { head_dim: 0, ..good() }, "`head_dim` must be from 1 to 256, got 0");
    check(RotaryDesc { head_dim: 257, ..good() }, "`head_dim` must be from 1 to 256, got 257");
    for axes in [vec![3], vec![0], vec![4, 6], vec![2; 5], vec![usize::MAX - 1, usize::MAX - 1]] {
        let sentence = format!("`axes` must be at most 4 even numbers that sum to at most 8, got {axes:?}");
        check(RotaryDesc { axes, ..good() }, &sentence);
    }
    check(
        RotaryDesc { table_rows: 5, positions: Positions::From(3), ..good() },
        "`table_rows` must be from 6, the rows of `cos` and `sin` for 3 tokens from position 3, to 2147483647, got 5",
    );
    check(
        RotaryDesc { table_rows: 0, positions: Positions::Tokens, ..good() },
        "`table_rows` must be from 1, the rows of `cos` and `sin` for the positions given, to 2147483647, got 0",
    );
    check(RotaryDesc { norm: Some(0.0), ..good() }, "`norm` must be a positive normal number, got 0");
    check(RotaryDesc { norm: Some(f32::NAN), ..good() }, "`norm` must be a positive normal number, got NaN");
    check(RotaryDesc { weight: true, ..good() }, "`weight` must be left out without a norm, got true");
    let weighted = || RotaryDesc { weight: true, norm: Some(1e-5), ..good() };
    check(
        RotaryDesc { weight_rows: 3, ..weighted() },
        "`weight_rows` must be a divisor of the 2 heads, got 3",
    );
    check(
        RotaryDesc { weight_rows: 0, ..weighted() },
        "`weight_rows` must be a divisor of the 2 heads, got 0",
    );
    check(RotaryDesc { weight_rows: 2, ..good() }, "`weight_rows` must be 1 without a weight, got 2");
    let elsewhere = error(RotaryDesc { in_place: true, x: Format::F16, ..good() });
    let start =
        "rotary: `in_place` must be left out where `x` and `out` are stored differently, got f16 at None";
    assert!(elsewhere.starts_with(start), "{elsewhere}");
    let overlap = error(RotaryDesc { out_view: Some(View::columns(3, 15, 0, 8)), ..good() });
    assert!(
        overlap.starts_with("rotary: `out_view` must be strides that keep 3 rows of 8 apart"),
        "{overlap}"
    );
    let large = error(RotaryDesc { batch: 1 << 20, seq: 1 << 12, table_rows: 1 << 12, ..good() });
    assert!(large.starts_with("rotary: the number of elements of `x` must be at most"), "{large}");
}
