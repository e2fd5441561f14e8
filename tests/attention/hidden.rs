//! What a query does not see: zeros where it sees nothing, and nothing of what lies there.

use super::two_heads;
use langevin::reference::{TensorSpec, generate};
use langevin::verify::{self, Op, RunOptions, Tensor, Tensors};
use langevin::{
    Align, Attention, AttentionDesc, Call, Format, Gpu, Kernel, PlanError, PlanOptions, Variant, Window,
};
use langevin_testkit::{conform_in_turns, conform_on, gpu};
use std::time::{Duration, Instant};

fn f32s(tensors: &Tensors, name: &str) -> Vec<f32> {
    tensors.get(name).unwrap().to_f32()
}

fn put(tensors: &mut Tensors, name: &str, shape: &[usize], values: &[f32]) {
    tensors.insert(name, Tensor::from_f32(Format::F32, shape, values).unwrap());
}

/// Runs every variant and hands over its outputs.
fn each_variant(desc: &AttentionDesc, inputs: &Tensors, check: impl Fn(&Tensors)) {
    let Some(gpu) = gpu() else { return };
    for variant in desc.variants(gpu.capabilities()) {
        let plan = PlanOptions { pick: variant.into(), ..Default::default() };
        check(&verify::run(&gpu, desc, inputs, &RunOptions { plan }).unwrap());
    }
}

#[test]
fn queries_before_the_first_key_see_nothing() {
    // 40 queries aligned with the end of 9 keys: the first 31 see none. A sink changes nothing for them.
    for sinks in [false, true] {
        let desc = AttentionDesc { causal: Some(Align::BottomRight), sinks, ..two_heads(40, 9, 8, 6) };
        let inputs = generate::inputs(&desc, 4);
        each_variant(&desc, &inputs, |outputs| {
            for (row, lse) in f32s(outputs, "lse").iter().enumerate() {
                let out = &f32s(outputs, "out")[row * 6..][..6];
                let hidden = row % 40 < 31;
                assert_eq!(out.iter().all(|value| value.to_bits() == 0), hidden, "row {row}");
                assert_eq!(lse.to_bits() == 0xff80_0000, hidden, "row {row}");
            }
        });
        if let Some(gpu) = gpu() {
            conform_on(&gpu, &desc, &inputs);
        }
    }
}

#[test]
fn every_alignment_and_length() {
    let Some(gpu) = gpu() else { return };
    let far = [i64::MIN, -40, -33, -32, -31, -1, 0, 1, 31, 32, 33, i64::MAX];
    let diagonals = far.map(Align::Offset).into_iter().chain([Align::TopLeft, Align::BottomRight]);
    for (seed, align) in diagonals.enumerate() {
        for (seq_q, seq_kv) in [(1, 70), (33, 33), (35, 3), (40, 66)] {
            let causal = Some(align);
            conform_in_turns(&gpu, &AttentionDesc { causal, ..two_heads(seq_q, seq_kv, 4, 5) }, seed as u64);
        }
    }
}

/// Windows whose edges fall on, before and behind the edges of blocks of keys and tiles of rows.
#[test]
fn every_window() {
    let Some(gpu) = gpu() else { return };
    let mut checked = 0;
    let sides = [None, Some(0), Some(1), Some(7), Some(8), Some(31), Some(32), Some(33), Some(usize::MAX)];
    for (i, (left, right)) in sides.into_iter().flat_map(|left| sides.map(|right| (left, right))).enumerate()
    {
        let align = [Align::TopLeft, Align::BottomRight, Align::Offset(5), Align::Offset(-3)][i % 4];
        let (seq_q, seq_kv) = [(70, 70), (33, 130), (100, 40), (1, 67)][i / 2 % 4];
        let window = Some(Window { left, right, align });
        let causal = (i % 3 == 0).then_some(align);
        let desc = AttentionDesc { window, causal, ..two_heads(seq_q, seq_kv, 4, 5) };
        // One in which no query sees a key is refused.
        if desc.validate().is_ok() {
            conform_in_turns(&gpu, &desc, i as u64);
            checked += 1;
        }
    }
    assert!(checked > 70, "{checked}");
}

