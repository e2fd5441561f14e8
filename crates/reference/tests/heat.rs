//! The heat step against NumPy's and SciPy's, and its limits.

mod golden;

use golden::{Golden, assert_close, largest};
use langevin_reference::{Answer, Edge, Format, HeatDesc, Op, Scheme, Stencil, generate, heat_step};
use ndarray::{ArrayD, Axis};

fn evolve(u: ArrayD<f64>, desc: &HeatDesc, steps: usize) -> ArrayD<f64> {
    (0..steps).fold(u, |u, _| heat_step(u.view(), desc).unwrap())
}

#[test]
fn agrees_with_numpy_and_scipy() {
    let golden = Golden::new(include_bytes!("../goldens/heat.safetensors"));
    for (name, edge) in [
        ("roll", Edge::Periodic),
        ("constant", Edge::Fixed(0.0)),
        ("reflect", Edge::Neumann(0.0)),
        ("solid", Edge::Periodic),
    ] {
        let u = golden.values(&format!("{name}.u")).insert_axis(Axis(0));
        let desc = HeatDesc {
            spatial: u.shape()[1..].to_vec(),
            spacing: vec![0.6],
            boundary: vec![[edge; 2]],
            diffusivity: 0.8,
            time_step: 0.07,
            ..Default::default()
        };
        assert!(desc.time_step <= desc.monotone_dt(), "a step must not amplify errors");
        for steps in [1, 12] {
            // Cells are in [0, 1]; what is summed in a step is at most 3 of that size, and factors lose two digits.
            let terms = steps * (4 * desc.spatial.len() + 3);
            let want = golden.values(&format!("{name}.{steps}")).insert_axis(Axis(0));
            assert!(largest(&want) > 0.1, "{name} is nearly nothing");
            assert_close(&evolve(u.clone(), &desc, steps), &want, terms + 1, 3.0);
        }
    }
}

#[test]
fn limits_are_those_of_the_grid() {
    let desc = |edge, spatial: &[usize]| HeatDesc {
        spatial: spatial.to_vec(),
        boundary: vec![[edge; 2]],
        diffusivity: 0.5,
        ..Default::default()
    };
    for (edge, monotone) in [
        (Edge::Periodic, 0.5),
        (Edge::Neumann(0.0), 0.5),
        (Edge::Fixed(1.0), 0.5),
        // The corner cells lose to two faces twice as much as to a neighbour.
        (Edge::Dirichlet(1.0), 1.0 / 3.0),
    ] {
        let desc = desc(edge, &[8, 8]);
        assert_eq!((desc.stable_dt(), desc.monotone_dt()), (0.5, monotone), "{edge:?}");
    }
    assert_eq!(desc(Edge::Periodic, &[4, 4, 4]).stable_dt(), 1.0 / 3.0);
    // One cell that is its own neighbour does not change, so nothing limits it.
    assert_eq!(desc(Edge::Periodic, &[1]).stable_dt(), f64::INFINITY);
}

/// The chequerboard is the mode that decides: below the limit it decays, above it would grow.
#[test]
fn the_limit_is_sharp() {
    let chequered =
        ArrayD::from_shape_fn(vec![1, 6, 8], |index| 1.0 - 2.0 * ((index[1] + index[2]) % 2) as f64);
    let desc = HeatDesc { spatial: vec![6, 8], ..Default::default() };
    let at_limit = HeatDesc { time_step: desc.stable_dt(), ..desc.clone() };
    assert_eq!(evolve(chequered.clone(), &at_limit, 5), chequered.mapv(|value| -value));
    let above = HeatDesc { time_step: desc.stable_dt() * 1.0000001, ..desc };
    let error = heat_step(chequered.view(), &above).unwrap_err().to_string();
    assert!(
        error.contains("at most 0.25, the stability limit") && error.contains("got 0.250000025"),
        "{error}"
    );
}

