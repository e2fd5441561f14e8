//! The thin wgpu layer under langevin's kernels: what an adapter can do, shader composition, pipelines, errors,
//! transfers and timing.
//!
//! The kernels borrow a [`wgpu::Device`] and need nothing else from here; [`Gpu`] is for the first five minutes and for
//! programs that have no device of their own.
//!
//! ```no_run
//! use langevin_gpu::{Gpu, OpenOptions};
//! let gpu = Gpu::open(&OpenOptions::default())?;
//! println!("{}", gpu.capabilities());
//! let buffer = gpu.upload("x", &[1u32, 2, 3])?;
//! assert_eq!(gpu.download(&buffer)?, [1, 2, 3]);
//! # Ok::<(), langevin_gpu::GpuError>(())
//! ```
#![deny(unsafe_code)]

mod capabilities;
mod compose;
mod error;
mod mapped;
mod open;
mod pipeline;
mod scope;
mod timing;
mod traffic;
mod transfer;
mod trusted;

pub use capabilities::{Capabilities, CoopShape, Distrusted, Tier};
pub use compose::{
    Access, Binding, Element, ParamValue, STAND_IN_BEGIN, STAND_IN_END, Shader, ShaderPart, standalone,
};
pub use error::GpuError;
pub use mapped::MappedFile;
pub use open::{Gpu, OpenOptions, adapters};
pub use pipeline::{Checks, ComputeStage, StageDesc};
pub use scope::{ErrorScopes, with_scopes};
pub use timing::{Stopwatch, Timing};
pub use traffic::Traffic;
pub use wgpu;
