//! Samplers as numbers, without a network: against diffusers' schedulers, the papers' formulas, and closed-form solutions.

use langevin_diffusion::{Level, NoiseSchedule, Prediction, Process, Sampler, Schedule};
use safetensors::SafeTensors;

/// A target of which the best prediction is known.
trait Target {
    /// The mean of the noise in `x`.
    fn noise(&self, x: f64, level: Level) -> f64;

    fn predict(&self, x: f64, level: Level, prediction: Prediction, flow: bool) -> f64 {
        let noise = self.noise(x, level);
        let data = |noise: f64| (x - level.sigma * noise) / level.alpha;
        match prediction {
            Prediction::Noise => noise,
            Prediction::Data => data(noise),
            Prediction::Velocity if flow => noise - data(noise),
            Prediction::Velocity => level.alpha * noise - level.sigma * data(noise),
        }
    }
}

/// Data around a mean: the flow is a straight map.
struct Gaussian {
    mean: f64,
    spread: f64,
}

impl Gaussian {
    fn variance(&self, level: Level) -> f64 {
        (level.alpha * self.spread).powi(2) + level.sigma.powi(2)
    }

    /// Where the exact flow takes `x`: the distance from the mean, in standard deviations, stays.
    fn solution(&self, x: f64, from: Level, to: Level) -> f64 {
        let deviations = (x - from.alpha * self.mean) / self.variance(from).sqrt();
        to.alpha * self.mean + self.variance(to).sqrt() * deviations
    }
}

impl Target for Gaussian {
    fn noise(&self, x: f64, level: Level) -> f64 {
        level.sigma * (x - level.alpha * self.mean) / self.variance(level)
    }
}

/// +1 or -1, each with a spread: the target of the golden file.
struct TwoPoints(f64);

impl Target for TwoPoints {
    fn noise(&self, x: f64, level: Level) -> f64 {
        let variance = (level.alpha * self.0).powi(2) + level.sigma.powi(2);
        level.sigma * (x - level.alpha * (level.alpha * x / variance).tanh()) / variance
    }
}

/// Every state of a run in f64; `fresh` gives the noise.
fn run(
    schedule: &Schedule,
    mut x: f64,
    mut model: impl FnMut(f64, f64) -> f64,
    mut fresh: impl FnMut() -> f64,
) -> Vec<f64> {
    let mut remembered = [0.0; 3];
    let mut states = vec![x];
    for evaluation in &schedule.evaluations {
        let f = model(x, evaluation.time);
        let left = evaluation.remember[0] * x + evaluation.remember[1] * f;
        let next = evaluation.next;
        let history: f64 = next.remembered.iter().zip(remembered).map(|(a, b)| a * b).sum();
        let noise = if next.noise == 0.0 { 0.0 } else { next.noise * fresh() };
        x = next.sample * x + next.prediction * f + history + noise;
        remembered = [left, remembered[0], remembered[1]];
        states.push(x);
    }
    states
}

fn no_noise() -> f64 {
    unreachable!("this sampler takes no noise")
}

/// Two computations in f64 of some hundred operations to a step: what their roundings can do by the end, where an error
/// grows by `growth`.
fn allowed(largest: f64, growth: f64) -> f64 {
    500.0 * f64::EPSILON * largest * growth.max(1.0)
}

