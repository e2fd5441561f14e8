//! What every langevin kernel computes, and how wrong it may be.
//!
//! Each operation has a descriptor (`MatmulDesc`, ..) that implements [`Op`]: the rules its fields obey, the tensors it
//! reads and writes, its cost, and [`Op::evaluate`], which computes the answer in f64 from the formula together with
//! a per-element bound of the error a correct kernel may make. Nothing here imitates a shader, and nothing here needs
//! a GPU.
//!
//! ```
//! use langevin_reference::{Format, MatmulDesc, Op, Tensor, Tensors};
//! let desc = MatmulDesc { m: 1, k: 2, n: 1, ..Default::default() };
//! let mut inputs = Tensors::new();
//! inputs.insert("a", Tensor::from_f32(Format::F32, &[1, 1, 2], &[3.0, 4.0])?);
//! inputs.insert("b", Tensor::from_f32(Format::F32, &[1, 2, 1], &[10.0, 1.0])?);
//! let answers = desc.evaluate(&inputs)?;
//! assert_eq!(answers[0].values()[[0, 0, 0]], 34.0);
//! # Ok::<(), langevin_reference::DescError>(())
//! ```
#![forbid(unsafe_code)]

mod activation;
mod activation_quantize;
mod affine;
mod attention;
mod bound;
mod boundary;
mod cast;
mod change;
mod codes_within;
mod combine;
mod compare;
mod conv;
mod dequantize;
mod edge;
mod error;
mod fake_quantize;
mod gated_residual;
pub mod generate;
mod heat;
mod histogram;
mod laplacian;
mod matmul;
mod merge;
mod norm;
mod norm_quantize;
mod op;
mod patchify;
mod per_axis;
mod quantize;
pub mod random;
mod rotary;
mod softmax;
mod stencil;
mod tensor;
mod timestep;
mod unpatchify;

pub use activation::{Activation, ActivationDesc};
pub use activation_quantize::ActivationQuantizeDesc;
pub use attention::{Align, AttentionDesc, Band, Heads, View, Window, attention};
pub use bound::{EXP_ULP_BASE, EXP_ULP_SLOPE, Rounded, TINY, U_ACC};
pub use boundary::Boundary;
pub use cast::CastDesc;
pub use change::{ChangeDesc, change};
pub use combine::{CombineDesc, combine};
pub use compare::{Comparison, Worst, compare};
pub use conv::{ConvAxis, ConvDesc, ConvLayout, ConvSource, conv};
pub use dequantize::{DequantizeDesc, dequantize};
pub use edge::Edge;
pub use error::DescError;
pub use fake_quantize::FakeQuantizeDesc;
pub use gated_residual::{GatedResidualDesc, gated_residual};
pub use heat::{HeatDesc, MAX_STEPS_PER_DISPATCH, heat_step};
pub use histogram::HistogramDesc;
pub use langevin_formats::{self as formats, Format, Overflow};
pub use laplacian::{LaplacianDesc, laplacian};
pub use matmul::{MatmulDesc, Operand, Pair, matmul, matmul_bound};
pub use merge::MergeDesc;
pub use norm::{Modulation, NormDesc, NormKind, norm};
pub use norm_quantize::NormQuantizeDesc;
pub use op::{Answer, Columns, Cost, Expected, Granularity, Op};
pub use patchify::{PatchifyDesc, patch_embed, patchify};
pub use quantize::{QuantizeDesc, ScaleSource, quantize};
pub use rotary::{Pairing, Positions, RotaryDesc, rotary, rotary_table};
pub use stencil::{FaceMean, Ghost, GridAxis, MAX_STAGES, Point, RklStage, Scheme, Stencil, rkl2_stages};
pub use tensor::{Dtype, Role, Tensor, TensorSpec, Tensors};
pub use timestep::timestep_embedding;
pub use unpatchify::{UnpatchifyDesc, unpatchify};
