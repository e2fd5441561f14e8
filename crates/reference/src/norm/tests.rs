use super::*;
use crate::generate::Random;
use crate::{Tensor, compare};

fn rows(rows: usize, width: usize) -> NormDesc {
    NormDesc { rows, width, ..Default::default() }
}

fn stored(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_f32(Format::F32, shape, values).unwrap()
}

fn answer(desc: &NormDesc, x: &[f32]) -> Expected {
    let mut inputs = Tensors::new();
    inputs.insert("x", stored(&[desc.batch, desc.rows, desc.width], x));
    desc.evaluate(&inputs).unwrap().remove(0)
}

#[test]
fn hand_computed() {
    // The mean of 1 and 3 is 2, their variance 1, and 1 + 3 has the root 2.
    let desc = NormDesc { eps: 3.0, weight: true, bias: true, ..rows(1, 2) };
    let modulation = Some(Modulation { width: 5, shift: 3, scale: 1 });
    let modulated = NormDesc { modulation, ..desc.clone() };
    let mut inputs = Tensors::new();
    inputs.insert("x", stored(&[1, 1, 2], &[1.0, 3.0]));
    inputs.insert("weight", stored(&[2], &[2.0, 4.0]));
    inputs.insert("bias", stored(&[2], &[1.0, 1.0]));
    let values = |desc: &NormDesc, inputs: &Tensors| desc.evaluate(inputs).unwrap().remove(0).values();
    assert_eq!(values(&desc, &inputs).as_slice(), Some(&[0.0, 3.0][..]));
    inputs.insert("modulation", stored(&[1, 5], &[9.0, 1.0, -2.0, 10.0, 20.0]));
    assert_eq!(values(&modulated, &inputs).as_slice(), Some(&[10.0, 17.0][..]));
    let rms = NormDesc { kind: NormKind::Rms, eps: 4.0, ..rows(1, 2) };
    assert_eq!(answer(&rms, &[1.0, 3.0]).values().as_slice(), Some(&[1.0 / 3.0, 1.0][..]));
}

#[test]
fn a_normalised_row_has_mean_zero_and_mean_square_one() {
    let x = Array3::from_shape_fn((2, 3, 50), |(i, j, k)| ((i + 7 * j + 3 * k * k) % 31) as f64 + 5.0);
    let rounding = 50.0 * 40.0 * f64::EPSILON;
    for kind in [NormKind::Layer, NormKind::Rms] {
        let out = norm(x.view(), kind, 0.0);
        for row in out.rows() {
            assert!((row.mapv(|y| y * y).mean().unwrap() - 1.0).abs() <= rounding, "{kind:?}");
            assert!(kind == NormKind::Rms || row.mean().unwrap().abs() <= rounding);
        }
        // And it stays as it is when it is normalised again.
        let again = norm(out.view(), kind, 0.0);
        assert!(again.iter().zip(&out).all(|(a, b)| (a - b).abs() <= rounding * (1.0 + b.abs())));
    }
}

#[test]
fn empty_rows_have_no_answer() {
    for (count, width) in [(0, 3), (3, 0)] {
        assert!(answer(&rows(count, width), &[]).values().is_empty());
    }
}

/// What people get wrong must not pass.
#[test]
fn near_misses_are_rejected() {
    let mut random = Random::new(3);
    let x: Vec<f32> = (0..64).map(|_| random.uniform(-1.0, 1.0) + 0.5).collect();
    let desc = NormDesc { eps: 1e-3, ..rows(1, 64) };
    let expected = answer(&desc, &x);
    let passes = |out: Vec<f64>| {
        let narrow: Vec<f32> = out.iter().map(|&y| y as f32).collect();
        compare(&expected, &stored(&[1, 1, 64], &narrow)).passed()
    };
    let mean = x.iter().map(|&x| f64::from(x)).sum::<f64>() / 64.0;
    let centred: Vec<f64> = x.iter().map(|&x| f64::from(x) - mean).collect();
    let squares: f64 = centred.iter().map(|c| c * c).sum();
    let divided = |by: f64| centred.iter().map(|c| c / by).collect::<Vec<_>>();
    assert!(passes(divided((squares / 64.0 + 1e-3f64).sqrt())));
    assert!(!passes(divided((squares / 63.0 + 1e-3f64).sqrt())), "the unbiased variance");
    assert!(!passes(divided((squares / 64.0).sqrt() + 1e-3)), "eps outside the root");
    assert!(!passes(divided((squares / 64.0).sqrt())), "no eps");
    assert!(!passes(x.iter().map(|&x| f64::from(x) / (squares / 64.0 + 1e-3).sqrt()).collect()), "no mean");
}

/// Layer norm in f32, element after element, with the mean corrected or not.
fn in_f32(x: &[f32], eps: f32, corrected: bool) -> Vec<f32> {
    let count = x.len() as f32;
    let mean = x.iter().sum::<f32>() / count;
    let centred: Vec<f32> = x.iter().map(|x| x - mean).collect();
    let correction = if corrected { centred.iter().sum::<f32>() / count } else { 0.0 };
    let square = centred.iter().map(|c| c * c).sum::<f32>() / count;
    let root = (square - correction * correction + eps).sqrt();
    centred.iter().map(|c| (c - correction) / root).collect()
}

#[test]
fn f32_on_the_host_stays_within_the_bound_only_with_the_correction() {
    for (seed, offset) in [(1, 0.0), (2, 3.0), (3, -1e3), (4, 4e3), (5, 1e4)] {
        let mut random = Random::new(seed);
        let x: Vec<f32> = (0..500).map(|_| random.uniform(-1.0, 1.0) + offset).collect();
        let desc = rows(1, 500);
        let expected = answer(&desc, &x);
        let comparison = |out: &[f32]| compare(&expected, &stored(&[1, 1, 500], out));
        let good = comparison(&in_f32(&x, desc.eps, true));
        assert!(good.passed() && good.rejects_zeros, "offset {offset}: {good}");
        let bad = comparison(&in_f32(&x, desc.eps, false));
        assert!(offset.abs() < 4e3 || !bad.passed(), "offset {offset}: {bad}");
    }
}

#[test]
fn squares_beyond_f32_have_no_bound() {
    let unbounded = |x: &[f32], kind| {
        let expected = answer(&NormDesc { kind, ..rows(1, x.len()) }, x);
        compare(&expected, &stored(&[1, 1, x.len()], x)).unbounded
    };
    assert_eq!(unbounded(&[1e18, -1e18, 0.0], NormKind::Layer), 0);
    assert_eq!(unbounded(&[1e20, -1e20, 0.0], NormKind::Layer), 3);
    assert_eq!(unbounded(&[1e20, 0.0], NormKind::Rms), 2);
}