#[test]
fn the_steps_are_those_of_diffusers() {
    let bytes: &[u8] = include_bytes!("../goldens/schedulers.safetensors");
    let file = SafeTensors::deserialize(bytes).unwrap();
    let values = |name: &str| -> Vec<f64> {
        let view = file.tensor(name).unwrap();
        view.data().chunks_exact(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect()
    };
    let target = TwoPoints(0.3);
    let cases: Vec<String> =
        file.names().into_iter().filter_map(|name| Some(name.strip_suffix(".x")?.to_owned())).collect();
    assert_eq!(cases.len(), 10);
    for case in cases {
        let sampler = match case.split_once('.').unwrap().1 {
            "ddim" => Sampler::Ddim { eta: 0.0 },
            "euler" => Sampler::Euler,
            "lms" => Sampler::Lms { order: 4 },
            "dpmpp-2m" => Sampler::DpmSolver2M,
            other => panic!("{other}"),
        };
        let alpha_squared = values(&format!("{case}.alpha_squared"));
        let levels: Vec<Level> = (0..alpha_squared.len())
            .map(|i| Level::variance_preserving(i as f64 / 1000.0, alpha_squared[i]))
            .collect();
        let schedule = Schedule::new(sampler, Prediction::Noise, &levels).unwrap();
        let model = |x: f64, time: f64| target.noise(x, levels[(time * 1000.0).round() as usize]);
        let golden = values(&format!("{case}.x"));
        for element in 0..4 {
            let states = run(&schedule, golden[element], model, no_noise);
            let moved = run(&schedule, golden[element] + 1e-6, model, no_noise);
            let growth = states.iter().zip(&moved).fold(1.0f64, |g, (a, b)| g.max((b - a).abs() / 1e-6));
            // The data are what is left of the sample without its noise, divided by alpha.
            let growth = growth / levels[0].alpha;
            let largest = states.iter().fold(0.0f64, |l, x| l.max(x.abs()));
            for (step, state) in states.iter().enumerate() {
                let error = (state - golden[step * 4 + element]).abs();
                assert!(error <= allowed(largest, growth), "{case} step {step}: {error:e}");
            }
        }
    }
}

/// The steps as their papers write them, each in its own variables.
mod papers {
    use super::*;

    /// DDIM, equations 12 and 16: `a` and `b` are the paper's alpha before and after.
    pub(super) fn ddim(x: f64, noise: f64, [a, b]: [f64; 2], eta: f64, fresh: f64) -> f64 {
        let sigma = eta * ((1.0 - b) / (1.0 - a)).sqrt() * (1.0 - a / b).sqrt();
        let predicted = (x - (1.0 - a).sqrt() * noise) / a.sqrt();
        b.sqrt() * predicted + (1.0 - b - sigma * sigma).sqrt() * noise + sigma * fresh
    }

    /// k-diffusion's `sample_euler_ancestral`, where the sample is data plus `sigma` noise.
    pub(super) fn euler_ancestral(x: f64, noise: f64, [from, to]: [f64; 2], fresh: f64) -> f64 {
        let up = (to * to * (from * from - to * to) / (from * from)).sqrt().min(to);
        let down = (to * to - up * up).sqrt();
        x + noise * (down - from) + up * fresh
    }

    /// DPM-Solver++(2M), algorithm 2: `data` of this step and of the one before.
    pub(super) fn dpm_solver_2m(x: f64, [now, before]: [f64; 2], levels: [Level; 3]) -> f64 {
        let [first, from, to] = levels;
        let lambda = |level: Level| (level.alpha / level.sigma).ln();
        let h = lambda(to) - lambda(from);
        let r = (lambda(from) - lambda(first)) / h;
        let d = (1.0 + 1.0 / (2.0 * r)) * now - 1.0 / (2.0 * r) * before;
        to.sigma / from.sigma * x - to.alpha * ((-h).exp() - 1.0) * d
    }

    /// Heun's method for `dx/dt = v(x, t)`.
    pub(super) fn heun(x: f64, [from, to]: [f64; 2], velocity: impl Fn(f64, f64) -> f64) -> f64 {
        let first = velocity(x, from);
        let second = velocity(x + (to - from) * first, to);
        x + (to - from) * (first + second) / 2.0
    }
}

#[test]
fn the_steps_are_those_of_the_papers() {
    let close = |what: &str, got: f64, want: f64| {
        assert!((got - want).abs() <= allowed(want.abs().max(1.0), 1.0), "{what}: {got}, {want}");
    };
    let target = TwoPoints(0.3);
    let levels = Process::from(NoiseSchedule::Linear).levels(5).unwrap();
    let by_noise =
        |x: f64, time: f64| target.noise(x, *levels.iter().find(|level| level.time == time).unwrap());
    for (x, fresh) in [(0.4, -0.7), (-1.5, 1.1)] {
        let draws = |sampler: Sampler| {
            let schedule = Schedule::new(sampler, Prediction::Noise, &levels).unwrap();
            run(&schedule, x, by_noise, || fresh)
        };
        let (half, full) = (draws(Sampler::Ddim { eta: 0.5 }), draws(Sampler::EulerAncestral));
        for (i, pair) in levels.windows(2).enumerate() {
            let [a, b] = [pair[0], pair[1]];
            let squares = [a.alpha * a.alpha, b.alpha * b.alpha];
            let noise = |state: f64| target.noise(state, a);
            close("ddim", half[i + 1], papers::ddim(half[i], noise(half[i]), squares, 0.5, fresh));
            let sigmas = [a.sigma / a.alpha, b.sigma / b.alpha];
            let scaled = papers::euler_ancestral(full[i] / a.alpha, noise(full[i]), sigmas, fresh);
            close("euler-ancestral", full[i + 1], scaled * b.alpha);
        }
        let schedule = Schedule::new(Sampler::DpmSolver2M, Prediction::Noise, &levels).unwrap();
        let states = run(&schedule, x, by_noise, no_noise);
        let data =
            |i: usize| (states[i] - levels[i].sigma * target.noise(states[i], levels[i])) / levels[i].alpha;
        for i in 1..4 {
            let three = [levels[i - 1], levels[i], levels[i + 1]];
            close("dpmpp-2m", states[i + 1], papers::dpm_solver_2m(states[i], [data(i), data(i - 1)], three));
        }
        // The step to clean data is the data.
        close("dpmpp-2m, last", states[5], data(4));

        let flow = Process::Flow { shift: 2.0 }.levels(4).unwrap();
        let velocity = |x: f64, t: f64| target.predict(x, Level::flow(t), Prediction::Velocity, true);
        // Velocities of noise alone are those of the mean, which is 0.
        let velocity = |x: f64, t: f64| if t == 1.0 { x } else { velocity(x, t) };
        let schedule = Schedule::new(Sampler::Heun, Prediction::Velocity, &flow).unwrap();
        let states = run(&schedule, x, velocity, no_noise);
        for i in 0..3 {
            let want = papers::heun(states[2 * i], [flow[i].time, flow[i + 1].time], velocity);
            close("heun", states[2 * i + 2], want);
        }
        close("heun, last", states[7], states[6] - flow[3].time * velocity(states[6], flow[3].time));
    }
}

/// A process whose times are continuous, so that steps can be made as small as one likes, from much noise to `last`.
fn levels(flow: bool, steps: usize, last: f64) -> Vec<Level> {
    let level = |i: usize| {
        let time = last + (0.98 - last) * (steps - i) as f64 / steps as f64;
        match flow {
            true => Level::flow(time),
            false => Level::variance_preserving(time, (time * std::f64::consts::FRAC_PI_2).cos().powi(2)),
        }
    };
    (0..=steps).map(level).collect()
}

fn error_after(sampler: Sampler, prediction: Prediction, flow: bool, steps: usize) -> f64 {
    let target = Gaussian { mean: 0.6, spread: 0.4 };
    // Not to clean data, where the steps of DPM-Solver in the logarithm of alpha / sigma never become small.
    let levels = levels(flow, steps, 0.1);
    let schedule = Schedule::new(sampler, prediction, &levels).unwrap();
    let at = |time: f64| *levels.iter().find(|level| level.time == time).unwrap();
    let model = |x: f64, time: f64| target.predict(x, at(time), prediction, flow);
    let x = 1.3;
    let last = *run(&schedule, x, model, no_noise).last().unwrap();
    (last - target.solution(x, levels[0], levels[steps])).abs()
}

/// Halving the steps divides the error of a method of order p by 2^p. Multi-step methods start with a step of order one,
/// which caps them at two however long their memory.
#[test]
fn errors_fall_with_the_order_of_the_sampler() {
    for (sampler, order) in [
        (Sampler::Euler, 1.0),
        (Sampler::Ddim { eta: 0.0 }, 1.0),
        (Sampler::Lms { order: 1 }, 1.0),
        (Sampler::Heun, 2.0),
        (Sampler::DpmSolver2M, 2.0),
        (Sampler::Lms { order: 2 }, 2.0),
        (Sampler::Lms { order: 4 }, 2.0),
    ] {
        for flow in [true, false] {
            for prediction in [Prediction::Velocity, Prediction::Noise, Prediction::Data] {
                let [coarse, fine] = [400, 800].map(|steps| error_after(sampler, prediction, flow, steps));
                let measured = (coarse / fine).log2();
                println!("{sampler}, flow {flow}, {prediction:?}: order {measured:.3}, error {fine:.2e}");
                // A long memory makes the order-one start's share small, which shows late.
                assert!(
                    (-0.1..0.3).contains(&(measured - order)),
                    "{sampler} {flow} {prediction:?}: {measured}"
                );
            }
        }
    }
}

/// The samples of a stochastic sampler spread like the data: for a Gaussian target each step is an affine map plus noise, so
/// mean and variance follow exactly; they come to the data's as the steps shrink.
#[test]
fn noisy_samplers_keep_the_spread_of_the_data() {
    let target = Gaussian { mean: 0.6, spread: 0.4 };
    for sampler in [Sampler::EulerAncestral, Sampler::Ddim { eta: 0.5 }] {
        for flow in [true, false] {
            let distance = |steps: usize| {
                let levels = levels(flow, steps, 0.0);
                let schedule = Schedule::new(sampler, Prediction::Velocity, &levels).unwrap();
                let (mut mean, mut variance) = (levels[0].alpha * target.mean, target.variance(levels[0]));
                for (evaluation, level) in schedule.evaluations.iter().zip(&levels) {
                    let step = |x: f64| {
                        let f = target.predict(x, *level, Prediction::Velocity, flow);
                        evaluation.next.sample * x + evaluation.next.prediction * f
                    };
                    let slope = step(mean + 1.0) - step(mean);
                    mean = step(mean);
                    variance = slope * slope * variance + evaluation.next.noise.powi(2);
                }
                (mean - target.mean).abs() + (variance - target.spread.powi(2)).abs()
            };
            let [coarse, fine] = [400, 800].map(distance);
            println!("{sampler}, flow {flow}: {fine:.2e}, order {:.3}", (coarse / fine).log2());
            assert!(fine < 0.01 && (coarse / fine).log2() > 0.9, "{sampler} {flow}: {coarse} {fine}");
        }
    }
}

/// The same step by any prediction, since each determines the others.
#[test]
fn predictions_of_one_field_give_one_run() {
    for sampler in [Sampler::Heun, Sampler::DpmSolver2M, Sampler::Lms { order: 4 }] {
        for flow in [true, false] {
            let [a, b, c] = [Prediction::Noise, Prediction::Data, Prediction::Velocity]
                .map(|prediction| error_after(sampler, prediction, flow, 20));
            assert!((a - b).abs() < allowed(2.0, 50.0) && (a - c).abs() < allowed(2.0, 50.0), "{a} {b} {c}");
        }
    }
}
