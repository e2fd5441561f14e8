//! Rotary embedding against NumPy's complex numbers with 80-bit angles, and JAX's norm: `goldens/rotary.safetensors`.

mod golden;

use golden::{Golden, largest};
use langevin_reference::{Op, Pairing, Positions, RotaryDesc, Tensors, rotary, rotary_table};
use ndarray::{Array2, Array3, ArrayD, s};

const GOLDEN: &[u8] = include_bytes!("../goldens/rotary.safetensors");

/// Each golden's name, axes and base.
const CASES: [(&str, &[usize], f64); 6] = [
    ("text", &[14], 10_000.0),
    ("far", &[14], 10_000.0),
    ("base", &[14], 500_000.0),
    ("part", &[8], 10_000.0),
    ("picture", &[6, 8], 100.0),
    ("video", &[2, 4, 6], 10_000.0),
];
const PAIRINGS: [(&str, Pairing); 2] =
    [("half_split", Pairing::HalfSplit), ("interleaved", Pairing::Interleaved)];

fn positions(golden: &Golden<'_>, name: &str) -> Vec<Vec<f64>> {
    let positions: Array2<f64> = golden.array(&format!("{name}.positions"));
    positions.rows().into_iter().map(|row| row.to_vec()).collect()
}

/// What f64 loses of the largest angle of some positions, by the documentation of the table.
fn lost(positions: &[Vec<f64>]) -> f64 {
    2f64.powi(-48)
        * positions.iter().flatten().fold(0.0, |largest: f64, position| position.abs().max(largest))
}

fn desc(axes: &[usize], pairing: Pairing) -> RotaryDesc {
    let sizes = RotaryDesc { batch: 2, heads: 3, seq: 5, head_dim: 14, table_rows: 5, ..Default::default() };
    RotaryDesc { axes: axes.to_vec(), pairing, ..sizes }
}

fn agree(got: &ArrayD<f64>, want: &ArrayD<f64>, allowed: f64) {
    assert_eq!(got.shape(), want.shape());
    for ((index, got), want) in got.indexed_iter().zip(want) {
        assert!((got - want).abs() <= allowed, "{got} and {want} at {index:?} differ by more than {allowed}");
    }
}

#[test]
fn tables_are_right_to_half_a_unit() {
    let golden = Golden::new(GOLDEN);
    for (name, axes, base) in CASES {
        let positions = positions(&golden, name);
        let tables = rotary_table(axes, base, &positions).unwrap();
        for (table, which) in tables.iter().zip(["cos", "sin"]) {
            let want = golden.values(&format!("{name}.{which}"));
            agree(&table.to_f64(), &want, 2f64.powi(-25) + lost(&positions));
        }
    }
}

#[test]
fn numpy_agrees_on_every_pairing_and_axis() {
    let golden = Golden::new(GOLDEN);
    let x: Array3<f64> = golden.values("x").into_shape_with_order((2, 3, 70)).unwrap();
    let magnitude = 2.0 * largest(&x);
    for (name, axes, base) in CASES {
        let positions = positions(&golden, name);
        for (which, pairing) in PAIRINGS {
            let want = golden.values(&format!("{name}.{which}"));
            // By a table: what the table is off, times the two numbers of a pair.
            let mut inputs = Tensors::new();
            inputs.insert("x", golden.tensor("x"));
            for (table, name) in rotary_table(axes, base, &positions).unwrap().into_iter().zip(["cos", "sin"])
            {
                inputs.insert(name, table);
            }
            let got = desc(axes, pairing).evaluate(&inputs).unwrap()[0].values();
            agree(&got, &want, magnitude * (2f64.powi(-25) + 2.0 * lost(&positions)));
            // In f64: what f64 loses of an angle and of four roundings.
            for (item, heads) in x.outer_iter().enumerate() {
                for (head, rows) in heads.outer_iter().enumerate() {
                    let rows = rows.into_shape_with_order((5, 14)).unwrap();
                    let got = rotary(rows, axes, pairing, base, &positions).unwrap();
                    let want = want.slice(s![item, head, .., ..]).to_owned().into_dyn();
                    let allowed = magnitude * (lost(&positions) + 4.0 * f64::EPSILON);
                    agree(&got.into_dyn(), &want, allowed);
                }
            }
        }
    }
}

#[test]
fn jax_agrees_on_the_norm_before_it() {
    let golden = Golden::new(GOLDEN);
    let positions = positions(&golden, "picture");
    let mut inputs = Tensors::new();
    for name in ["x", "weight"] {
        inputs.insert(name, golden.tensor(name));
    }
    for (table, name) in rotary_table(&[6, 8], 100.0, &positions).unwrap().into_iter().zip(["cos", "sin"]) {
        inputs.insert(name, table);
    }
    let norm = Some(1e-3);
    let plain = desc(&[6, 8], Pairing::HalfSplit);
    let desc = RotaryDesc { norm, weight: true, positions: Positions::From(0), ..plain.clone() };
    let want = golden.values("normed");
    // A normalised row of 14 has no element above the root of 14.
    let magnitude = 2.0 * 14f64.sqrt() * largest(&golden.values("weight"));
    agree(
        &desc.evaluate(&inputs).unwrap()[0].values(),
        &want,
        magnitude * (2f64.powi(-25) + 2.0 * lost(&positions)),
    );
    inputs.remove("weight");
    let plain = plain.evaluate(&inputs).unwrap()[0].values();
    assert!(plain.iter().zip(&want).any(|(a, b)| (a - b).abs() > 0.1), "the norm changes nothing");
}

/// The goldens hold what they are meant to show: pairings and positions that matter, and ends of rows that stay.
#[test]
fn the_goldens_are_not_vacuous() {
    let golden = Golden::new(GOLDEN);
    let answers: Vec<ArrayD<f64>> = CASES
        .iter()
        .flat_map(|(name, ..)| PAIRINGS.map(|(which, _)| golden.values(&format!("{name}.{which}"))))
        .collect();
    for (i, a) in answers.iter().enumerate() {
        assert!(answers[..i].iter().all(|b| a != b));
    }
    let (x, part) = (golden.values("x"), golden.values("part.half_split"));
    let end = |values: &ArrayD<f64>| values.slice_axis(ndarray::Axis(3), (8..).into()).to_owned();
    assert_eq!(end(&x), end(&part));
}
