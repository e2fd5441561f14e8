//! Attention without options, for hosts that have arrays.

use super::{Align, AttentionDesc, Band};
use crate::{DescError, Op};
use ndarray::{Array3, Array4, ArrayView1, ArrayView4, Axis};

/// Plain attention in f64: `softmax(scale q k^T) v` over the keys that `causal` allows, and the logarithm of each row's
/// sum of exponentials. Every query head has a key head of its own. A query that sees no key gives zeros and minus
/// infinity.
///
/// # Errors
/// [`DescError::Shape`] when the shapes do not fit together.
pub fn attention(
    q: ArrayView4<'_, f64>,
    k: ArrayView4<'_, f64>,
    v: ArrayView4<'_, f64>,
    scale: f64,
    causal: Option<Align>,
) -> Result<(Array4<f64>, Array3<f64>), DescError> {
    let ((batch, heads, seq_q, dim), (seq_kv, v_dim)) = (q.dim(), (k.dim().2, v.dim().3));
    let check = |tensor: &str, shape: &[usize], expected: [usize; 4]| {
        let (op, tensor) = (AttentionDesc::NAME, tensor.into());
        let error =
            || DescError::Shape { op, tensor, expected: format!("{expected:?}"), got: shape.to_vec() };
        if shape == expected { Ok(()) } else { Err(error()) }
    };
    check("k", k.shape(), [batch, heads, seq_kv, dim])?;
    check("v", v.shape(), [batch, heads, seq_kv, v_dim])?;
    let mut out = Array4::zeros((batch, heads, seq_q, v_dim));
    let mut lse = Array3::from_elem((batch, heads, seq_q), f64::NEG_INFINITY);
    let band = Band::new(causal, None);
    for ((b, h, i), lse) in lse.indexed_iter_mut() {
        let logit = |j| scale * row(q, [b, h, i]).dot(&row(k, [b, h, j]));
        let logits: Vec<f64> = band.keys(i, seq_q, seq_kv).map(logit).collect();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        if !logits.is_empty() {
            *lse = largest + sum.ln();
        }
        for (j, logit) in logits.iter().enumerate() {
            let weight = (logit - *lse).exp();
            let mut result = out.index_axis_mut(Axis(0), b);
            let mut result = result.index_axis_mut(Axis(0), h);
            result.index_axis_mut(Axis(0), i).scaled_add(weight, &row(v, [b, h, j]));
        }
    }
    Ok((out, lse))
}

fn row<'a>(tensor: ArrayView4<'a, f64>, [item, head, row]: [usize; 3]) -> ArrayView1<'a, f64> {
    tensor.index_axis_move(Axis(0), item).index_axis_move(Axis(0), head).index_axis_move(Axis(0), row)
}
