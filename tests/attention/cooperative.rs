//! Cooperative matrices: what depends on how that shader takes rows, keys, dims and columns, in the formats it is for.

use super::{two_heads, with_options};
use langevin::reference::generate;
use langevin::verify::{self, RunOptions, Tensor, Tensors};
use langevin::{Align, AttentionDesc, Format, Heads, Kernel, PlanOptions, Tier, Variant, View, Window};
use langevin_testkit::{compare_with, gpu};

const FORMATS: [Format; 4] = [Format::F16, Format::E4m3, Format::E5m2, Format::I8];

/// q, k and v in three of the formats.
fn halves(desc: AttentionDesc, turn: usize) -> AttentionDesc {
    let with = |heads: Heads, step: usize| Heads { format: FORMATS[(turn + step) % 4], ..heads };
    AttentionDesc { q: with(desc.q, 0), k: with(desc.k, 1), v: with(desc.v, 3), ..desc }
}

fn in_f16(desc: AttentionDesc) -> AttentionDesc {
    let with = |heads: Heads| Heads { format: Format::F16, ..heads };
    AttentionDesc { q: with(desc.q), k: with(desc.k), v: with(desc.v), ..desc }
}

fn cooperative(gpu: &langevin::gpu::Gpu, desc: &AttentionDesc) -> Option<Variant> {
    desc.variants(gpu.capabilities()).into_iter().find(|variant| variant.name == "cooperative")
}

/// Whether the adapter has the variant for this; then it conforms.
fn check_on(gpu: &langevin::gpu::Gpu, desc: &AttentionDesc, inputs: &Tensors) -> bool {
    let Some(variant) = cooperative(gpu, desc) else { return false };
    compare_with(gpu, desc, inputs, variant, gpu.capabilities().clone());
    true
}

fn check(gpu: &langevin::gpu::Gpu, desc: &AttentionDesc, seed: u64) -> bool {
    check_on(gpu, desc, &generate::inputs(desc, seed))
}

fn run(gpu: &langevin::gpu::Gpu, desc: &AttentionDesc, inputs: &Tensors, variant: Variant) -> Vec<f32> {
    let plan = PlanOptions { pick: variant.into(), ..Default::default() };
    verify::run(gpu, desc, inputs, &RunOptions { plan }).unwrap().remove("out").unwrap().to_f32()
}

fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a.to_bits() == b.to_bits())
}

/// The other tests find nothing to check where the variant is not offered: it is on every adapter that has the matrices,
/// subgroups of one size and 32 KiB of workgroup memory.
#[test]
fn cooperative_is_offered_where_the_matrices_are() {
    let Some(gpu) = gpu() else { return };
    let capabilities = gpu.capabilities();
    let (least, most) = capabilities.subgroup_sizes;
    let memory = capabilities.limits.max_compute_workgroup_storage_size >= 32 << 10;
    let has = capabilities.has(Tier::Cooperative) && least == most && memory;
    for (head_dim, v_dim) in [(3, 5), (64, 64), (128, 4)] {
        let desc = in_f16(two_heads(33, 32, head_dim, v_dim));
        assert_eq!(cooperative(&gpu, &desc).is_some(), has, "{head_dim}, {v_dim}");
    }
}

/// Dims and columns that fill matrices of 8 and 16 and that do not; rows and keys around tiles of 16, 32 and 64.
#[test]
fn cooperative_shapes() {
    let Some(gpu) = gpu() else { return };
    let dims = [(3, 5), (16, 33), (64, 64), (72, 31), (128, 4)];
    let rows = [(70, 33), (1, 1), (16, 32), (64, 97), (7, 130)];
    for (turn, ((head_dim, v_dim), (seq_q, seq_kv))) in dims.into_iter().zip(rows).enumerate() {
        let desc = halves(two_heads(seq_q, seq_kv, head_dim, v_dim), turn);
        check(&gpu, &AttentionDesc { batch: 1 + turn % 2, ..desc }, turn as u64);
    }
}

