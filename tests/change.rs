//! Change against its reference: lengths around the group of four, the workgroup and the most workgroups; what does not count.

use langevin::reference::{Tensor, Tensors, generate};
use langevin::{Change, ChangeDesc, Format};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

fn of(x: &[f32], y: &[f32]) -> (ChangeDesc, Tensors) {
    let tensor = |values: &[f32]| Tensor::from_f32(Format::F32, &[values.len()], values).unwrap();
    let mut inputs = Tensors::new();
    inputs.insert("x", tensor(x));
    inputs.insert("y", tensor(y));
    (ChangeDesc { elements: x.len() }, inputs)
}

#[test]
fn lengths() {
    let Some(gpu) = gpu() else { return };
    for (i, elements) in
        [0, 1, 3, 4, 5, 255, 257, 4095, 4096, 4097, 9001, 262_145, 600_003, 1_200_003].into_iter().enumerate()
    {
        conform(&gpu, &ChangeDesc { elements }, i as u64);
    }
}

/// A single element that differs, anywhere, is the whole change.
#[test]
fn every_element_counts_once() {
    let Some(gpu) = gpu() else { return };
    for at in [0, 1, 2, 3, 4, 255, 256, 4096, 4098] {
        let y = vec![1.0; 4099];
        let mut x = y.clone();
        x[at] = -1.5;
        let (desc, inputs) = of(&x, &y);
        conform_on(&gpu, &desc, &inputs);
    }
}

#[test]
fn too_many_elements_are_named() {
    let Some(gpu) = gpu() else { return };
    let error = Change::new(gpu.device(), &ChangeDesc { elements: 1 << 33 }).unwrap_err().to_string();
    assert!(error.contains("the number of elements of `x` must be at most"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_change_is_within_its_bound(elements in 1usize..9000, seed in any::<u64>()) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = ChangeDesc { elements };
        conform_on(&gpu, &desc, &generate::inputs(&desc, seed));
    }
}
