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
    // The logarithm of 3 is stored with half a unit in its last place, below 2; the values span 4.
    let unit = f64::from(f32::EPSILON);
    assert_relative_eq!(answers[0].values()[[0, 0, 0, 0]], 7.0, epsilon = 4.0 * unit / 2.0);
    assert_relative_eq!(answers[0].values()[[0, 0, 0, 1]], -3.0, epsilon = 4.0 * unit / 2.0);
    assert_relative_eq!(answers[1].values()[[0, 0, 0]], 4f64.ln(), epsilon = unit / 2.0);
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

/// Two sequences of 2 and 3 tokens, the second query of each, give what each gives alone.
#[test]
fn sequences_are_apart() {
    let all = AttentionDesc { causal: Some(Align::BottomRight), sequences: Some(2), ..sizes(3, 5, 4, 2) };
    let mut inputs = generate::inputs(&all, 5);
    inputs.insert("q_offsets", Tensor::from_i32(&[3], &[0, 1, 3]).unwrap());
    inputs.insert("kv_offsets", Tensor::from_i32(&[3], &[0, 2, 5]).unwrap());
    let together = all.evaluate(&inputs).unwrap();
    let part = |name: &str, rows: std::ops::Range<usize>, dim: usize| {
        let values = inputs.get(name).unwrap().to_f32();
        f32s(&[1, 1, rows.len(), dim], &values[rows.start * dim..rows.end * dim])
    };
    for (queries, keys) in [(0..1, 0..2), (1..3, 2..5)] {
        let one = AttentionDesc { causal: all.causal, ..sizes(queries.len(), keys.len(), 4, 2) };
        let alone = three(part("q", queries.clone(), 4), part("k", keys.clone(), 4), part("v", keys, 2));
        let alone = one.evaluate(&alone).unwrap();
        for (i, query) in queries.enumerate() {
            assert_eq!(alone[0].values()[[0, 0, i, 1]], together[0].values()[[0, 0, query, 1]]);
            assert_eq!(alone[1].values()[[0, 0, i]], together[1].values()[[0, 0, query]]);
        }
    }
}

/// A scale counts as if the stored numbers were that much larger.
#[test]
fn scales_multiply_what_is_stored() {
    let plain = sizes(3, 4, 2, 2);
    let heads = |shape| Heads::default().scaled(shape);
    let desc =
        AttentionDesc { q: heads([1, 1, 3]), k: heads([1, 1, 4]), v: heads([1, 1, 1]), ..plain.clone() };
    let inputs = generate::inputs(&desc, 6);
    let scaled = |name: &str| {
        let (tensor, scales) =
            (inputs.get(name).unwrap(), inputs.get(&format!("{name}_scale")).unwrap().to_f32());
        let times = |(i, x): (usize, f32)| x * scales[if scales.len() == 1 { 0 } else { i / 2 }];
        f32s(tensor.shape(), &tensor.to_f32().into_iter().enumerate().map(times).collect::<Vec<_>>())
    };
    let expected = plain.evaluate(&three(scaled("q"), scaled("k"), scaled("v"))).unwrap();
    for (got, want) in desc.evaluate(&inputs).unwrap().iter().zip(&expected) {
        for (got, want) in got.values().iter().zip(&want.values()) {
            // What is scaled is rounded to f32 once: numbers of at most 2, logits of at most 6, values that span 4.
            assert_relative_eq!(*got, *want, epsilon = (4.0 * 6.0 + 2.0) * f64::from(f32::EPSILON));
        }
    }
}

#[test]
fn the_cost_counts_the_pairs_that_meet() {
    let half = AttentionDesc { causal: Some(Align::TopLeft), ..sizes(4, 4, 8, 8) };
    assert_eq!(half.cost().flops, 4.0 * 8.0 * 10.0);
    let window = Some(Window { left: Some(1), right: None, align: Align::TopLeft });
    assert_eq!(AttentionDesc { window, ..half.clone() }.cost().flops, 4.0 * 8.0 * 7.0);
    assert_eq!(AttentionDesc { batch: 3, heads: 2, ..half }.unfused_bytes(), 3 * 2 * 4 * 4 * 4);
    let huge = AttentionDesc { seq_q: usize::MAX, ..sizes(1, usize::MAX, 1, 1) };
    assert_eq!(huge.unfused_bytes(), u64::MAX);
}

#[test]
fn offsets_out_of_order_are_named() {
    let desc = AttentionDesc { sequences: Some(3), ..sizes(4, 5, 2, 2) };
    let good = generate::inputs(&desc, 7);
    assert!(desc.evaluate(&good).is_ok());
    let error = |tensor: &str, offsets: [i32; 4]| {
        let mut inputs = good.clone();
        inputs.insert(tensor, Tensor::from_i32(&[4], &offsets).unwrap());
        desc.evaluate(&inputs).unwrap_err().to_string()
    };
    let sentence = "attention: tensor `q_offsets` must hold offsets that never fall, got 2 at [2]";
    assert_eq!(error("q_offsets", [0, 3, 2, 4]), sentence);
    let sentence = "attention: tensor `kv_offsets` must hold 0 first, got 1 at [0]";
    assert_eq!(error("kv_offsets", [1, 3, 4, 5]), sentence);
    for offsets in [[0, 3, 4, 4], [0, 3, 6, 6], [0, 3, 3, 6]] {
        assert!(error("kv_offsets", offsets).contains("must hold the number of rows last"), "{offsets:?}");
    }
}

/// Values are added up before the sum of the weights divides them: a sum beyond f32 has no bound, one within has.
#[test]
fn values_that_sum_beyond_f32_have_no_bound() {
    let desc = sizes(1, 5, 1, 2);
    let (q, k) = (f32s(&[1, 1, 1, 1], &[1.0]), f32s(&[1, 1, 5, 1], &[1.0; 5]));
    let v = f32s(&[1, 1, 5, 2], &[1e38, 1e36, 1e38, 1e36, 1e38, 1e36, 1e38, 1e36, 1e38, 1e36]);
    let answers = desc.evaluate(&three(q, k, v)).unwrap();
    let got = f32s(&[1, 1, 1, 2], &[f32::INFINITY, 1e36]);
    let comparison = compare(&answers[0], &got);
    assert!(comparison.passed() && comparison.unbounded == 1, "{comparison}");
    let got = f32s(&[1, 1, 1, 2], &[1e38, f32::INFINITY]);
    assert!(!compare(&answers[0], &got).passed());
}