#[test]
fn cooperative_options() {
    let Some(gpu) = gpu() else { return };
    let bits = |run: usize| {
        (0..9).fold(0, |bits, i| bits | usize::from([0, 1, 3, 4, 5, 9].contains(&((i + run) % 11))) << i)
    };
    // Each is one more shader, of the slowest to compile.
    for (turn, bits) in (0..11).step_by(3).map(bits).chain([0, 511]).enumerate() {
        let (seq_q, seq_kv) = [(31, 70), (6, 41), (45, 33)][turn % 3];
        let desc = AttentionDesc { batch: 2, ..two_heads(seq_q, seq_kv, 8, 10) };
        let desc = halves(with_options(desc, bits), turn);
        // Scales of values by key are for other variants.
        let v = if desc.v.scale.is_some() { desc.v.scaled([1, 1, 1]) } else { desc.v };
        check(&gpu, &AttentionDesc { v, ..desc }, turn as u64);
    }
}

/// Logits that grow from key to key and fall again, so that the reference rises in most blocks, for rows by themselves.
#[test]
fn cooperative_references_rise() {
    let Some(gpu) = gpu() else { return };
    for (softcap, causal) in [(None, None), (Some(30.0), None), (None, Some(Align::BottomRight))] {
        let (seq_q, seq_kv, dim) = (40, 300, 8);
        let sizes = two_heads(seq_q, seq_kv, dim, 40);
        let desc = in_f16(AttentionDesc { softcap, causal, scale: Some(1.0), ..sizes });
        let mut inputs = generate::inputs(&desc, 5);
        let mut k = inputs.get("k").unwrap().to_f32();
        for (key, row) in k.chunks_mut(dim).enumerate() {
            row.iter_mut().for_each(|x| *x *= 1.0 + key as f32 / 20.0);
        }
        inputs.insert("k", Tensor::from_f32(Format::F16, &[1, 1, seq_kv, dim], &k).unwrap());
        check_on(&gpu, &desc, &inputs);
    }
}

/// NaN, infinity and large numbers in keys and values that no row, some rows or only other rows see.
#[test]
fn cooperative_hidden_keys_may_hold_anything() {
    let Some(gpu) = gpu() else { return };
    let (seq, dim) = (80, 8);
    let sizes = in_f16(two_heads(seq, seq, dim, 12));
    let window = Some(Window { left: Some(20), right: Some(0), align: Align::TopLeft });
    let mask = [1, 1, seq, seq];
    for desc in [
        AttentionDesc { causal: Some(Align::TopLeft), ..sizes.clone() },
        AttentionDesc { window, ..sizes.clone() },
        AttentionDesc { mask: Some(mask), ..sizes },
    ] {
        let Some(variant) = cooperative(&gpu, &desc) else { return };
        let mut clean = generate::inputs(&desc, 6);
        // As if causal, with some rows that see nothing.
        let seen: Vec<bool> = (0..seq * seq).map(|i| i % seq <= i / seq && i / seq % 9 != 4).collect();
        if desc.mask.is_some() {
            clean.insert("mask", Tensor::from_bools(&mask, &seen).unwrap());
        }
        let want = run(&gpu, &desc, &clean, variant);
        for garbage in [f32::NAN, f32::INFINITY, 65504.0] {
            let mut inputs = clean.clone();
            for (name, dim) in [("k", dim), ("v", 12)] {
                let mut rows = clean.get(name).unwrap().to_f32();
                rows[41 * dim..42 * dim].fill(garbage);
                // One element of the last key.
                rows[79 * dim + 3] = garbage;
                inputs.insert(name, Tensor::from_f32(Format::F16, &[1, 1, seq, dim], &rows).unwrap());
            }
            let got = run(&gpu, &desc, &inputs, variant);
            for row in 0..2 * seq {
                let [got, want] = [&got, &want].map(|rows| &rows[row * 12..][..12]);
                assert!(want.iter().all(|value| value.is_finite()));
                if row % seq < 41 {
                    assert!(same_bits(got, want), "{garbage} reaches row {row} of {desc:?}");
                }
            }
        }
    }
}

