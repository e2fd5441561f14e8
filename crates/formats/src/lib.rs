//! Number formats of the langevin kernels on the CPU: bit-exact F16, BF16, FP8 and INT8 codecs.
//!
//! Every function here is exact: it is defined by one rounding to nearest, ties to even, and is computed with
//! integer operations (scales and quantizers: one f32 multiplication or division), so its result is the same
//! on every host and can be compared with a GPU bit by bit.
//!
//! # Formats
//!
//! | [`Format`] | bits | max finite | min normal | min subnormal | unit roundoff | infinities | NaN codes (sign clear) | NaN is written |
//! |---|---|---|---|---|---|---|---|---|
//! | F32 | 32 | (2 - 2^-23) 2^127 | 2^-126 | 2^-149 | 2^-24 | yes | above `7f800000` | copied |
//! | F16 | 16 | 65504 | 2^-14 | 2^-24 | 2^-11 | `7c00` | above `7c00` | quiet, sign and top payload bits kept |
//! | BF16 | 16 | (2 - 2^-7) 2^127 | 2^-126 | 2^-133 | 2^-8 | `7f80` | above `7f80` | quiet, sign and top payload bits kept |
//! | E4M3 | 8 | 448 = `7e` | 2^-6 | 2^-9 | 2^-4 | none | `7f` | `7f`, sign kept |
//! | E5M2 | 8 | 57344 = `7b` | 2^-14 | 2^-16 | 2^-3 | `7c` | `7d` `7e` `7f` | `7f`, sign kept |
//! | I8 | 8 | 127 | 1 | 1 | none: half a step, 0.5 | none | none | 0 |
//!
//! E4M3 is the FN variant of the OCP 8-bit specification (bias 7), not FNUZ, whose codes differ. E5M2 has
//! bias 15. Subnormals and signed zeros are kept by every floating format. What happens above the largest
//! finite value is a parameter, [`Overflow`]. Libraries disagree on which NaN code of E5M2 (and which payload
//! of F16 and BF16) they write, so compare NaN as NaN, not by its code.
//!
//! # Layout of a GPU tensor
//!
//! Two layouts of the same codes, both little-endian:
//! - *dense* bytes: element `i` at byte `i * bytes`, no padding, as in a file ([`encode`], [`decode`]);
//! - *rows* of 32-bit words: the last axis of a tensor ("row") starts on a word, element `i` of a row is in
//!   word `i / per_word`, the first element in the lowest bits, and the pad bytes that fill a row's last word
//!   are zero ([`pack_rows`], [`unpack_rows`]). A GPU invocation so writes whole words and never shares one
//!   with another row.
//!
//! # Quantizing
//!
//! A scale is the value of code 1 ([`scale`]). The quantizer multiplies by the *inverse* scale, an f32 that
//! CPU and GPU share, and encodes the product ([`quantize()`]); it never divides, since GPU division is not
//! correctly rounded.
//!
//! ```
//! use langevin_formats::{Format, Overflow, decode, encode, pack_rows, quantize, scale};
//!
//! let values = [0.1, -3.0, 500.0];
//! let stored = encode(Format::E4m3, &values, Overflow::Saturate);
//! assert_eq!(decode(Format::E4m3, &stored)?, [0.1015625, -3.0, 448.0]);
//!
//! let inverse = scale::inverse(scale::symmetric(scale::amax(&values), Format::I8));
//! assert_eq!(quantize(500.0, inverse, Format::I8, Overflow::Saturate), 127);
//!
//! assert_eq!(pack_rows(Format::E4m3, &[1, 2, 3], 3)?, [0x0003_0201]);
//! # Ok::<(), langevin_formats::LengthError>(())
//! ```
//!
//! MXFP8 blocks have scales that are powers of two, bytes of UE8M0: [`e8m0`].
//!
//! # Features
//!
//! `serde`: [`Format`] and [`Overflow`] as strings, `"e4m3"`, `"non_saturating"`.
#![forbid(unsafe_code)]

pub mod bf16;
pub mod e4m3;
pub mod e5m2;
pub mod e8m0;
mod error;
pub mod f16;
mod format;
mod fp8;
pub mod i8;
pub mod philox;
mod quantize;
mod rows;
pub mod scale;
mod slices;
mod stochastic;

pub use error::{LengthError, ParseFormatError};
pub use format::{Format, Overflow};
pub use quantize::quantize;
pub use rows::{NAN_PAD, pack_rows, pack_rows_with, padded_row_len, row_words, unpack_rows};
pub use slices::{decode, decode_f64, encode};
pub use stochastic::{Rounding, quantize_i8 as quantize_i8_stochastic, quantize_stochastic};
