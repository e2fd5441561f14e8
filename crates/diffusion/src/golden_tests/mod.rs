//! Networks and sampling runs against what JAX computed in f64 from the same weights.
//!
//! The error allowed is computed: see [`crate::verify::carried_bound`].

mod digits;
mod tiny;

use langevin::reference::generate::Random;
use safetensors::SafeTensors;

struct Goldens(SafeTensors<'static>);

impl Goldens {
    fn read(bytes: &'static [u8]) -> Self {
        Self(SafeTensors::deserialize(bytes).unwrap())
    }

    fn f64s(&self, name: &str) -> Vec<f64> {
        let view = self.0.tensor(name).unwrap();
        view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    }

    fn f32s(&self, name: &str) -> Vec<f32> {
        self.f64s(name).into_iter().map(|value| value as f32).collect()
    }

    fn classes(&self, name: &str) -> Vec<usize> {
        let view = self.0.tensor(name).unwrap();
        view.data().chunks_exact(4).map(|b| i32::from_le_bytes(b.try_into().unwrap()) as usize).collect()
    }
}

fn assert_within(what: &str, got: &[f64], golden: &[f64], bound: &[f64]) {
    assert_eq!(got.len(), golden.len(), "{what}");
    let mut worst = 0.0f64;
    for (i, ((got, golden), bound)) in got.iter().zip(golden).zip(bound).enumerate() {
        assert!((got - golden).abs() <= *bound, "{what}[{i}]: {got}, expected {golden} +- {bound}");
        worst = worst.max((got - golden).abs() / bound);
    }
    let (largest, loosest) =
        (golden.iter().fold(0.0, |m: f64, v| m.max(v.abs())), bound.iter().fold(0.0, |m, &b| b.max(m)));
    println!(
        "{what}: worst {worst:.4} of the bound; largest value {largest:.3}, largest bound {loosest:.2e}"
    );
    assert!(loosest < 0.1 * largest, "{what}: a bound of {loosest} tests nothing for values up to {largest}");
}

/// Moves a value by its bound, up or down.
fn signs(seed: u64) -> impl FnMut(f64, f64) -> f64 {
    let mut random = Random::new(seed);
    move |value, bound| if random.next_u64() & 1 == 0 { value + bound } else { value - bound }
}

fn widen(values: Vec<f32>) -> Vec<f64> {
    values.into_iter().map(f64::from).collect()
}
