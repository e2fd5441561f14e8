//! What holds for any attention.

use super::{two_heads, with_options};
use langevin::reference::generate;
use langevin::verify::{Answer, Op, Tensor, Tensors};
use langevin::{Align, AttentionDesc, Format};
use langevin_testkit::{conform_in_turns, conform_on, gpu};
use proptest::prelude::*;

/// How much smaller a unit in the last place of f64 is than one of f32.
const F64_UNITS: f64 = f64::EPSILON / f32::EPSILON as f64;

/// The values of an attention with how far the f64 computation of them may be from the formula: as far as f32 may be by
/// their bounds, in units of f64. Bounds grow with the unit at least in proportion.
fn values_of(desc: &AttentionDesc, inputs: &Tensors) -> Vec<[f64; 2]> {
    match &desc.evaluate(inputs).unwrap()[0].answer {
        Answer::Bounded { value, bound } => {
            value.iter().zip(bound).map(|(value, bound)| [*value, bound * F64_UNITS]).collect()
        }
        Answer::Exact(_) => unreachable!("attention is bounded"),
    }
}

/// Two computations of the same numbers.
fn close(a: &[[f64; 2]], b: &[[f64; 2]]) -> bool {
    let agree =
        |([a, error_of_a], [b, error_of_b]): (&[f64; 2], &[f64; 2])| (a - b).abs() <= error_of_a + error_of_b;
    a.len() == b.len() && a.iter().zip(b).all(agree)
}

fn filled(shape: &[usize], value: f32) -> Tensor {
    Tensor::from_f32(Format::F32, shape, &vec![value; shape.iter().product()]).unwrap()
}

/// The rows of a `[1, 1, seq, dim]` tensor, turned by some places.
fn turned(tensor: &Tensor, rows: usize) -> Tensor {
    let mut bytes = tensor.bytes().to_vec();
    bytes.rotate_left(rows * tensor.shape()[3] * 4);
    Tensor::new(tensor.dtype(), tensor.shape(), bytes).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, ..Default::default() })]

    /// Few sets of options, so that few shaders are compiled; any sizes.
    #[test]
    fn any_attention_is_within_its_bound(
        (seq_q, seq_kv) in (1usize..70, 0usize..100),
        (head_dim, v_dim) in (1usize..25, 1usize..17),
        (batch, kv_heads, group) in (1usize..3, 1usize..3, 1usize..4),
        options in prop::sample::select(vec![0b10_1110_0001usize, 0b0_0101_1110, 0b1_1000_1001]),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let heads = kv_heads * group;
        let desc = AttentionDesc { batch, heads, kv_heads, ..two_heads(seq_q, seq_kv, head_dim * 4, v_dim) };
        conform_in_turns(&gpu, &with_options(desc, options), seed);
    }

    /// The weights of a query sum to one.
    #[test]
    fn values_of_ones_give_ones(seq_q in 1usize..40, seq_kv in 1usize..100, seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = two_heads(seq_q, seq_kv, 16, 3);
        let mut inputs = generate::inputs(&desc, seed);
        inputs.insert("v", filled(&[1, 1, seq_kv, 3], 1.0));
        prop_assert!(values_of(&desc, &inputs).iter().all(|[value, error]| (value - 1.0).abs() <= *error));
        conform_on(&gpu, &desc, &inputs);
    }

    #[test]
    fn the_order_of_the_keys_does_not_matter(seq_kv in 2usize..100, by in 1usize..99, seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = two_heads(5, seq_kv, 16, 5);
        let inputs = generate::inputs(&desc, seed);
        let mut other = inputs.clone();
        for name in ["k", "v"] {
            other.insert(name, turned(inputs.get(name).unwrap(), by % seq_kv));
        }
        prop_assert!(close(&values_of(&desc, &inputs), &values_of(&desc, &other)));
        conform_on(&gpu, &desc, &inputs);
        conform_on(&gpu, &desc, &other);
    }

    #[test]
    fn scaled_values_give_scaled_results(seq_kv in 1usize..100, factor in prop::sample::select(vec![-4.0f32, 0.25, 1024.0]), seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = AttentionDesc { lse: false, ..two_heads(5, seq_kv, 16, 5) };
        let inputs = generate::inputs(&desc, seed);
        let mut scaled = inputs.clone();
        let values: Vec<f32> = inputs.get("v").unwrap().to_f32().iter().map(|value| value * factor).collect();
        scaled.insert("v", Tensor::from_f32(Format::F32, &[1, 1, seq_kv, 5], &values).unwrap());
        let factor = f64::from(factor);
        let expected: Vec<[f64; 2]> =
            values_of(&desc, &inputs).iter().map(|[value, error]| [value * factor, error * factor.abs()]).collect();
        prop_assert!(close(&expected, &values_of(&desc, &scaled)));
        conform_on(&gpu, &desc, &scaled);
    }

    #[test]
    fn a_constant_added_to_all_logits_does_not_matter(seq_kv in 1usize..80, c in -300f32..300.0, seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let plain = AttentionDesc { lse: false, ..two_heads(5, seq_kv, 16, 5) };
        let inputs = generate::inputs(&plain, seed);
        let desc = AttentionDesc { bias: Some([1, 1, 1, 1]), ..plain.clone() };
        let mut shifted = inputs.clone();
        shifted.insert("bias", filled(&[1, 1, 1, 1], c));
        prop_assert!(close(&values_of(&plain, &inputs), &values_of(&desc, &shifted)));
        conform_on(&gpu, &desc, &shifted);
    }

    /// Logits and sinks of some +-1e4 must neither overflow nor come out finite but wrong; nor values near the largest F16.
    #[test]
    fn large_logits_and_values(seq_kv in 1usize..80, causal in any::<bool>(), seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let causal = causal.then_some(Align::BottomRight);
        let sizes = two_heads(6, seq_kv, 8, 3);
        let desc = AttentionDesc { scale: Some(1.0), causal, sinks: true, out: Format::F16, ..sizes };
        let mut inputs = generate::inputs(&desc, seed);
        for (name, factor) in [("q", 60.0), ("k", 60.0), ("v", 60_000.0), ("sinks", 10_000.0)] {
            let tensor = inputs.get(name).unwrap();
            let mut values: Vec<f32> = tensor.to_f32().iter().map(|value| value * factor).collect();
            if name == "sinks" {
                // Far below the logits of one head: not all of the output is nothing, which zeros would pass for.
                values[1] = -1e6;
            }
            let large = Tensor::from_f32(Format::F32, tensor.shape(), &values).unwrap();
            inputs.insert(name, large);
        }
        conform_on(&gpu, &desc, &inputs);
    }
}
