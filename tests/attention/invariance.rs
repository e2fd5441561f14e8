//! Batch invariance: a query's bits do not depend on what stands beside it.

use super::two_heads;
use langevin::reference::generate;
use langevin::verify::{self, RunOptions, Tensor, Tensors};
use langevin::{Align, AttentionDesc, Format, Kernel, PlanOptions, Window};
use langevin_testkit::gpu;

/// A batch of three items of two heads, whose keys an ordinary call would split for a few queries.
fn batch() -> AttentionDesc {
    AttentionDesc { batch: 3, batch_invariant: true, ..two_heads(41, 600, 16, 20) }
}

/// Queries `first..first + count` of the last item, of all its heads.
fn some_queries(desc: &AttentionDesc, inputs: &Tensors, first: usize, count: usize) -> Tensors {
    let AttentionDesc { batch, heads, kv_heads, seq_q, seq_kv, head_dim, v_dim, .. } = *desc;
    let values = |name: &str| inputs.get(name).unwrap().to_f32();
    let q: Vec<f32> = (0..heads)
        .flat_map(|head| {
            let row = ((batch - 1) * heads + head) * seq_q + first;
            values("q")[row * head_dim..][..count * head_dim].to_vec()
        })
        .collect();
    let mut few = Tensors::new();
    few.insert("q", Tensor::from_f32(Format::F32, &[1, heads, count, head_dim], &q).unwrap());
    for (name, dim) in [("k", head_dim), ("v", v_dim)] {
        let length = kv_heads * seq_kv * dim;
        let rows = &values(name)[(batch - 1) * length..];
        few.insert(name, Tensor::from_f32(Format::F32, &[1, kv_heads, seq_kv, dim], rows).unwrap());
    }
    few
}

#[test]
fn a_query_does_not_depend_on_the_others() {
    let Some(gpu) = gpu() else { return };
    // The diagonal of a query stays where it is when the others go.
    let window = |offset| Some(Window { left: Some(300), right: Some(1), align: Align::Offset(offset) });
    for (causal, window_of) in [(false, false), (true, false), (false, true)] {
        let at = |first: usize| {
            let offset = 550 + first as i64;
            (causal.then_some(Align::Offset(offset)), if window_of { window(offset) } else { None })
        };
        let (causal, window) = at(0);
        let desc = AttentionDesc { causal, window, ..batch() };
        let inputs = generate::inputs(&desc, 3);
        for variant in desc.variants(gpu.capabilities()) {
            let run = |desc: &AttentionDesc, inputs: &Tensors| {
                let plan = PlanOptions { pick: variant.into(), ..Default::default() };
                verify::run(&gpu, desc, inputs, &RunOptions { plan }).unwrap().remove("out").unwrap().to_f32()
            };
            let whole = run(&desc, &inputs);
            for (first, count) in [(40, 1), (3, 17)] {
                let (causal, window) = at(first);
                let few = AttentionDesc { batch: 1, seq_q: count, causal, window, ..desc.clone() };
                let alone = run(&few, &some_queries(&desc, &inputs, first, count));
                for head in 0..2 {
                    let want = &whole[((2 * 2 + head) * 41 + first) * 20..][..count * 20];
                    let got = &alone[head * count * 20..][..count * 20];
                    let same = got.iter().zip(want).all(|(a, b)| a.to_bits() == b.to_bits());
                    assert!(same, "{} of {few:?}", variant.name);
                }
            }
        }
    }
}

/// Without the mode few queries are computed otherwise: it would be no use if it changed nothing.
#[test]
fn the_mode_changes_what_is_dispatched() {
    let Some(gpu) = gpu() else { return };
    let stages = |batch_invariant| {
        let desc = AttentionDesc { batch: 1, seq_q: 1, batch_invariant, ..batch() };
        langevin::sources(&desc, gpu.capabilities(), &Default::default()).unwrap().len()
    };
    assert_eq!((stages(true), stages(false)), (1, 2));
}
