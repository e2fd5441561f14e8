//! The heat solver against its twin on the CPU.

use langevin::reference::generate;
use langevin::verify::{Op, Tensor};
use langevin::{Edge, Format, HeatDesc};
use langevin_diffusion::heat::{HeatSolver, heat_on_cpu};
use langevin_testkit::gpu;

fn insulated(spatial: &[usize]) -> HeatDesc {
    let desc = HeatDesc {
        batch: 3,
        spatial: spatial.to_vec(),
        boundary: vec![[Edge::Neumann(0.0); 2]],
        ..Default::default()
    };
    HeatDesc { time_step: desc.monotone_dt(), ..desc }
}

fn field(desc: &HeatDesc) -> Tensor {
    generate::inputs(desc, 3).remove("u").unwrap()
}

#[test]
fn many_steps_agree_with_the_twin() {
    let Some(gpu) = gpu() else { return };
    for format in [Format::F32, Format::F16] {
        let desc = HeatDesc { u: format, out: format, ..insulated(&[17, 21]) };
        let start = field(&desc);
        let mut solver = HeatSolver::new(&gpu, &desc, &start).unwrap();
        assert_eq!(solver.field().unwrap(), start, "nothing has happened yet");
        let steps = 301;
        let mut reports = Vec::new();
        solver.run(steps, |done| reports.push(done)).unwrap();
        assert_eq!((reports, solver.steps()), (vec![256, steps], steps));
        let got = solver.field().unwrap().to_f64();
        let mut heard = 0;
        let expected = heat_on_cpu(&desc, &start, steps, |done| heard = done).unwrap().to_f64();
        assert_eq!(heard, steps);
        // Errors are not amplified below the monotone limit, so those of the steps add up; the twin stores once.
        let allowed = steps as f64 * desc.step_bound(1.0) + format.rounding_error(1.0);
        let errors = (&got - &expected).mapv(f64::abs);
        let worst = errors.iter().copied().fold(0.0, f64::max);
        assert!(worst <= allowed, "{format}: {worst} > {allowed}");
        let change = (&expected - &start.to_f64()).mapv(f64::abs).iter().copied().fold(0.0, f64::max);
        assert!(change > 10.0 * allowed || format != Format::F32, "hardly anything happened");
    }
}

/// Calls of several steps, and single ones for what is left, are as many single steps.
#[test]
fn several_steps_to_a_call() {
    let Some(gpu) = gpu() else { return };
    let (medium, source) = (Some(Format::F32), Some(Format::F16));
    for desc in [insulated(&[17, 21]), HeatDesc { medium, source, ..insulated(&[9, 7]) }] {
        let inputs = generate::inputs(&desc, 4);
        let evolve = |steps_per_dispatch: usize| {
            let desc = HeatDesc { steps_per_dispatch, ..desc.clone() };
            let mut solver = HeatSolver::with_inputs(&gpu, &desc, &inputs).unwrap();
            solver.run(4, |_| ()).unwrap();
            solver.run(15, |_| ()).unwrap();
            assert_eq!(solver.steps(), 19);
            solver.field().unwrap().to_f64()
        };
        let (single, several) = (evolve(1), evolve(8));
        let worst = (&single - &several).mapv(f64::abs).iter().copied().fold(0.0, f64::max);
        // Up to the monotone limit no step amplifies an error; what the source adds is at most 19 steps of its 1.
        let largest = 1.0 + 19.0 * desc.time_step;
        assert!(worst <= 2.0 * 19.0 * desc.step_bound(2.0 * largest), "{desc:?}: {worst}");
    }
}

#[test]
fn recording_is_running() {
    let Some(gpu) = gpu() else { return };
    let desc = insulated(&[9, 6]);
    let start = field(&desc);
    let mut run = HeatSolver::new(&gpu, &desc, &start).unwrap();
    run.run(7, |_| ()).unwrap();
    let mut recorded = HeatSolver::new(&gpu, &desc, &start).unwrap();
    gpu.run(|encoder| {
        recorded.encode(encoder, 3);
        recorded.encode(encoder, 0);
        recorded.encode(encoder, 4);
    })
    .unwrap();
    assert_eq!(recorded.field().unwrap(), run.field().unwrap());
    assert_eq!(gpu.download(recorded.buffer()).unwrap(), run.field().unwrap().to_words(0));
}

#[test]
fn a_field_without_cells_stays_one() {
    let Some(gpu) = gpu() else { return };
    let desc = insulated(&[0, 6]);
    let empty = field(&desc);
    let mut solver = HeatSolver::new(&gpu, &desc, &empty).unwrap();
    solver.run(3, |_| ()).unwrap();
    assert_eq!(solver.field().unwrap(), empty);
    assert_eq!(heat_on_cpu(&desc, &empty, 3, |_| ()).unwrap(), empty);
}

#[test]
fn errors_are_sentences() {
    let Some(gpu) = gpu() else { return };
    let desc = insulated(&[4, 4]);
    let start = field(&desc);
    let error = |desc: &HeatDesc, field: &Tensor| {
        let solver = HeatSolver::new(&gpu, desc, field).unwrap_err().to_string();
        assert_eq!(heat_on_cpu(desc, field, 1, |_| ()).unwrap_err().to_string(), solver);
        solver
    };
    let unstable = HeatDesc { time_step: 0.3, ..desc.clone() };
    let sentence =
        "heat: `time_step` must be at most 0.25, the stability limit 2 / (diffusivity * lambda_max), got 0.3";
    assert_eq!(error(&unstable, &start), sentence);
    let mixed = HeatDesc { out: Format::F16, ..desc.clone() };
    let sentence =
        "the format of the next field must be f32, as the field it becomes again is stored, got f16";
    assert_eq!(error(&mixed, &start), sentence);
    let flat = start.reshape(&[3, 16]).unwrap();
    assert_eq!(error(&desc, &flat), "heat: tensor `u` must have shape [3, 4, 4], got [3, 16]");
    assert!(desc.validate().is_ok());
}
