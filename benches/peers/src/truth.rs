//! What every peer is checked against before it is timed: the end of the answer in f64.

use crate::cases::{self, Truth, tail};
use langevin::verify::Tensors;
use langevin::{AttentionDesc, ConvDesc, HeatDesc, MatmulDesc};
use std::error::Error;

/// Rows of the answer that are checked.
const ROWS: usize = 16;

/// The last rows of a product.
pub(crate) fn of_matmul(desc: &MatmulDesc, inputs: &Tensors) -> Result<Truth, Box<dyn Error>> {
    let rows = desc.m.min(ROWS);
    let mut part = Tensors::new();
    part.insert("a", tail(inputs.get("a").ok_or("no a")?, &[1, rows, desc.k])?);
    part.insert("b", inputs.get("b").ok_or("no b")?.clone());
    Truth::new(&MatmulDesc { m: rows, ..desc.clone() }, &part, desc.m * desc.n, desc.k, desc.out)
}

/// The last queries of the last head.
pub(crate) fn of_attention(desc: &AttentionDesc, inputs: &Tensors) -> Result<Truth, Box<dyn Error>> {
    let rows = desc.seq_q.min(ROWS);
    let tensor = |name: &str| inputs.get(name).ok_or("an input is missing");
    let mut part = Tensors::new();
    part.insert("q", tail(tensor("q")?, &[1, 1, rows, desc.head_dim])?);
    part.insert("k", tail(tensor("k")?, &[1, 1, desc.seq_kv, desc.head_dim])?);
    part.insert("v", tail(tensor("v")?, &[1, 1, desc.seq_kv, desc.v_dim])?);
    let head = AttentionDesc { heads: 1, kv_heads: 1, seq_q: rows, ..desc.clone() };
    let elements = desc.heads * desc.seq_q * desc.v_dim;
    Truth::new(&head, &part, elements, desc.seq_kv + desc.head_dim, desc.out)
}

/// All of a convolution.
pub(crate) fn of_conv2d(desc: &ConvDesc, inputs: &Tensors) -> Result<Truth, Box<dyn Error>> {
    let elements = desc.out_channels * desc.spatial.iter().product::<usize>();
    Truth::new(desc, inputs, elements, 9 * desc.in_channels, desc.out)
}

/// All of a heat step.
pub(crate) fn of_heat(desc: &HeatDesc, inputs: &Tensors) -> Result<Truth, Box<dyn Error>> {
    Truth::new(desc, inputs, desc.spatial.iter().product(), 9, desc.out)
}

/// The values of an input as f32.
pub(crate) fn values(inputs: &Tensors, name: &str) -> Result<Vec<f32>, Box<dyn Error>> {
    Ok(inputs.get(name).ok_or_else(|| format!("no input {name}"))?.to_f32())
}

/// The heat step as a filter of 3 x 3.
pub(crate) fn heat_filter() -> Vec<f32> {
    let r = cases::HEAT_RATIO;
    vec![0.0, r, 0.0, r, 1.0 - 4.0 * r, r, 0.0, r, 0.0]
}
