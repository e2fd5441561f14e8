//! Hand-computed answers, what merging must keep, and the size of the bound.

use super::*;
use crate::{Answer, AttentionDesc, Tensor, compare, generate};
use approx::assert_relative_eq;

const NONE: f32 = f32::NEG_INFINITY;

fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_f32(Format::F32, shape, values).unwrap()
}

fn merged(desc: &MergeDesc, parts: &[f32], part_lse: &[f32]) -> Vec<Expected> {
    let mut inputs = Tensors::new();
    inputs.insert("parts", f32s(&[desc.parts, desc.rows, desc.dim], parts));
    inputs.insert("part_lse", f32s(&[desc.parts, desc.rows], part_lse));
    desc.evaluate(&inputs).unwrap()
}

fn of(parts: usize, rows: usize, dim: usize) -> MergeDesc {
    MergeDesc { parts, rows, dim, lse: true, ..Default::default() }
}

/// Weights 1/4 and 3/4; a part without keys does not count, whatever it holds; nor does a row without parts.
#[test]
fn by_hand() {
    let parts = [4.0, f32::NAN, 8.0, f32::NAN, f32::NAN, 1.0];
    let answers = merged(&of(3, 2, 1), &parts, &[0.0, NONE, 3f32.ln(), NONE, NONE, NONE]);
    // The logarithm of 3 is stored with half a unit in its last place.
    assert_relative_eq!(answers[0].values()[[0, 0]], 7.0, max_relative = f64::from(f32::EPSILON));
    assert_relative_eq!(answers[1].values()[[0]], 4f64.ln(), max_relative = f64::from(f32::EPSILON));
    assert_eq!((answers[0].values()[[1, 0]], answers[1].values()[[1]]), (0.0, f64::NEG_INFINITY));
}

#[test]
fn a_logarithm_that_is_no_number_spoils_its_row() {
    for spoilt in [f32::NAN, f32::INFINITY] {
        let answers = merged(&of(2, 2, 1), &[1.0; 4], &[0.0, 0.0, 0.0, spoilt]);
        assert_eq!(answers[0].values()[[0, 0]], 1.0);
        assert!(answers[0].values()[[1, 0]].is_nan() && answers[1].values()[[1]].is_nan());
        // And is promised to.
        assert!(!compare(&answers[1], &f32s(&[2], &[2f32.ln(), 0.0])).passed());
    }
}

#[test]
fn no_parts_and_one_part() {
    let answers = merged(&of(0, 2, 1), &[], &[]);
    assert_eq!(answers[0].values().as_slice(), Some(&[0.0; 2][..]));
    assert_eq!(answers[1].values().as_slice(), Some(&[f64::NEG_INFINITY; 2][..]));
    let answers = merged(&of(1, 2, 1), &[3.0, -5.0], &[-2e4, 7.5]);
    assert_eq!(answers[0].values().as_slice(), Some(&[3.0, -5.0][..]));
    assert_eq!(answers[1].values().as_slice(), Some(&[-2e4, 7.5][..]));
}

/// Attention over the parts of the keys, merged, is attention over all.
#[test]
fn parts_of_attention_merge_to_the_whole() {
    let whole =
        AttentionDesc { seq_q: 3, seq_kv: 10, head_dim: 4, v_dim: 2, lse: true, ..Default::default() };
    let inputs = generate::inputs(&whole, 3);
    let expected = whole.evaluate(&inputs).unwrap();
    let (mut out, mut lse) = (Vec::new(), Vec::new());
    for keys in [0..4, 4..4, 4..10] {
        let part = AttentionDesc { seq_kv: keys.len(), ..whole.clone() };
        let mut some = Tensors::new();
        some.insert("q", inputs.get("q").unwrap().clone());
        for (name, dim) in [("k", 4), ("v", 2)] {
            let values = inputs.get(name).unwrap().to_f32();
            some.insert(name, f32s(&[1, 1, keys.len(), dim], &values[keys.start * dim..keys.end * dim]));
        }
        let answers = part.evaluate(&some).unwrap();
        out.extend(answers[0].values().iter().map(|x| *x as f32));
        lse.extend(answers[1].values().iter().map(|x| *x as f32));
    }
    let answers = merged(&of(3, 3, 2), &out, &lse);
    for (merged, whole) in answers.iter().zip(&expected) {
        for (got, want) in merged.values().iter().zip(&whole.values()) {
            // Stored results, each half a unit off: those of `out` and of `lse`, which is below 4.
            assert_relative_eq!(*got, *want, epsilon = 4.0 * f64::from(f32::EPSILON));
        }
    }
    // A mean without weights is noticed.
    let mean: Vec<f32> = (0..6).map(|i| (out[i] + out[12 + i]) / 2.0).collect();
    assert!(!compare(&answers[0], &f32s(&[3, 2], &mean)).passed());
}

#[test]
fn the_bound_is_a_few_units() {
    let desc = of(4, 50, 7);
    for expected in desc.evaluate(&generate::inputs(&desc, 1)).unwrap() {
        let Answer::Bounded { bound, .. } = &expected.answer else { unreachable!() };
        let unit = f64::from(f32::EPSILON);
        assert!(bound.iter().all(|bound| (unit / 8.0..100.0 * unit).contains(bound)), "{}", expected.name);
    }
}

/// Nothing is promised where nothing can be; everywhere else, however far the logarithms are apart, something is.
#[test]
fn what_is_not_finite_has_no_bound() {
    let bounds = |parts: &[f32], lse: &[f32]| -> Vec<bool> {
        merged(&of(2, 1, 2), parts, lse)
            .iter()
            .flat_map(|expected| match &expected.answer {
                Answer::Bounded { bound, .. } => {
                    bound.iter().map(|bound| bound.is_finite()).collect::<Vec<_>>()
                }
                Answer::Exact(_) => unreachable!(),
            })
            .collect()
    };
    let plain = [1.0, 2.0, 3.0, 4.0];
    for lse in [[0.0, 0.0], [f32::MAX, f32::MIN], [1e4, -1e4], [NONE, 3.0], [NONE; 2]] {
        assert_eq!(bounds(&plain, &lse), [true; 3], "{lse:?}");
    }
    assert_eq!(bounds(&[f32::NAN, 2.0, 3.0, 4.0], &[0.0, 0.0]), [false, true, true]);
    assert_eq!(bounds(&[1.0, f32::INFINITY, 3.0, 4.0], &[0.0, 0.0]), [true, false, true]);
    assert_eq!(bounds(&[f32::MAX, 2.0, 3.0, 4.0], &[0.0, 0.0]), [false, true, true]);
    assert_eq!(bounds(&[f32::NAN, f32::NAN, 3.0, 4.0], &[NONE, 0.0]), [true; 3]);
}
