//! How far the errors of single kernels may carry through a network, and the check of a step that follows.

use crate::{DiffusionError, DitWeights, Pipeline, PipelineOptions, Start};
use langevin::reference::{Comparison, Expected, Tensor, compare};
use langevin::{Format, Gpu};
use ndarray::Array1;

/// Disturbed runs behind a bound.
pub(crate) const DRAWS: u64 = 6;

/// The bound in standard deviations.
const SIGMAS: f64 = 6.0;

/// A bound of a network's result, from a run in f64 and several in which the result of every operation was moved by its
/// own bound b, up or down at random ([`Pipeline::on_cpu_disturbed`]).
///
/// The network carries an error made in one place to its end by some unknown sensitivity J. The deviations' root mean
/// square estimates `sqrt(sum (J b)^2)` over all operations. Rounding errors are independent of each other to first
/// order and each at most b, so by Hoeffding's inequality an error beyond six times that has probability below
/// `2 exp(-18)` (Higham and Mary, "A new approach to probabilistic rounding error analysis", SIAM J. Sci. Comput. 41,
/// 2019). An element's own deviations count, or those of the whole result where they are larger, since few draws may
/// miss an element. Kernels err far less than their bounds, so this one is loose, by about a factor of 1000.
pub(crate) fn carried_bound(exact: &[f64], disturbed: &[Vec<f64>]) -> Vec<f64> {
    let square = |i: usize| {
        disturbed.iter().map(|run| (run[i] - exact[i]).powi(2)).sum::<f64>() / disturbed.len() as f64
    };
    let squares: Vec<f64> = (0..exact.len()).map(square).collect();
    let pooled = squares.iter().sum::<f64>() / squares.len() as f64;
    squares.into_iter().map(|own| SIGMAS * own.max(pooled).sqrt()).collect()
}

/// Compares the first step on a GPU with the CPU references.
///
/// # Errors
/// Those of [`Pipeline::on_gpu`] and [`Pipeline::sample`].
pub fn check_step(
    gpu: &Gpu,
    weights: &DitWeights,
    options: PipelineOptions,
    start: &Start<'_>,
) -> Result<Comparison, DiffusionError> {
    let first_step = |mut pipeline: Pipeline| {
        pipeline.start(start)?;
        pipeline.evaluate(0)?;
        pipeline.pictures()
    };
    let widen = |values: Vec<f32>| values.into_iter().map(f64::from).collect::<Vec<_>>();
    let got = first_step(Pipeline::on_gpu(gpu, weights, options)?)?;
    let exact = widen(first_step(Pipeline::on_cpu(weights, options)?)?);
    let disturbed = (0..DRAWS)
        .map(|seed| Ok(widen(first_step(Pipeline::on_cpu_disturbed(weights, options, seed)?)?)))
        .collect::<Result<Vec<_>, DiffusionError>>()?;
    let bound = carried_bound(&exact, &disturbed);
    let expected =
        Expected::bounded("pictures", Array1::from(exact).into_dyn(), Array1::from(bound).into_dyn());
    Ok(compare(&expected, &Tensor::from_f32(Format::F32, &[got.len()], &got)?))
}