/// Twice as many steps of Euler halve the error in time, of Runge-Kutta-Legendre they quarter it.
#[test]
fn orders_in_time() {
    let cells = 16;
    let wave = std::f64::consts::TAU / cells as f64;
    let u = ArrayD::from_shape_fn(vec![1, cells], |index| (wave * index[1] as f64).cos());
    // What the discrete Laplacian makes of the wave, exactly in time.
    let rate = 4.0 * (wave / 2.0).sin().powi(2);
    let time = 4.0f64;
    let expected = (-rate * time).exp();
    for (scheme, counts, order) in [
        (Scheme::Euler, [16, 32, 64], 1.0),
        (Scheme::Rkl2 { stages: 3 }, [8, 16, 32], 2.0),
        (Scheme::Rkl2 { stages: 6 }, [2, 4, 8], 2.0),
        (Scheme::Rkl2 { stages: 9 }, [2, 4, 8], 2.0),
    ] {
        let error = |count: usize| {
            let time_step = time / count as f64;
            let desc = HeatDesc { spatial: vec![cells], scheme, time_step, ..Default::default() };
            (evolve(u.clone(), &desc, count)[[0, 0]] - expected).abs()
        };
        let errors = counts.map(error);
        for (pair, count) in errors.windows(2).zip(counts) {
            let got = (pair[0] / pair[1]).log2();
            // The error is c z^(p + 1) (1 + d z + ..) for a step of z = rate time_step, with d below 1.
            let slack = 2.0 * rate * time / count as f64;
            assert!((got - order).abs() <= slack, "{scheme:?}: order {got}, errors {errors:?}");
        }
    }
}

/// A super step is stable up to its own limit, far beyond Euler's, and not above.
#[test]
fn limits_of_super_steps() {
    let desc =
        |stages| HeatDesc { spatial: vec![6, 8], scheme: Scheme::Rkl2 { stages }, ..Default::default() };
    assert_eq!([2, 3, 9].map(|stages| desc(stages).stable_dt()), [0.25, 0.625, 5.5]);
    let chequered =
        ArrayD::from_shape_fn(vec![1, 6, 8], |index| 1.0 - 2.0 * ((index[1] + index[2]) % 2) as f64);
    for stages in [2, 3, 9, 32] {
        let desc = desc(stages);
        let at_limit = HeatDesc { time_step: desc.stable_dt(), ..desc.clone() };
        let after = evolve(chequered.clone(), &at_limit, 20);
        assert!(after.iter().all(|value| value.abs() <= 1.0 + 1e-9), "{stages} stages grow");
        let above = HeatDesc { time_step: desc.stable_dt() * 1.001, ..desc };
        let error = above.validate().unwrap_err().to_string();
        assert!(error.contains("the stability limit") && error.contains("stages"), "{error}");
    }
    let error = |desc: HeatDesc| desc.validate().unwrap_err().to_string();
    assert_eq!(error(desc(1)), "heat: `scheme` must be of 2 to 32 stages, got 1");
    assert_eq!(error(desc(33)), "heat: `scheme` must be of 2 to 32 stages, got 33");
    let several = HeatDesc { steps_per_dispatch: 2, ..desc(4) };
    assert_eq!(error(several), "heat: `steps_per_dispatch` must be 1 where a step has stages, got 2");
}

#[test]
fn no_step_errs_more_than_the_worst_step() {
    for (i, out) in [Format::F32, Format::F16, Format::BF16].into_iter().enumerate() {
        for edges in [
            [Edge::Periodic; 2],
            [Edge::Dirichlet(2.0), Edge::Fixed(-3.0)],
            [Edge::Neumann(5.0), Edge::Dirichlet(0.0)],
        ] {
            let desc = HeatDesc { spatial: vec![5, 6], boundary: vec![edges], out, ..Default::default() };
            let desc = HeatDesc { time_step: desc.monotone_dt(), ..desc };
            let inputs = generate::inputs(&desc, i as u64);
            let Answer::Bounded { bound, .. } = desc.evaluate(&inputs).unwrap().remove(0).answer else {
                panic!("bounded")
            };
            // The inputs are in [-1, 1].
            let worst = bound.iter().copied().fold(0.0, f64::max);
            assert!(worst <= desc.step_bound(1.0) && desc.step_bound(1.0) < 20.0 * worst, "{desc:?}");
        }
    }
}

/// The limits as the documentation writes them are allowed, however the one computed was rounded; a step that f32 does not
/// hold is not, even where nothing flows.
#[test]
fn written_limits_are_allowed_and_steps_beyond_f32_are_not() {
    let isotropic = |axes: usize, time_step| {
        let stencil = Stencil::Isotropic;
        HeatDesc { spatial: vec![8; axes], stencil, time_step, ..Default::default() }.validate()
    };
    for (axes, limit) in [(2, 3.0 / 8.0), (3, 15.0 / 46.0)] {
        assert!(isotropic(axes, limit).is_ok());
        assert!(isotropic(axes, limit * (1.0 + 1e-12)).is_err());
    }
    let still = |time_step| {
        HeatDesc { spatial: vec![8], diffusivity: 0.0, time_step, ..Default::default() }.validate()
    };
    assert!(still(f64::from(f32::MAX)).is_ok());
    let error = still(1e39).unwrap_err().to_string();
    assert!(error.contains("`time_step` must be at most the largest number of f32"), "{error}");
}
