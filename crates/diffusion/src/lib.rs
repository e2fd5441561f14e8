//! Two diffusions built from langevin's public kernels: the heat equation, and a diffusion transformer.
//!
//! ```no_run
//! use langevin::{Format, Gpu};
//! use langevin_diffusion::{DitWeights, Noise, Pipeline, PipelineOptions, Sampler, Start};
//! let gpu = Gpu::open(&Default::default())?;
//! let weights = DitWeights::digits()?;
//! let sampler = Sampler::DpmSolver2M;
//! let options = PipelineOptions { samples: 10, steps: 12, sampler, weights: Format::E4m3, ..Default::default() };
//! let mut pipeline = Pipeline::on_gpu(&gpu, &weights, options)?;
//! let (classes, noise) = ([0, 1, 2, 3, 4, 5, 6, 7, 8, 9], Noise::Seeded { seed: 7, first: 0 });
//! let pictures = pipeline.sample(&Start { classes: &classes, noise, ..Default::default() }, |_| ())?;
//! # Ok::<(), langevin_diffusion::DiffusionError>(())
//! ```
#![forbid(unsafe_code)]

mod caching;
mod checkpoint;
mod config;
mod dit;
mod error;
#[cfg(test)]
mod golden_tests;
mod guidance;
pub mod heat;
mod linear;
mod measure;
mod memory;
mod noise;
mod options;
mod pipeline;
mod plan;
mod precision;
mod process;
mod program;
pub mod quality;
pub mod quantization;
mod sampler;
mod start;
mod verify;
mod weights;

pub use caching::Caching;
pub use checkpoint::Checkpoint;
pub use config::{DitConfig, Positions, QkNorm};
pub use error::DiffusionError;
pub use guidance::{Guidance, Passes};
pub use measure::{KernelTime, StepTime};
pub use memory::Memory;
pub use noise::{Noise, noise};
pub use options::PipelineOptions;
pub use pipeline::Pipeline;
pub use plan::{KernelCost, PipelinePlan};
pub use precision::{Precision, PrecisionRule, Storage};
pub use process::{Level, NoiseSchedule, Prediction, Process};
pub use sampler::{Combination, Evaluation, Sampler, Schedule};
pub use start::{Start, Texts};
pub use verify::check_step;
pub use weights::DitWeights;
