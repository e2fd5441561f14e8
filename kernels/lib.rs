//! Portable GPU compute kernels in WGSL on wgpu, each verified against a CPU reference.
//!
//! Every kernel has the same three steps: a descriptor says *what* to compute, a plan is the descriptor checked and
//! compiled for a device, a call is a plan bound to buffers, ready to be recorded.
//!
//! ```no_run
//! use langevin::{Format, Matmul, MatmulBuffers, MatmulDesc};
//! # fn f(device: &wgpu::Device, pass: &mut wgpu::ComputePass, a: &wgpu::Buffer, b: &wgpu::Buffer, out: &wgpu::Buffer)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! let desc = MatmulDesc { m: 64, k: 128, n: 32, a: Format::F16.into(), out: Format::BF16, ..Default::default() };
//! let matmul = Matmul::new(device, &desc)?;
//! let [a, b, out] = [a, b, out].map(wgpu::Buffer::as_entire_buffer_binding);
//! let call = matmul.bind(device, MatmulBuffers::new(a, b, out))?;
//! call.record(pass);
//! # Ok(()) }
//! ```
//!
//! - The device is borrowed and never stored. Nothing is submitted, awaited or read back here.
//! - Everything that can be wrong is found by `new` and `bind`, as a typed error; recording cannot fail.
//! - Rows of every tensor (its last axis) start on a 4-byte word; see [`formats`]. Strides follow from that.
//! - Rounding is to nearest, ties to even. Arithmetic is f32. Each descriptor documents its error bound, and the
//!   reference crate computes it: [`mod@reference`].
//! - The `guide` (a module of this documentation) has the first five minutes, PyTorch's names, troubleshooting and more.
//! - Which shader runs is a pure function of the descriptor and the [`Capabilities`]; [`PlanOptions::pick`] forces one.
#![forbid(unsafe_code)]

mod activation;
mod activation_quantize;
mod attention;
mod bind;
mod cast;
mod change;
mod combine;
mod conv;
mod dequantize;
mod error;
mod fake_quantize;
mod gated_residual;
#[cfg(any(doc, doctest))]
pub mod guide;
mod heat;
mod histogram;
mod kernel;
mod laplacian;
mod matmul;
mod merge;
mod norm;
mod norm_quantize;
mod patchify;
mod plan;
mod quantize;
mod recipe;
mod rotary;
mod stencil;
mod unpatchify;
pub mod verify;

pub use activation::{Activate, ActivationBuffers};
pub use activation_quantize::{ActivationQuantize, ActivationQuantizeBuffers};
pub use attention::{Attention, AttentionBuffers};
pub use bind::Call;
pub use cast::{Cast, CastBuffers};
pub use change::{Change, ChangeBuffers};
pub use combine::{Combine, CombineBuffers};
pub use conv::{Conv, ConvBuffers};
pub use dequantize::{Dequantize, DequantizeBuffers};
pub use error::{BindError, PlanError};
pub use fake_quantize::{FakeQuantize, FakeQuantizeBuffers};
pub use gated_residual::{GatedResidual, GatedResidualBuffers};
pub use heat::{Heat, HeatBuffers};
pub use histogram::{Histogram, HistogramBuffers};
pub use kernel::{Buffers, Kernel, Variant};
pub use langevin_gpu::{self as gpu, Capabilities, Distrusted, Gpu, Tier};
pub use langevin_reference::formats::{self, Format, Overflow, Rounding};
pub use langevin_reference::{
    self as reference, Activation, ActivationDesc, ActivationQuantizeDesc, Align, AttentionDesc, Band,
    Boundary, CastDesc, ChangeDesc, Columns, CombineDesc, ConvDesc, ConvLayout, Cost, DequantizeDesc,
    DescError, Edge, FaceMean, FakeQuantizeDesc, GatedResidualDesc, Granularity, Heads, HeatDesc,
    HistogramDesc, LaplacianDesc, MatmulDesc, MergeDesc, Modulation, NormDesc, NormKind, NormQuantizeDesc,
    Operand, Pair, Pairing, PatchifyDesc, Positions, QuantizeDesc, RotaryDesc, ScaleSource, Scheme, Stencil,
    UnpatchifyDesc, View, Window,
};
pub use laplacian::{Laplacian, LaplacianBuffers};
pub use matmul::{Matmul, MatmulBuffers};
pub use merge::{Merge, MergeBuffers};
pub use norm::{Norm, NormBuffers};
pub use norm_quantize::{NormQuantize, NormQuantizeBuffers};
pub use patchify::{Patchify, PatchifyBuffers};
pub use plan::{Pick, Plan, PlanOptions, StageSource, choice, sources};
pub use quantize::{Quantize, QuantizeBuffers};
pub use rotary::{Rotary, RotaryBuffers};
pub use unpatchify::{Unpatchify, UnpatchifyBuffers};
pub use wgpu;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
