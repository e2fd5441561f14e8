//! Sequences of various lengths, one behind the other.

use super::two_heads;
use langevin::reference::generate;
use langevin::verify::{self, Op, RunOptions, Tensor, Tensors};
use langevin::{Align, AttentionDesc, Format, Kernel, PlanOptions, Window};
use langevin_testkit::{conform, conform_on, gpu};

fn offsets(lengths: &[usize]) -> Tensor {
    let mut offsets = vec![0i32];
    offsets.extend(lengths.iter().scan(0, |sum, length| {
        *sum += *length as i32;
        Some(*sum)
    }));
    Tensor::from_i32(&[offsets.len()], &offsets).unwrap()
}

/// Sequences of those lengths, with ordinary numbers in the other tensors.
fn packed(desc: &AttentionDesc, queries: &[usize], keys: &[usize]) -> (AttentionDesc, Tensors) {
    let (seq_q, seq_kv) = (queries.iter().sum(), keys.iter().sum());
    let desc = AttentionDesc { seq_q, seq_kv, sequences: Some(queries.len()), ..desc.clone() };
    let mut inputs = generate::inputs(&desc, 3);
    inputs.insert("q_offsets", offsets(queries));
    inputs.insert("kv_offsets", offsets(keys));
    (desc, inputs)
}

/// 1, tile - 1, tile, tile + 1, none, many; more queries than keys and the reverse; and no query or key at all.
#[test]
fn every_length() {
    let Some(gpu) = gpu() else { return };
    let bands = [
        (None, None),
        (Some(Align::BottomRight), None),
        (None, Some(Window { left: Some(9), right: Some(2), align: Align::BottomRight })),
        (Some(Align::Offset(2)), Some(Window { left: Some(20), right: None, align: Align::Offset(2) })),
    ];
    for (causal, window) in bands {
        let desc = AttentionDesc { causal, window, ..two_heads(0, 0, 4, 5) };
        for (queries, keys) in [
            (&[1, 3, 4, 5, 0, 32, 33, 70][..], &[70, 0, 8, 9, 5, 31, 33, 1][..]),
            (&[0, 0, 7, 0], &[3, 0, 40, 2]),
            (&[5], &[100]),
            (&[2, 3], &[0, 0]),
        ] {
            let (desc, inputs) = packed(&desc, queries, keys);
            conform_on(&gpu, &desc, &inputs);
        }
    }
    // More sequences than the list has lanes, most of them empty.
    let desc = AttentionDesc { sequences: Some(700), ..two_heads(90, 120, 4, 5) };
    conform(&gpu, &desc, 4);
    conform(&gpu, &AttentionDesc { seq_q: 0, ..desc }, 4);
}

/// What lies in other sequences never reaches a query, and its bits are those that it has alone.
#[test]
fn sequences_do_not_see_each_other() {
    let Some(gpu) = gpu() else { return };
    let (queries, keys) = ([3, 40, 9], [50, 20, 33]);
    let one =
        AttentionDesc { causal: Some(Align::BottomRight), batch_invariant: true, ..two_heads(40, 20, 8, 6) };
    let (desc, mut inputs) = packed(&one, &queries, &keys);
    // All but the second sequence's keys and values are NaN.
    for (name, dim) in [("k", 8), ("v", 6)] {
        let mut rows = inputs.get(name).unwrap().to_f32();
        let (before, after) = rows.split_at_mut(50 * dim);
        before.fill(f32::NAN);
        after[20 * dim..].fill(f32::NAN);
        inputs.insert(name, Tensor::from_f32(Format::F32, &[1, 1, 103, dim], &rows).unwrap());
    }
    let part = |name: &str, shape: [usize; 4], heads: usize, rows: usize, first: usize| {
        let values = inputs.get(name).unwrap().to_f32();
        let dim = shape[3];
        let part: Vec<f32> = (0..heads)
            .flat_map(|head| values[(head * rows + first) * dim..][..shape[2] * dim].to_vec())
            .collect();
        Tensor::from_f32(Format::F32, &shape, &part).unwrap()
    };
    let mut alone = Tensors::new();
    alone.insert("q", part("q", [1, 2, 40, 8], 2, 52, 3));
    alone.insert("k", part("k", [1, 1, 20, 8], 1, 103, 50));
    alone.insert("v", part("v", [1, 1, 20, 6], 1, 103, 50));
    for variant in desc.variants(gpu.capabilities()) {
        let run = |desc: &AttentionDesc, inputs: &Tensors| {
            let plan = PlanOptions { pick: variant.into(), ..Default::default() };
            verify::run(&gpu, desc, inputs, &RunOptions { plan }).unwrap().remove("out").unwrap().to_f32()
        };
        let (together, expected) = (run(&desc, &inputs), run(&one, &alone));
        for head in 0..2 {
            let got = &together[(head * 52 + 3) * 6..][..40 * 6];
            let want = &expected[head * 40 * 6..][..40 * 6];
            assert!(got.iter().zip(want).all(|(a, b)| a.to_bits() == b.to_bits()), "{}", variant.name);
            assert!(want.iter().all(|value| value.is_finite()));
        }
    }
}

/// A GPU cannot refuse offsets that break their rules: whatever it computes, it reads and writes its own tensors alone.
#[test]
fn wrong_offsets_are_refused_or_harmless() {
    let Some(gpu) = gpu() else { return };
    let desc = AttentionDesc { sequences: Some(3), ..two_heads(5, 7, 4, 4) };
    let mut inputs = generate::inputs(&desc, 1);
    inputs.insert("q_offsets", Tensor::from_i32(&[4], &[0, 4, 2, 5]).unwrap());
    let error = verify::run(&gpu, &desc, &inputs, &RunOptions::default()).unwrap_err().to_string();
    assert_eq!(error, "attention: tensor `q_offsets` must hold offsets that never fall, got 2 at [2]");
    assert_eq!(desc.evaluate(&inputs).unwrap_err().to_string(), error);
    for wrong in [[0, 4, 2, 5], [-9, i32::MAX, 3, 900], [7, 7, 7, 7]] {
        let plan = langevin::Attention::new(gpu.device(), &desc).unwrap();
        let mut buffers = Vec::new();
        for spec in plan.tensors() {
            let words = match (spec.name, inputs.get(spec.name)) {
                ("q_offsets" | "kv_offsets", _) => wrong.map(|offset| offset as u32).to_vec(),
                (_, Some(tensor)) => tensor.to_words(0),
                (_, None) => vec![0; (spec.gpu_bytes().unwrap() / 4) as usize],
            };
            buffers.push((spec.name, gpu.upload(spec.name, &words).unwrap()));
        }
        buffers.push(("scratch", gpu.empty("scratch", plan.scratch_bytes()).unwrap()));
        let bindings: Vec<_> =
            buffers.iter().map(|(name, buffer)| (*name, buffer.as_entire_buffer_binding())).collect();
        let call = plan.bind_named(gpu.device(), &bindings).unwrap();
        gpu.run(|encoder| call.encode(encoder)).unwrap();
    }
}
