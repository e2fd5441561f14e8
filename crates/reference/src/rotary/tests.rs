//! Hand-computed answers, what turning must keep, and the errors.

use super::*;
use crate::{Answer, compare, generate};
use approx::assert_relative_eq;

const UNIT: f64 = f32::EPSILON as f64;

fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_f32(Format::F32, shape, values).unwrap()
}

/// One row of 1, 2, .., with angles whose cosines are 0.6 and sines 0.8.
fn turn(desc: &RotaryDesc) -> Vec<f64> {
    let mut inputs = Tensors::new();
    let row: Vec<f32> = (1..=desc.head_dim).map(|i| i as f32).collect();
    inputs.insert("x", f32s(&[1, 1, 1, desc.head_dim], &row));
    inputs.insert("cos", f32s(&[1, desc.pairs()], &vec![0.6; desc.pairs()]));
    inputs.insert("sin", f32s(&[1, desc.pairs()], &vec![0.8; desc.pairs()]));
    desc.evaluate(&inputs).unwrap()[0].values().into_iter().collect()
}

/// Up to the rounding of 0.6 and 0.8, times numbers that sum to less than 8.
fn close(got: &[f64], want: &[f64]) {
    assert_eq!(got.len(), want.len());
    got.iter().zip(want).for_each(|(got, want)| assert_relative_eq!(*got, *want, epsilon = 8.0 * UNIT / 2.0));
}

#[test]
fn pairs_by_hand() {
    let desc = RotaryDesc { seq: 1, head_dim: 5, axes: vec![4], table_rows: 1, ..Default::default() };
    // (1, 3) and (2, 4); the fifth stays.
    close(&turn(&desc), &[0.6 - 2.4, 1.2 - 3.2, 1.8 + 0.8, 2.4 + 1.6, 5.0]);
    let interleaved = RotaryDesc { pairing: Pairing::Interleaved, ..desc.clone() };
    // (1, 2) and (3, 4).
    close(&turn(&interleaved), &[0.6 - 1.6, 1.2 + 0.8, 1.8 - 3.2, 2.4 + 2.4, 5.0]);
    // Two axes of two: halves of an axis are neighbours.
    let axes = RotaryDesc { axes: vec![2, 2], ..desc };
    close(&turn(&axes), &turn(&interleaved));
}

#[test]
fn a_norm_comes_first() {
    let desc = RotaryDesc { seq: 1, head_dim: 2, norm: Some(1.5), weight: true, ..Default::default() };
    let mut inputs = Tensors::new();
    inputs.insert("x", f32s(&[1, 1, 1, 2], &[1.0, 2.0]));
    inputs.insert("weight", f32s(&[2], &[3.0, 5.0]));
    // Mean square 2.5 and 1.5 make 4.
    let out: Vec<f64> = desc.evaluate(&inputs).unwrap()[0].values().into_iter().collect();
    assert_eq!(out, [1.5, 5.0]);
}

/// Of four heads the first two are multiplied by the first row of the weight.
#[test]
fn heads_share_rows_of_the_weight() {
    let desc =
        RotaryDesc { heads: 4, seq: 1, head_dim: 1, norm: Some(3.0), weight: true, ..Default::default() };
    let desc = RotaryDesc { weight_rows: 2, ..desc };
    let mut inputs = Tensors::new();
    inputs.insert("x", f32s(&[1, 4, 1, 1], &[1.0, -1.0, 1.0, -1.0]));
    inputs.insert("weight", f32s(&[2, 1], &[3.0, 5.0]));
    // Mean square 1 and 3 make 4.
    let out: Vec<f64> = desc.evaluate(&inputs).unwrap()[0].values().into_iter().collect();
    assert_eq!(out, [1.5, -1.5, 2.5, -2.5]);
}

/// In place the same: what `out` held is turned.
#[test]
fn in_place_is_the_same() {
    let desc =
        RotaryDesc { heads: 2, seq: 3, head_dim: 6, axes: vec![4], table_rows: 3, ..Default::default() };
    let mut inputs = generate::inputs(&desc, 1);
    let apart = desc.evaluate(&inputs).unwrap();
    let x = inputs.remove("x").unwrap();
    inputs.insert("out", x);
    assert_eq!(RotaryDesc { in_place: true, ..desc }.evaluate(&inputs).unwrap(), apart);
}

