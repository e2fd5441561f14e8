//! Combinations against their reference: shapes, in place, the meaning of guidance, extremes, one call with changing factors.

use langevin::reference::{Tensor, Tensors, generate};
use langevin::verify::{self, Op, RunOptions};
use langevin::{Combine, CombineBuffers, CombineDesc, Format, Gpu};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

/// The kinds of combination: few, since each is a shader to compile.
const KINDS: [(usize, usize, bool); 4] = [(1, 1, false), (1, 2, true), (4, 2, false), (2, 0, false)];

fn desc((states, predictions, noise): (usize, usize, bool), elements: usize) -> CombineDesc {
    CombineDesc { states, predictions, noise, elements }
}

fn guided(elements: usize) -> CombineDesc {
    CombineDesc { predictions: 2, elements, ..Default::default() }
}

fn with_factors(desc: &CombineDesc, seed: u64, factors: &[f32]) -> Tensors {
    let mut inputs = generate::inputs(desc, seed);
    let shape = [desc.states, desc.inputs()];
    inputs.insert("factors", Tensor::from_f32(Format::F32, &shape, factors).unwrap());
    inputs
}

fn run(gpu: &Gpu, desc: &CombineDesc, inputs: &Tensors) -> Vec<f32> {
    verify::run(gpu, desc, inputs, &RunOptions::default()).unwrap().remove("state").unwrap().to_f32()
}

/// Around a group of four and the 256 numbers of a workgroup, and over more than two workgroups. Where a row is no multiple
/// of four long, the next starts inside a group of four.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    for (i, elements) in [1, 2, 3, 4, 5, 255, 256, 257, 511, 2703].into_iter().enumerate() {
        for kind in KINDS {
            conform(&gpu, &desc(kind, elements), i as u64);
        }
    }
}

#[test]
fn empty_rows_are_defined() {
    let Some(gpu) = gpu() else { return };
    for kind in KINDS {
        conform(&gpu, &desc(kind, 0), 0);
    }
}

/// What a multi-step method remembers moves from row to row without a change.
#[test]
fn a_row_of_zeros_and_a_one_copies() {
    let Some(gpu) = gpu() else { return };
    let desc = desc(KINDS[2], 131);
    let mut factors = vec![0.0f32; 4 * 6];
    // Row 0 is a sum; each other row becomes the one before it.
    factors[..6].copy_from_slice(&[1.0, 0.5, -0.25, 0.1, 2.0, -1.0]);
    for row in 1..4 {
        factors[row * 6 + row - 1] = 1.0;
    }
    let inputs = with_factors(&desc, 5, &factors);
    conform_on(&gpu, &desc, &inputs);
    let before = inputs.get("state").unwrap().to_f32();
    assert_eq!(run(&gpu, &desc, &inputs)[131..], before[..3 * 131]);
}

#[test]
fn extreme_factors_stay_finite_and_within_the_bound() {
    let Some(gpu) = gpu() else { return };
    let desc = guided(87);
    for (scale, dt) in [(1e3, -1.0), (-1e6, 0.02), (1e30, 1e-2), (1e37, 1.0), (1e-30, 1e-8), (7.5, 0.0f32)] {
        let inputs = with_factors(&desc, 4, &[1.0, scale * dt, (1.0 - scale) * dt]);
        conform_on(&gpu, &desc, &inputs);
        assert!(run(&gpu, &desc, &inputs).iter().all(|y| y.is_finite()), "scale {scale}, step {dt}");
    }
}

