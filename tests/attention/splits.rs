//! Few rows against many keys: splits that are added up, and how much memory a call takes.

use super::two_heads;
use langevin::reference::generate;
use langevin::verify;
use langevin::{
    Align, Attention, AttentionDesc, Capabilities, Format, Heads, Kernel, Pick, PlanError, PlanOptions, View,
};
use langevin_testkit::{compare_with, conform, conform_in_turns, gpu};

fn stages(desc: &AttentionDesc, capabilities: &Capabilities) -> usize {
    langevin::sources(desc, capabilities, &Pick::Best).unwrap().len()
}

/// Every variant splits 600 keys or more for one query; the parts' edges, masks and diagonals fall inside parts.
#[test]
fn splits_add_up() {
    let Some(gpu) = gpu() else { return };
    let one = |seq_kv| two_heads(1, seq_kv, 12, 10);
    let mask = |seq_kv| Some([1, 1, 1, seq_kv]);
    let scaled = Heads::from(Format::E4m3).scaled([1, 1, 700]);
    let series = [
        one(512),
        one(1025),
        AttentionDesc { seq_q: 4, batch: 2, causal: Some(Align::BottomRight), ..one(600) },
        AttentionDesc { seq_q: 3, causal: Some(Align::TopLeft), sinks: true, ..one(777) },
        AttentionDesc { mask: mask(700), k: scaled, v: scaled, sinks: true, ..one(700) },
        AttentionDesc { mask: mask(700), bias: mask(700), q: Heads::default().scaled([1, 2, 1]), ..one(700) },
        AttentionDesc { v_dim: 200, lse: false, out: Format::F16, ..one(520) },
    ];
    for (turn, desc) in series.iter().enumerate() {
        assert!(stages(desc, gpu.capabilities()) > 1, "{desc:?} is not split");
        conform_in_turns(&gpu, desc, turn as u64);
    }
    let out_view = Some(View { offset: 4, batch: 0, head: 16, seq: 40 });
    conform(&gpu, &AttentionDesc { out_view, out: Format::BF16, ..one(600) }, 2);
}

/// A part of the keys that is hidden altogether takes no part.
#[test]
fn hidden_splits_take_no_part() {
    let Some(gpu) = gpu() else { return };
    let desc = AttentionDesc { mask: Some([1, 1, 1, 1100]), ..two_heads(1, 1100, 8, 8) };
    for seen in [0..0, 0..3, 600..700, 1099..1100] {
        let mut inputs = generate::inputs(&desc, 3);
        let mask: Vec<bool> = (0..1100).map(|key| seen.contains(&key)).collect();
        inputs.insert("mask", verify::Tensor::from_bools(&[1, 1, 1, 1100], &mask).unwrap());
        langevin_testkit::conform_on(&gpu, &desc, &inputs);
    }
}

/// Without room for the parts there are none. A CPU splits so few rows that it has room always.
#[test]
fn a_device_with_small_bindings_does_not_split() {
    let Some(gpu) = gpu() else { return };
    let wide = AttentionDesc { heads: 300, ..two_heads(1, 600, 1, 1) };
    let mut capabilities = gpu.capabilities().clone();
    capabilities.device_type = langevin::wgpu::DeviceType::Other;
    assert!(stages(&wide, &capabilities) > 1);
    // The keys take 2,400 bytes; the parts of 300 rows, twice six words each, 14,400.
    capabilities.limits.max_storage_buffer_binding_size = 4096;
    assert_eq!(stages(&wide, &capabilities), 1);
    let inputs = generate::inputs(&wide, 1);
    compare_with(&gpu, &wide, &inputs, wide.variants(&capabilities)[0], capabilities);
}

/// Peak memory beside the tensors is never as much as the tensors themselves, which grow with the rows alone; the scores
/// of an unfused attention, which the plan tells, would be more than 50 times as much.
#[test]
fn memory_grows_with_the_rows_alone() {
    let Some(gpu) = gpu() else { return };
    let seq = 16_384;
    let mut planned = 0;
    for desc in [two_heads(seq, seq, 64, 64), two_heads(1, seq, 64, 64), two_heads(40, seq, 64, 64)] {
        for variant in desc.variants(gpu.capabilities()) {
            let options = PlanOptions { pick: variant.into(), ..Default::default() };
            let plan = match Attention::with_options(gpu.device(), &desc, &options) {
                Ok(plan) => plan,
                // An old llvmpipe would end its loops.
                Err(PlanError::Limit { limit: "max_loop_iterations", .. }) => continue,
                Err(error) => panic!("{}: {error}", variant.name),
            };
            let tensors: u64 = plan.tensors().iter().filter_map(|spec| spec.gpu_bytes()).sum();
            assert!(plan.scratch_bytes() <= tensors, "{} takes {} bytes", variant.name, plan.scratch_bytes());
            let scores = plan.desc().unfused_bytes();
            assert_eq!(scores, (2 * desc.seq_q * seq * 4) as u64);
            assert!(desc.seq_q < seq || scores > 50 * (tensors + plan.scratch_bytes()));
            planned += 1;
        }
    }
    assert!(planned >= 3, "only {planned} plans");
    // It runs in that memory.
    let desc =
        AttentionDesc { causal: Some(Align::BottomRight), heads: 1, lse: false, ..two_heads(64, seq, 1, 1) };
    let inputs = generate::inputs(&desc, 4);
    let best = desc.variants(gpu.capabilities())[0];
    compare_with(&gpu, &desc, &inputs, best, gpu.capabilities().clone());
}