/// Every axis of a token reads the row of its own position, and every item its own.
#[test]
fn positions_name_rows_of_the_table() {
    let (axes, table_rows) = (vec![2, 4], 7);
    let places = [[[3, 0], [6, 1]], [[2, 5], [0, 0]]];
    let both: Vec<i32> = places.iter().flatten().flatten().copied().collect();
    let desc = RotaryDesc {
        batch: 2,
        seq: 2,
        head_dim: 6,
        axes: axes.clone(),
        table_rows,
        positions: Positions::ItemTokens,
        ..Default::default()
    };
    let rows: Vec<Vec<f64>> = (0..table_rows).map(|row| vec![row as f64; 2]).collect();
    let [cos, sin] = rotary_table(&axes, 100.0, &rows).unwrap();
    let mut inputs = generate::inputs(&desc, 3);
    inputs.insert("cos", cos);
    inputs.insert("sin", sin);
    inputs.insert("positions", Tensor::from_i32(&[2, 2, 2], &both).unwrap());
    let named = desc.evaluate(&inputs).unwrap();
    // The same from a table of the four tokens, as one long item.
    let tokens: Vec<Vec<f64>> =
        places.iter().flatten().map(|place| place.iter().map(|&axis| f64::from(axis)).collect()).collect();
    let [cos, sin] = rotary_table(&axes, 100.0, &tokens).unwrap();
    let in_order =
        RotaryDesc { batch: 1, seq: 4, table_rows: 4, positions: Positions::From(0), ..desc.clone() };
    let mut others = Tensors::new();
    others.insert("x", f32s(&[1, 1, 4, 6], &inputs.get("x").unwrap().to_f32()));
    others.insert("cos", cos);
    others.insert("sin", sin);
    let want: Vec<f64> = in_order.evaluate(&others).unwrap()[0].values().into_iter().collect();
    assert_eq!(named[0].values().into_iter().collect::<Vec<_>>(), want);
    // Shared by both items.
    let shared = RotaryDesc { positions: Positions::Tokens, ..desc };
    inputs.insert("positions", Tensor::from_i32(&[2, 2], &both[..4]).unwrap());
    let values: Vec<f64> = shared.evaluate(&inputs).unwrap()[0].values().into_iter().collect();
    assert_eq!(values[..12], want[..12]);
    assert_ne!(values[12..], want[12..]);
    inputs.insert("positions", Tensor::from_i32(&[2, 2], &[0, 1, 7, 0]).unwrap());
    assert_eq!(
        shared.evaluate(&inputs).unwrap_err().to_string(),
        "rotary: tensor `positions` must hold rows of `cos` and `sin`, got 7 at [1, 0]"
    );
}

/// Lengths stay, and the product of two rows depends on the distance of their positions alone.
#[test]
fn products_see_distances() {
    for pairing in [Pairing::HalfSplit, Pairing::Interleaved] {
        let desc = RotaryDesc {
            seq: 2,
            head_dim: 8,
            axes: vec![4, 4],
            pairing,
            table_rows: 2,
            ..Default::default()
        };
        let x = generate::inputs(&desc, 3).remove("x").unwrap();
        let product = |first: [f64; 2], second: [f64; 2]| {
            let mut inputs = Tensors::new();
            inputs.insert("x", x.clone());
            let [cos, sin] = rotary_table(&desc.axes, 100.0, &[first.to_vec(), second.to_vec()]).unwrap();
            inputs.insert("cos", cos);
            inputs.insert("sin", sin);
            let out: Vec<f64> = desc.evaluate(&inputs).unwrap()[0].values().into_iter().collect();
            (0..8).map(|i| out[i] * out[8 + i]).sum::<f64>()
        };
        let near = product([0.0, 0.0], [2.0, -3.0]);
        // Elements are at most 1, and those of a table half a unit off: eight products of two numbers twice as far off.
        assert_relative_eq!(near, product([11.0, 7.0], [13.0, 4.0]), epsilon = 8.0 * 2.0 * 2.0 * UNIT);
        assert!((near - product([0.0, 0.0], [2.0, -4.0])).abs() > 1e3 * UNIT);
    }
}

