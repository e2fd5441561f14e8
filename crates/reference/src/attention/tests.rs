//! Hand-computed answers, and the size of the bound.

use super::*;
use crate::{Answer, Tensor, compare, generate};
use approx::assert_relative_eq;

fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_f32(Format::F32, shape, values).unwrap()
}

fn sizes(seq_q: usize, seq_kv: usize, head_dim: usize, v_dim: usize) -> AttentionDesc {
    AttentionDesc { seq_q, seq_kv, head_dim, v_dim, lse: true, ..Default::default() }
}

fn three(q: Tensor, k: Tensor, v: Tensor) -> Tensors {
    let mut inputs = Tensors::new();
    for (name, tensor) in [("q", q), ("k", k), ("v", v)] {
        inputs.insert(name, tensor);
    }
    inputs
}

/// Logits ln 1 and ln 3 weigh 1/4 and 3/4.
#[test]
fn two_keys_by_hand() {
    let desc = AttentionDesc { scale: Some(0.5), ..sizes(1, 2, 1, 2) };
    let q = f32s(&[1, 1, 1, 1], &[2.0]);
    let k = f32s(&[1, 1, 2, 1], &[0.0, 3f32.ln()]);
    let v = f32s(&[1, 1, 2, 2], &[4.0, 0.0, 8.0, -4.0]);
    let answers = desc.evaluate(&three(q, k, v)).unwrap();
    assert_relative_eq!(answers[0].values()[[0, 0, 0, 0]], 7.0, epsilon = 1e-6);
    assert_relative_eq!(answers[0].values()[[0, 0, 0, 1]], -3.0, epsilon = 1e-6);
    assert_relative_eq!(answers[1].values()[[0, 0, 0]], 4f64.ln(), epsilon = 1e-6);
}

/// A sink of the same logit as the only key halves the result and leaves the logarithm of the sum alone.
#[test]
fn a_sink_takes_weight_and_gives_nothing() {
    let desc = AttentionDesc { sinks: true, ..sizes(1, 1, 1, 1) };
    let mut inputs =
        three(f32s(&[1, 1, 1, 1], &[2.0]), f32s(&[1, 1, 1, 1], &[3.0]), f32s(&[1, 1, 1, 1], &[8.0]));
    inputs.insert("sinks", f32s(&[1], &[6.0]));
    let answers = desc.evaluate(&inputs).unwrap();
    assert_eq!(answers[0].values()[[0, 0, 0, 0]], 4.0);
    assert_eq!(answers[1].values()[[0, 0, 0]], 6.0);
}

#[test]
fn without_keys_the_answer_is_zero_and_minus_infinity() {
    let desc = sizes(2, 0, 3, 4);
    let answers = desc.evaluate(&generate::inputs(&desc, 1)).unwrap();
    let Answer::Bounded { value, bound } = &answers[0].answer else { unreachable!() };
    assert!(value.iter().chain(bound).all(|x| *x == 0.0) && value.len() == 8);
    assert!(answers[1].values().iter().all(|lse| *lse == f64::NEG_INFINITY));
}

#[test]
fn an_ordinary_bound_is_small_and_a_hopeless_one_is_the_spread_of_the_values() {
    let desc = AttentionDesc { heads: 2, ..sizes(20, 300, 64, 8) };
    for expected in desc.evaluate(&generate::inputs(&desc, 2)).unwrap() {
        let Answer::Bounded { bound, .. } = &expected.answer else { unreachable!() };
        assert!(bound.iter().all(|bound| (1e-9..3e-4).contains(bound)), "{:?}", expected.name);
    }
    // Logits of 1e9 lose everything below 100.
    let desc = AttentionDesc { scale: Some(1e9), ..sizes(3, 20, 4, 2) };
    let Answer::Bounded { value, bound } = &desc.evaluate(&generate::inputs(&desc, 3)).unwrap()[0].answer
    else {
        unreachable!()
    };
    assert!(value.iter().zip(bound).all(|(value, bound)| value.is_finite() && *bound < 2.1), "{bound}");
}

/// The formula in f32 on the host, two passes, stays within the bound; one wrong weight does not.
#[test]
fn f32_arithmetic_on_the_host_stays_within_the_bound() {
    let desc = sizes(4, 50, 16, 3);
    let inputs = generate::inputs(&desc, 4);
    let [q, k, v] = ["q", "k", "v"].map(|name| inputs.get(name).unwrap().to_f32());
    let mix = |skip: usize| {
        let rows = q.chunks(16).flat_map(|q| {
            let dot = |k: &[f32]| q.iter().zip(k).map(|(x, y)| x * y).sum::<f32>();
            let logits: Vec<f32> = k.chunks(16).map(|k| dot(k) * 0.25).collect();
            let largest = logits.iter().copied().fold(f32::MIN, f32::max);
            let weights: Vec<f32> = logits.iter().skip(skip).map(|x| (x - largest).exp()).collect();
            let sum: f32 = weights.iter().sum();
            let column = |c: usize| v.chunks(3).skip(skip).zip(&weights).map(|(v, p)| v[c] * p).sum::<f32>();
            [0, 1, 2].map(|c| column(c) / sum)
        });
        f32s(&[1, 1, 4, 3], &rows.collect::<Vec<_>>())
    };
    let expected = &desc.evaluate(&inputs).unwrap()[0];
    let good = compare(expected, &mix(0));
    assert!(good.passed() && good.rejects_zeros, "{good}");
    assert!(!compare(expected, &mix(1)).passed(), "a missing key is not noticed");
}

#[test]
fn causal_pairs_are_counted_in_closed_form() {
    let far = [i64::MIN, -9, -5, -1, 0, 1, 4, 8, i64::MAX];
    let all = far.map(Causal::Offset).into_iter().chain([Causal::None, Causal::TopLeft, Causal::BottomRight]);
    for causal in all {
        for (seq_q, seq_kv) in [(5, 5), (3, 7), (7, 3), (1, 1), (0, 4), (4, 0)] {
            let slow: usize = (0..seq_q).map(|i| causal.visible(i, seq_q, seq_kv)).sum();
            assert_eq!(causal.pairs(seq_q, seq_kv), slow as f64, "{causal:?} {seq_q} {seq_kv}");
        }
    }
    let half = AttentionDesc { causal: Causal::TopLeft, ..sizes(4, 4, 8, 8) };
    assert_eq!(half.cost().flops, 4.0 * 8.0 * 10.0);
}
