//! Quantizing models: a policy says which tensors become what, a file of tensors is rewritten by it, and a report says what
//! that did to their numbers.
//!
//! # What a quantized file holds
//!
//! A tensor is taken as a matrix: its first axis by all others together, the output channels of a linear layer or of a
//! convolution by what they sum over ([`matrix`]). For a tensor `NAME`:
//!
//! | tensor | shape | type |
//! |---|---|---|
//! | `NAME` | as before | the codes: F8_E4M3, F8_E5M2 or I8 |
//! | `NAME_scale` | by granularity, as [`QuantizeDesc`](langevin::QuantizeDesc) gives it for the matrix | F32; F8_E8M0 for MXFP8 |
//! | `NAME_zero_point` | as `NAME_scale`; only asymmetric | I32 |
//!
//! So `layer.weight` has `layer.weight_scale` beside it, a code stands for `(code - zero_point) * scale`, and the header's
//! metadata say for every quantized tensor how it was stored: [`Schemes`]. Other tensors stay what they were, byte by byte;
//! so do tensors without elements, and the codes, scales and zero points of a file that was quantized before.
//!
//! ```
//! use langevin_diffusion::quantization::{Policy, Scheme};
//! let policy = Policy::from_json(r#"{"rule": [
//!     {"tensors": "blocks.0.**", "format": "keep"},
//!     {"tensors": ["blocks.*.attn.*.weight", "**.ff.*.weight"], "format": "e4m3", "granularity": "per_row"}
//! ]}"#)?;
//! assert!(policy.rule_for("blocks.0.attn.qkv.weight", &[8, 8]).is_none());
//! let rule = policy.rule_for("blocks.1.attn.qkv.weight", &[8, 8]).unwrap();
//! assert_eq!(rule.scheme().unwrap().scale_shape(&[8, 8]), [8]);
//! # Ok::<(), langevin_diffusion::quantization::QuantizationError>(())
//! ```

mod calibration;
mod calibrator;
mod chunk;
mod engine;
mod error;
mod histogram;
mod measure;
mod pattern;
mod policy;
mod rewrite;
mod scales;
mod scheme;
mod search;
mod source;

pub use calibration::{Calibration, StaticScale, StaticScales};
pub use calibrator::Calibrator;
pub use error::QuantizationError;
pub use histogram::Histogram;
pub use measure::{Loss, Measure};
pub use pattern::Pattern;
pub(crate) use policy::one_or_many;
pub use policy::{Policy, Rule, ScaleChoice, Target, UnusedPattern};
pub use rewrite::{TensorReport, quantize_file};
pub use scheme::{METADATA_KEY, Scheme, Schemes, matrix, scale_name, zero_point_name};
pub use source::Source;