/// Rows turned by complex numbers are rows turned by the table.
#[test]
fn the_plain_function_agrees() {
    let positions = [vec![3.0, 0.5], vec![-7.0, 2.0]];
    for pairing in [Pairing::HalfSplit, Pairing::Interleaved] {
        let desc = RotaryDesc {
            seq: 2,
            head_dim: 9,
            axes: vec![6, 2],
            pairing,
            table_rows: 2,
            ..Default::default()
        };
        let mut inputs = generate::inputs(&desc, 5);
        let [cos, sin] = rotary_table(&desc.axes, 50.0, &positions).unwrap();
        inputs.insert("cos", cos);
        inputs.insert("sin", sin);
        let x = inputs.get("x").unwrap().to_f64().into_shape_with_order((2, 9)).unwrap();
        let plain = rotary(x.view(), &desc.axes, pairing, 50.0, &positions).unwrap();
        for (got, want) in desc.evaluate(&inputs).unwrap()[0].values().iter().zip(&plain) {
            // Two elements of at most 1, by numbers that are half a unit off.
            assert_relative_eq!(*got, *want, epsilon = UNIT / 2.0);
        }
        let error = rotary(x.view(), &[8, 2], pairing, 50.0, &positions).unwrap_err().to_string();
        assert_eq!(error, "rotary: `axes` must be at most 9 long, got [8, 2]");
        assert!(rotary(x.view(), &desc.axes, pairing, 50.0, &positions[..1]).is_err());
    }
}

#[test]
fn tables_are_those_of_the_formula() {
    let [cos, sin] = rotary_table(&[4, 2], 100.0, &[vec![3.0, 2.0]]).unwrap();
    let angles = [3.0f64, 0.3, 2.0];
    for (table, f) in [(cos, f64::cos as fn(f64) -> f64), (sin, f64::sin)] {
        for (got, angle) in table.to_f64().iter().zip(angles) {
            assert_relative_eq!(*got, f(angle), epsilon = UNIT / 4.0);
        }
    }
    let error = |axes: &[usize], base, positions: &[Vec<f64>]| {
        rotary_table(axes, base, positions).unwrap_err().to_string()
    };
    assert_eq!(error(&[3], 1.0, &[]), "rotary: `axes` must be even numbers, got [3]");
    assert_eq!(error(&[2], 0.0, &[]), "rotary: `base` must be a positive finite number, got 0");
    assert_eq!(
        error(&[2, 2], 1.0, &[vec![1.0]]),
        "rotary: `positions` must be lists of 2, one position for each axis, got one of 1"
    );
}

#[test]
fn near_misses_are_rejected() {
    let desc = RotaryDesc {
        heads: 2,
        seq: 3,
        head_dim: 6,
        axes: vec![4],
        table_rows: 4,
        norm: Some(1e-6),
        ..Default::default()
    };
    let inputs = generate::inputs(&desc, 1);
    let expected = &desc.evaluate(&inputs).unwrap()[0];
    let passes = |desc: &RotaryDesc| {
        let values = desc.evaluate(&inputs).unwrap()[0].values();
        let values: Vec<f32> = values.iter().map(|x| *x as f32).collect();
        compare(expected, &f32s(&[1, 2, 3, 6], &values)).passed()
    };
    assert!(passes(&desc));
    assert!(!passes(&RotaryDesc { pairing: Pairing::Interleaved, ..desc.clone() }));
    assert!(!passes(&RotaryDesc { positions: Positions::From(1), ..desc.clone() }));
    assert!(!passes(&RotaryDesc { norm: Some(1e-3), ..desc }));
}

/// NaN spoils its pair, with a norm its row, and so do squares beyond f32.
#[test]
fn what_is_not_finite_has_no_bound() {
    let desc = RotaryDesc { seq: 1, head_dim: 5, axes: vec![4], table_rows: 1, ..Default::default() };
    let finite = |desc: &RotaryDesc, x: [f32; 5]| -> Vec<bool> {
        let mut inputs = generate::inputs(desc, 1);
        inputs.insert("x", f32s(&[1, 1, 1, 5], &x));
        inputs.insert("cos", f32s(&[1, 2], &[0.0, 1.0]));
        inputs.insert("sin", f32s(&[1, 2], &[1.0, 0.0]));
        match &desc.evaluate(&inputs).unwrap()[0].answer {
            Answer::Bounded { bound, .. } => bound.iter().map(|bound| bound.is_finite()).collect(),
            Answer::Exact(_) => unreachable!(),
        }
    };
    let norm = RotaryDesc { norm: Some(1e-6), ..desc.clone() };
    for wrong in [f32::NAN, f32::INFINITY] {
        assert_eq!(finite(&desc, [wrong, 1.0, 1.0, 1.0, 1.0]), [false, true, false, true, true]);
        assert_eq!(finite(&desc, [1.0, 1.0, 1.0, 1.0, wrong]), [true, true, true, true, false]);
        assert_eq!(finite(&norm, [1.0, wrong, 1.0, 1.0, 1.0]), [false; 5]);
    }
    assert_eq!(finite(&norm, [1e20, 1.0, 1.0, 1.0, 1.0]), [false; 5]);
}
