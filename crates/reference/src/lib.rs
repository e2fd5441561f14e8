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
mod affine;
mod bound;
mod compare;
mod dequantize;
mod error;
pub mod generate;
mod matmul;
mod op;
mod quantize;
mod tensor;

pub use activation::Activation;
pub use bound::{EXP_ULP_BASE, EXP_ULP_SLOPE, Rounded, TINY, U_ACC};
pub use compare::{Comparison, Worst, compare};
pub use dequantize::{DequantizeDesc, dequantize};
pub use error::DescError;
pub use langevin_formats::{self as formats, Format, Overflow};
pub use matmul::{MatmulDesc, matmul, matmul_bound};
pub use op::{Answer, Columns, Cost, Expected, Granularity, Op};
pub use quantize::{QuantizeDesc, ScaleSource, quantize};
pub use tensor::{Dtype, Role, Tensor, TensorSpec, Tensors};