/// Infinite values reach the columns in which they stand.
#[test]
fn cooperative_infinite_values_stay_in_their_columns() {
    let Some(gpu) = gpu() else { return };
    let causal = Some(Align::TopLeft);
    let desc = in_f16(AttentionDesc { causal, lse: false, ..two_heads(50, 50, 8, 40) });
    let Some(variant) = cooperative(&gpu, &desc) else { return };
    let clean = generate::inputs(&desc, 2);
    let mut inputs = clean.clone();
    let mut v = clean.get("v").unwrap().to_f32();
    v[20 * 40 + 35] = f32::INFINITY;
    inputs.insert("v", Tensor::from_f32(Format::F16, &[1, 1, 50, 40], &v).unwrap());
    let got = run(&gpu, &desc, &inputs, variant);
    for (i, value) in got.iter().enumerate() {
        let sees = i / 40 % 50 >= 20 && i % 40 == 35;
        assert_eq!(value.is_finite(), !sees, "{value} at {i}");
    }
}

#[test]
fn cooperative_splits_add_up() {
    let Some(gpu) = gpu() else { return };
    let one = |seq_kv| in_f16(two_heads(1, seq_kv, 12, 10));
    for (turn, desc) in [
        AttentionDesc { seq_q: 20, causal: Some(Align::BottomRight), ..one(600) },
        AttentionDesc { seq_q: 3, causal: Some(Align::TopLeft), sinks: true, ..one(777) },
        AttentionDesc { mask: Some([1, 1, 1, 700]), v_dim: 70, ..one(700) },
    ]
    .iter()
    .enumerate()
    {
        check(&gpu, desc, turn as u64);
    }
}

/// Tokens before heads, rows that start anywhere, and rows in eights.
#[test]
fn cooperative_views() {
    let Some(gpu) = gpu() else { return };
    let (seq_q, seq_kv) = (9, 35);
    for (turn, (head_dim, v_dim, gap)) in [(6, 10, 3), (8, 16, 8), (16, 8, 4)].into_iter().enumerate() {
        let heads = Heads::from(FORMATS[turn]);
        let width = 2 * (head_dim + v_dim) + gap;
        let desc = AttentionDesc {
            batch: 2,
            heads: 4,
            kv_heads: 2,
            q: heads.viewed(View::columns(seq_q, 4 * head_dim + gap, gap, head_dim)),
            k: heads.viewed(View::columns(seq_kv, width, 0, head_dim)),
            v: heads.viewed(View::columns(seq_kv, width, 2 * head_dim + gap, v_dim)),
            out: Format::F16,
            ..two_heads(seq_q, seq_kv, head_dim, v_dim)
        };
        check(&gpu, &desc, turn as u64);
    }
}

/// A query's bits do not depend on how many stand beside it.
#[test]
fn cooperative_queries_keep_their_bits() {
    let Some(gpu) = gpu() else { return };
    for causal in [false, true] {
        let diagonal = |first: i64| causal.then_some(Align::Offset(100 + first));
        let sizes = in_f16(AttentionDesc { batch_invariant: true, lse: false, ..two_heads(70, 180, 16, 20) });
        let desc = AttentionDesc { heads: 1, causal: diagonal(0), ..sizes };
        let Some(variant) = cooperative(&gpu, &desc) else { return };
        let inputs = generate::inputs(&desc, 3);
        let whole = run(&gpu, &desc, &inputs, variant);
        let q = inputs.get("q").unwrap().to_f32();
        for (first, count) in [(69, 1), (3, 40)] {
            let few = AttentionDesc { seq_q: count, causal: diagonal(first as i64), ..desc.clone() };
            let mut some = inputs.clone();
            let rows = &q[first * 16..][..count * 16];
            some.insert("q", Tensor::from_f32(Format::F16, &[1, 1, count, 16], rows).unwrap());
            let alone = run(&gpu, &few, &some, variant);
            assert!(same_bits(&alone, &whole[first * 20..][..count * 20]), "from {first} on");
        }
    }
}