/// Blocks of keys that a tile cannot see are not visited, which only time can tell.
///
/// One split of the keys, so that a tile takes its blocks one by one on any adapter: 125 without the window, at most 4
/// with it, so that half the time is a wide margin. The calls are recorded, submitted and awaited, no more; they take
/// turns, and the fastest run of each counts, as whatever else the machine does can only slow one down.
#[test]
fn hidden_blocks_are_skipped() {
    let Some(gpu) = gpu() else { return };
    let all = AttentionDesc { batch_invariant: true, ..two_heads(64, 4000, 16, 16) };
    let window = Some(Window { left: Some(10), right: Some(0), align: Align::BottomRight });
    let few = AttentionDesc { window, ..all.clone() };
    for variant in all.variants(gpu.capabilities()) {
        // A driver that would end the loops over all keys has no such plan.
        let (Some(few), Some(all)) = (Prepared::new(&gpu, &few, variant), Prepared::new(&gpu, &all, variant))
        else {
            continue;
        };
        let runs: Vec<[Duration; 2]> = (0..5).map(|_| [few.time(&gpu), all.time(&gpu)]).collect();
        let fastest = |which: usize| runs.iter().map(|run| run[which]).min().unwrap();
        println!("{}: {:?} with the window, {:?} without", variant.name, fastest(0), fastest(1));
        assert!(fastest(0) * 2 < fastest(1), "{} skips nothing: {runs:?}", variant.name);
    }
}

/// A call with its buffers, compiled and run once.
struct Prepared {
    call: Call,
}

impl Prepared {
    fn new(gpu: &Gpu, desc: &AttentionDesc, variant: Variant) -> Option<Self> {
        let options = PlanOptions { pick: variant.into(), ..Default::default() };
        let plan = match Attention::with_options(gpu.device(), desc, &options) {
            Ok(plan) => plan,
            Err(PlanError::Limit { limit: "max_loop_iterations", .. }) => return None,
            Err(error) => panic!("{}: {error}", variant.name),
        };
        let inputs = generate::inputs(desc, 1);
        let buffer = |spec: &TensorSpec| match inputs.get(spec.name) {
            Some(tensor) => gpu.upload(spec.name, &tensor.to_words(0)).unwrap(),
            None => gpu.empty(spec.name, spec.gpu_bytes().unwrap()).unwrap(),
        };
        let mut buffers: Vec<_> = plan.tensors().iter().map(|spec| (spec.name, buffer(spec))).collect();
        if plan.scratch_bytes() > 0 {
            buffers.push(("scratch", gpu.empty("scratch", plan.scratch_bytes()).unwrap()));
        }
        let bindings: Vec<_> =
            buffers.iter().map(|(name, buffer)| (*name, buffer.as_entire_buffer_binding())).collect();
        let prepared = Self { call: plan.bind_named(gpu.device(), &bindings).unwrap() };
        prepared.time(gpu);
        Some(prepared)
    }

    fn time(&self, gpu: &Gpu) -> Duration {
        let start = Instant::now();
        gpu.run(|encoder| self.call.encode(encoder)).unwrap();
        start.elapsed()
    }
}

