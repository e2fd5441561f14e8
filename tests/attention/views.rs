//! q, k, v and out in larger buffers.

use super::two_heads;
use langevin::reference::generate;
use langevin::verify::{Op, Tensor};
use langevin::{Attention, AttentionBuffers, AttentionDesc, Format, Heads, View};
use langevin_testkit::{conform, conform_in_turns, conform_on, gpu};

/// Batch 2, 4 heads over 2 key heads, tokens with their heads side by side.
fn token_major(format: Format, gap: usize) -> AttentionDesc {
    let (seq_q, seq_kv, head_dim, v_dim) = (9, 35, 6, 10);
    let heads = Heads::from(format);
    AttentionDesc {
        batch: 2,
        heads: 4,
        kv_heads: 2,
        q: heads.viewed(View::columns(seq_q, 4 * head_dim + gap, gap, head_dim)),
        k: heads.viewed(View::columns(seq_kv, 2 * (head_dim + v_dim) + gap, 0, head_dim)),
        v: heads.viewed(View::columns(seq_kv, 2 * (head_dim + v_dim) + gap, 2 * head_dim + gap, v_dim)),
        ..two_heads(seq_q, seq_kv, head_dim, v_dim)
    }
}

#[test]
fn tokens_before_heads() {
    let Some(gpu) = gpu() else { return };
    // Rows on words, then rows that start anywhere.
    let gaps = [(Format::F32, 0), (Format::F32, 3), (Format::F16, 4), (Format::F16, 3), (Format::E4m3, 3)];
    for (turn, (format, gap)) in gaps.into_iter().enumerate() {
        let out_view = Some(View::columns(9, 40, 0, 10));
        let desc = AttentionDesc { out: Format::BF16, out_view, ..token_major(format, gap) };
        conform_in_turns(&gpu, &desc, turn as u64);
    }
}

/// A view with gaps keeps what stands in them; the pad of a row's last word becomes zero.
#[test]
fn gaps_of_the_output_are_kept() {
    let Some(gpu) = gpu() else { return };
    for (out, v_dim) in [(Format::F32, 5), (Format::F16, 5), (Format::BF16, 6)] {
        let out_view = Some(View { offset: 4, batch: 400, head: 8, seq: 40 });
        let desc = AttentionDesc { batch: 2, out, out_view, ..two_heads(9, 7, 4, v_dim) };
        conform(&gpu, &desc, 5);
        let expected = desc.evaluate(&generate::inputs(&desc, 5)).unwrap()[0].values();
        let before = generate::inputs(&desc, 5).get("out").unwrap().to_f64();
        assert_eq!(expected[[3]], before[[3]]);
        assert_eq!(expected[[4 + v_dim]] == 0.0, v_dim == 5 && out != Format::F32);
    }
}

/// A cache with room for 20 tokens that holds 7; NaN in the rest.
#[test]
fn what_lies_between_the_rows_of_a_cache_is_not_read() {
    let Some(gpu) = gpu() else { return };
    let cache = Heads::default().viewed(View { offset: 0, batch: 2 * 20 * 8, head: 20 * 8, seq: 8 });
    let desc = AttentionDesc { batch: 2, kv_heads: 2, k: cache, v: cache, ..two_heads(3, 7, 8, 8) };
    let mut inputs = generate::inputs(&desc, 1);
    for name in ["k", "v"] {
        let tensor = inputs.get(name).unwrap();
        let (shape, mut values) = (tensor.shape().to_vec(), tensor.to_f32());
        let stale = |i: usize| i % (20 * 8) >= 7 * 8;
        values.iter_mut().enumerate().filter(|(i, _)| stale(*i)).for_each(|(_, value)| *value = f32::NAN);
        inputs.insert(name, Tensor::from_f32(Format::F32, &shape, &values).unwrap());
    }
    conform_on(&gpu, &desc, &inputs);
}

/// Strides of zero repeat: one key and value row for all heads and items.
#[test]
fn an_input_may_repeat() {
    let Some(gpu) = gpu() else { return };
    let k = Heads::default().viewed(View { offset: 2, batch: 0, head: 0, seq: 5 });
    conform(&gpu, &AttentionDesc { batch: 3, kv_heads: 2, k, ..two_heads(4, 6, 5, 3) }, 2);
}

/// q, k and v in one buffer, bound three times, as a projection leaves them.
#[test]
fn a_packed_projection_is_read_in_place() {
    let Some(gpu) = gpu() else { return };
    let (seq, heads, dim) = (12, 2, 8);
    let width = 3 * heads * dim;
    let third = |i: usize| Heads::default().viewed(View::columns(seq, width, i * heads * dim, dim));
    let views = AttentionDesc { q: third(0), k: third(1), v: third(2), ..two_heads(seq, seq, dim, dim) };
    let desc = AttentionDesc { kv_heads: heads, lse: false, ..views };
    // One tensor that is long enough for all three views.
    let packed = generate::tensor(&mut generate::Random::new(5), Format::F32, &[seq * width]);
    let buffer = gpu.upload("packed", &packed.to_words(0)).unwrap();
    let out = gpu.upload("out", &vec![0; heads * seq * dim]).unwrap();
    let plan = Attention::new(gpu.device(), &desc).unwrap();
    let [q, k, v] = [&buffer; 3].map(wgpu::Buffer::as_entire_buffer_binding);
    let call =
        plan.bind(gpu.device(), AttentionBuffers::new(q, k, v, out.as_entire_buffer_binding())).unwrap();
    gpu.run(|encoder| call.encode(encoder)).unwrap();
    let got = Tensor::from_words(Format::F32, &[1, heads, seq, dim], &gpu.download(&out).unwrap()).unwrap();
    let mut inputs = langevin::verify::Tensors::new();
    for (name, i) in [("q", 0), ("k", 1), ("v", 2)] {
        let extent = (i + 1) * heads * dim + (seq - 1) * width;
        let values = &packed.to_f32()[..extent];
        inputs.insert(name, Tensor::from_f32(Format::F32, &[extent], values).unwrap());
    }
    let comparison = langevin::verify::compare(&desc.evaluate(&inputs).unwrap()[0], &got);
    assert!(comparison.passed() && comparison.rejects_zeros, "{comparison}");
}
