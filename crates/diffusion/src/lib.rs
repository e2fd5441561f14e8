//! Two diffusions built from langevin's public kernels: the heat equation, and a diffusion transformer.
//!
//! ```no_run
//! use langevin::{Format, Gpu};
//! use langevin_diffusion::{DitSampler, DitWeights, SamplerOptions, noise};
//! let gpu = Gpu::open(&Default::default())?;
//! let weights = DitWeights::digits()?;
//! let options = SamplerOptions { samples: 10, steps: 30, guidance: 2.0, weights: Format::E4m3 };
//! let mut sampler = DitSampler::on_gpu(&gpu, &weights, options)?;
//! let noise = noise(7, 0..10, weights.config().sample_elements());
//! let pictures = sampler.sample(&noise, &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9], |_| ())?;
//! # Ok::<(), langevin_diffusion::DiffusionError>(())
//! ```
#![forbid(unsafe_code)]

mod config;
mod dit;
mod error;
#[cfg(test)]
mod golden_tests;
pub mod heat;
mod program;
pub mod quantization;
mod sampler;
mod verify;
mod weights;

pub use config::DitConfig;
pub use error::DiffusionError;
pub use sampler::{DitSampler, SamplerOptions, noise};
pub use verify::check_step;
pub use weights::DitWeights;
