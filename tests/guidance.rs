//! Guidance against its reference: shapes, the meaning of the scale, extreme scales, one call with changing factors.

use langevin::reference::{Answer, Op, Tensor, Tensors, generate};
use langevin::verify::{self, RunOptions};
use langevin::{Format, Gpu, Guidance, GuidanceBuffers, GuidanceDesc};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

fn guided(batch: usize, width: usize) -> GuidanceDesc {
    GuidanceDesc { batch, width, guided: true }
}

fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_f32(Format::F32, shape, values).unwrap()
}

fn with_factors(desc: &GuidanceDesc, seed: u64, scale: f32, dt: f32) -> Tensors {
    let mut inputs = generate::inputs(desc, seed);
    inputs.insert("factors", f32s(&[2], &[scale, dt]));
    inputs
}

fn run(gpu: &Gpu, desc: &GuidanceDesc, inputs: &Tensors) -> Tensor {
    verify::run(gpu, desc, inputs, &RunOptions::default()).unwrap().remove("out").unwrap()
}

/// Around a group of four and the 256 numbers of a workgroup, and over more than two workgroups.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    for (i, (batch, width)) in
        [(1, 1), (3, 1), (1, 4), (5, 3), (1, 255), (1, 256), (1, 257), (7, 73), (3, 901)]
            .into_iter()
            .enumerate()
    {
        for guided in [false, true] {
            conform(&gpu, &GuidanceDesc { batch, width, guided }, i as u64);
        }
    }
}

#[test]
fn empty_sizes_are_defined() {
    let Some(gpu) = gpu() else { return };
    for (batch, width) in [(0, 3), (3, 0), (0, 0)] {
        conform(&gpu, &guided(batch, width), 0);
    }
}

#[test]
fn extreme_scales_stay_finite_and_within_the_bound() {
    let Some(gpu) = gpu() else { return };
    let desc = guided(3, 29);
    for (scale, dt) in [(1e3, -1.0), (-1e6, 0.02), (1e30, 1e-2), (1e37, 1.0), (1e-30, 1e-8), (7.5, 0.0)] {
        let inputs = with_factors(&desc, 4, scale, dt);
        conform_on(&gpu, &desc, &inputs);
        assert!(run(&gpu, &desc, &inputs).to_f32().iter().all(|y| y.is_finite()), "scale {scale}, step {dt}");
    }
}

/// The scale is not used without guidance, not even where it is no number.
#[test]
fn unguided_steps_ignore_the_scale() {
    let Some(gpu) = gpu() else { return };
    let desc = GuidanceDesc { guided: false, ..guided(2, 9) };
    conform_on(&gpu, &desc, &with_factors(&desc, 4, f32::NAN, 0.125));
}

/// A sampler records one call many times and changes the slot in between.
#[test]
fn factors_are_read_when_the_call_runs() {
    let Some(gpu) = gpu() else { return };
    let desc = guided(1, 4);
    let words = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
    let upload = |values: &[f32]| gpu.upload("test", &words(values)).unwrap();
    let (velocity, x) =
        (upload(&[3.0, 5.0, 1.0, -1.0, 1.0, 1.0, 1.0, 1.0]), upload(&[10.0, 20.0, 30.0, 40.0]));
    let (factors, out) = (upload(&[0.0, 1.0]), upload(&[0.0; 4]));
    let plan = Guidance::new(gpu.device(), &desc).unwrap();
    let [v, x, f, o] = [&velocity, &x, &factors, &out].map(|buffer| buffer.as_entire_buffer_binding());
    let call = plan.bind(gpu.device(), GuidanceBuffers::new(v, x, f, o)).unwrap();
    for (scale, dt, expected) in [
        (0.0, 1.0, [11.0, 21.0, 31.0, 41.0]),
        (2.0, -0.5, [7.5, 15.5, 29.5, 41.5]),
        (1.0, 2.0, [16.0, 30.0, 32.0, 38.0]),
    ] {
        gpu.write(&factors, &words(&[scale, dt])).unwrap();
        gpu.run(|encoder| call.encode(encoder)).unwrap();
        assert_eq!(gpu.download(&out).unwrap(), words(&expected), "scale {scale}, step {dt}");
    }
}

#[test]
fn errors_name_the_tensor_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &GuidanceDesc| Guidance::new(gpu.device(), desc).unwrap_err().to_string();
    assert!(
        error(&guided(1 << 16, 1 << 15)).contains("the number of elements of `velocity` must be at most")
    );
    assert!(error(&guided(usize::MAX, 1)).contains("the number of elements of `velocity`"));
    let buffer = gpu.empty("test", 16).unwrap();
    let [a, b, c, d] = [(); 4].map(|()| buffer.as_entire_buffer_binding());
    let plan = Guidance::new(gpu.device(), &guided(1, 3)).unwrap();
    let error = plan.bind(gpu.device(), GuidanceBuffers::new(a, b, c, d)).unwrap_err().to_string();
    assert_eq!(error, "guidance: `velocity` takes 24 bytes, but its binding has 16");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_step_is_within_its_bound(
        (batch, width) in (1usize..6, 1usize..120),
        guided in any::<bool>(),
        (scale, dt) in (-20f32..20.0, -1f32..1.0),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = GuidanceDesc { batch, width, guided };
        conform_on(&gpu, &desc, &with_factors(&desc, seed, scale, dt));
    }

    /// A scale of 1 is the conditional step, a scale of 0 the unconditional one, each within the bounds of both.
    #[test]
    fn the_scale_goes_from_without_to_with_the_condition(
        (batch, width) in (1usize..6, 1usize..120),
        dt in -1f32..1.0,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let desc = guided(batch, width);
        let alone = GuidanceDesc { guided: false, ..desc.clone() };
        let velocity = generate::inputs(&desc, seed).get("velocity").unwrap().to_f32();
        let (conditional, unconditional) = velocity.split_at(batch * width);
        for (scale, half) in [(1.0, conditional), (0.0, unconditional)] {
            let inputs = with_factors(&desc, seed, scale, dt);
            let mut single = inputs.clone();
            single.insert("velocity", f32s(&[batch, width], half));
            let (got, want) = (run(&gpu, &desc, &inputs).to_f64(), run(&gpu, &alone, &single).to_f64());
            let bound = |desc: &GuidanceDesc, inputs: &Tensors| match desc.answer(inputs).remove(0).answer {
                Answer::Bounded { bound, .. } => bound,
                _ => unreachable!("a step is not exact"),
            };
            let allowed = bound(&desc, &inputs) + bound(&alone, &single);
            for ((got, want), allowed) in got.iter().zip(&want).zip(&allowed) {
                prop_assert!((got - want).abs() <= *allowed, "{} and {}, allowed {}", got, want, allowed);
            }
        }
    }
}
