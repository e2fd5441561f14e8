//! Tests of the number formats: golden files, an independent model, properties, sweeps.

mod codecs;
mod figures;
mod goldens;
mod model;
mod quantize;
mod rows;
mod scale;
#[cfg(feature = "serde")]
mod serde;
mod stochastic;
mod sweep;