/// A sampler records one call many times and changes the slot in between.
#[test]
fn factors_are_read_when_the_call_runs() {
    let Some(gpu) = gpu() else { return };
    let desc = guided(4);
    let words = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let upload = |values: &[f32]| gpu.upload("test", &words(values)).unwrap();
    let prediction = upload(&[3.0, 5.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0]);
    let (state, factors) = (upload(&[0.0; 4]), upload(&[0.0; 3]));
    let plan = Combine::new(gpu.device(), &desc).unwrap();
    let [s, f, p] = [&state, &factors, &prediction].map(|buffer| buffer.as_entire_buffer_binding());
    let buffers = CombineBuffers { prediction: Some(p), ..CombineBuffers::new(s, f) };
    let call = plan.bind(gpu.device(), buffers).unwrap();
    for (scale, dt, expected) in [
        (0.0, 1.0, [11.0, 21.0, 31.0, 41.0]),
        (2.0, -0.5, [7.5, 15.5, 29.5, 41.5]),
        (1.0, 2.0, [16.0, 30.0, 32.0, 38.0]),
    ] {
        gpu.write(&state, &words(&[10.0, 20.0, 30.0, 40.0])).unwrap();
        gpu.write(&factors, &words(&[1.0, scale * dt, (1.0 - scale) * dt])).unwrap();
        gpu.run(|encoder| call.encode(encoder)).unwrap();
        assert_eq!(gpu.download(&state).unwrap(), words(&expected), "scale {scale}, step {dt}");
    }
}

#[test]
fn errors_name_the_tensor_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &CombineDesc| Combine::new(gpu.device(), desc).unwrap_err().to_string();
    assert!(error(&guided(1 << 31)).contains("the number of elements of `prediction` must be at most"));
    assert!(error(&guided(usize::MAX)).contains("the number of elements of `prediction`"));
    assert_eq!(error(&desc((9, 1, false), 4)), "combine: `states` must be from 1 to 8, got 9");
    let [a, b, c] = [(); 3].map(|()| gpu.empty("test", 16).unwrap());
    let [state, factors, prediction] = [&a, &b, &c].map(|buffer| buffer.as_entire_buffer_binding());
    let plan = Combine::new(gpu.device(), &guided(3)).unwrap();
    let bind = |buffers: CombineBuffers<'_>| plan.bind(gpu.device(), buffers).unwrap_err().to_string();
    let without = CombineBuffers::new(state.clone(), factors.clone());
    assert!(bind(without.clone()).contains("`prediction`"));
    let error = bind(CombineBuffers { prediction: Some(prediction), ..without.clone() });
    assert_eq!(error, "combine: `prediction` takes 24 bytes, but its binding has 16");
    let plan = Combine::new(gpu.device(), &desc(KINDS[0], 3)).unwrap();
    let aliased = CombineBuffers { prediction: Some(state), ..without };
    let error = plan.bind(gpu.device(), aliased).unwrap_err().to_string();
    assert!(error.contains("`state`") && error.contains("`prediction`"), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_combination_is_within_its_bound(
        kind in 0..KINDS.len(),
        elements in 1usize..700,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = desc(KINDS[kind], elements);
        conform_on(&gpu, &desc, &generate::inputs(&desc, seed));
    }

    /// A guidance scale of 1 is the conditional step and 0 the unconditional one, to the bit.
    #[test]
    fn the_scale_goes_from_without_to_with_the_condition(
        elements in 1usize..700,
        dt in -1f32..1.0,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let both = guided(elements);
        let alone = desc(KINDS[0], elements);
        for (factors, row) in [([1.0, dt, 0.0], 0), ([1.0, 0.0, dt], 1)] {
            let inputs = with_factors(&both, seed, &factors);
            let rows = inputs.get("prediction").unwrap().to_f32();
            let mut single = Tensors::new();
            single.insert("state", inputs.get("state").unwrap().clone());
            let prediction = &rows[row * elements..][..elements];
            single.insert("prediction", Tensor::from_f32(Format::F32, &[1, elements], prediction).unwrap());
            single.insert("factors", Tensor::from_f32(Format::F32, &[1, 2], &[1.0, dt]).unwrap());
            prop_assert_eq!(run(&gpu, &both, &inputs), run(&gpu, &alone, &single));
        }
        prop_assert!(both.validate().is_ok());
    }
}