/// NaN in hidden rows of k and v, and in the bias of hidden pairs, in tiles that are hidden in part and in whole.
#[test]
fn hidden_keys_and_values_may_hold_anything() {
    let (seq_q, seq_kv, dim) = (34, 100, 8);
    let mask = [1, 1, 1, seq_kv];
    let full = [1, 2, seq_q, seq_kv];
    let desc = AttentionDesc { mask: Some(mask), bias: Some(full), ..two_heads(seq_q, seq_kv, dim, dim) };
    let mut inputs = generate::inputs(&desc, 9);
    // Keys 0 to 40 are hidden, then every other one; the masked pairs' bias is NaN.
    let seen: Vec<bool> = (0..seq_kv).map(|j| j > 40 && j % 2 == 0).collect();
    inputs.insert("mask", Tensor::from_bools(&mask, &seen).unwrap());
    for garbage in [f32::NAN, f32::INFINITY, f32::MAX] {
        for name in ["k", "v"] {
            let mut rows = f32s(&inputs, name);
            rows.chunks_mut(dim)
                .zip(&seen)
                .filter(|(_, seen)| !**seen)
                .for_each(|(row, _)| row.fill(garbage));
            put(&mut inputs, name, &[1, 1, seq_kv, dim], &rows);
        }
        let mut bias = f32s(&inputs, "bias");
        bias.iter_mut().enumerate().filter(|(i, _)| !seen[i % seq_kv]).for_each(|(_, bias)| *bias = garbage);
        put(&mut inputs, "bias", &full, &bias);
        if let Some(gpu) = gpu() {
            conform_on(&gpu, &desc, &inputs);
        }
    }
}

/// A key that only some queries of a tile see: its NaN reaches those alone.
#[test]
fn a_nan_reaches_only_the_queries_that_see_it() {
    let desc = AttentionDesc { causal: Some(Align::TopLeft), ..two_heads(40, 40, 8, 8) };
    let clean = generate::inputs(&desc, 6);
    let mut inputs = clean.clone();
    for name in ["k", "v"] {
        let mut rows = f32s(&clean, name);
        rows[21 * 8..22 * 8].fill(f32::NAN);
        put(&mut inputs, name, &[1, 1, 40, 8], &rows);
    }
    let before = |outputs: &Tensors| -> Vec<u32> {
        let rows = f32s(outputs, "out");
        rows.chunks(8)
            .enumerate()
            .filter(|(row, _)| row % 40 < 21)
            .flat_map(|(_, r)| r.to_vec())
            .map(f32::to_bits)
            .collect()
    };
    each_variant(&desc, &inputs, |outputs| {
        assert!(before(outputs).iter().all(|bits| f32::from_bits(*bits).is_finite()));
    });
    // The rows that cannot see it are the same bits with and without it.
    let Some(gpu) = gpu() else { return };
    let run = |inputs| before(&verify::run(&gpu, &desc, inputs, &RunOptions::default()).unwrap());
    assert_eq!(run(&inputs), run(&clean));
}

#[test]
fn a_bias_of_minus_infinity_hides_and_the_lowest_number_does_not() {
    let desc = AttentionDesc { bias: Some([1, 1, 3, 5]), ..two_heads(3, 5, 4, 4) };
    let mut inputs = generate::inputs(&desc, 8);
    let mut bias = vec![0.0; 15];
    bias[..5].fill(f32::NEG_INFINITY);
    bias[5..9].fill(f32::NEG_INFINITY);
    bias[10..15].fill(f32::MIN);
    put(&mut inputs, "bias", &[1, 1, 3, 5], &bias);
    each_variant(&desc, &inputs, |outputs| {
        let (out, lse, v) = (f32s(outputs, "out"), f32s(outputs, "lse"), f32s(&inputs, "v"));
        assert!(out[..4].iter().all(|value| value.to_bits() == 0) && lse[0] == f32::NEG_INFINITY);
        assert_eq!(out[4..8], v[16..20], "one key is left");
        // The logits are lost in a number that large, so all keys weigh the same: five products and sums, and a division,
        // of three units by itself.
        for (column, got) in out[8..12].iter().enumerate() {
            let values = || (0..5).map(|j| f64::from(v[j * 4 + column]));
            let (mean, magnitude) = (values().sum::<f64>() / 5.0, values().map(f64::abs).sum::<f64>() / 5.0);
            let allowed = (5.0 + 5.0 + 3.0) * f64::from(f32::EPSILON) * magnitude;
            assert!((f64::from(*got) - mean).abs() <= allowed, "{got} is not the mean {mean}");
        }
    });
}
