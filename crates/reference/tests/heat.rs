//! The heat step against NumPy's and SciPy's, and its limits.

mod golden;

use golden::{Golden, assert_close, largest};
use langevin_reference::{Answer, Edge, Format, HeatDesc, Op, generate, heat_step};
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
