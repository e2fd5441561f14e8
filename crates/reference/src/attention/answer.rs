//! The answer in f64, from the formula.

use super::AttentionDesc;
use super::layout::{Causal, Heads};
use super::softmax::{Softmax, softcap};
use crate::bound::{Rounded, U_ACC};
use crate::{DescError, Expected, Op, Tensors};
use ndarray::{Array1, Array3, Array4, ArrayD, ArrayView1, ArrayView4, Axis, IxDyn};
use rayon::prelude::*;

/// Everything the rows of one call share.
struct Problem<'a> {
    desc: &'a AttentionDesc,
    q: Rows,
    k: Rows,
    v: Rows,
    mask: Option<ArrayD<f64>>,
    bias: Option<ArrayD<f64>>,
    sinks: Option<ArrayD<f64>>,
    /// `scale`, with the scales of q and k.
    factor: Rounded,
    v_scale: f64,
}

/// One query's result; `lse` is `None` where no key is visible.
struct Row {
    out: Vec<Rounded>,
    lse: Option<Rounded>,
}

pub(super) fn answer(desc: &AttentionDesc, inputs: &Tensors) -> Vec<Expected> {
    let AttentionDesc { batch, heads, seq_q, .. } = *desc;
    let problem = Problem::new(desc, inputs);
    let index = |row: usize| [row / (heads * seq_q), row / seq_q % heads, row % seq_q];
    let count = batch * heads * seq_q;
    let rows: Vec<Row> = (0..count).into_par_iter().map(|row| problem.row(index(row))).collect();
    let mut answers = vec![out_answer(desc, inputs, &rows)];
    if desc.lse {
        let of = |f: &dyn Fn(&Row) -> f64| {
            let values = rows.iter().map(f).collect();
            ArrayD::from_shape_vec(IxDyn(&[batch, heads, seq_q]), values).unwrap_or_default()
        };
        let value = of(&|row| row.lse.map_or(f64::NEG_INFINITY, |lse| lse.value));
        let bound = of(&|row| row.lse.map_or(0.0, |lse| lse.error));
        answers.push(Expected::bounded("lse", value, bound));
    }
    answers
}

/// Puts the rows where the output has them; what stands between them is kept.
fn out_answer(desc: &AttentionDesc, inputs: &Tensors, rows: &[Row]) -> Expected {
    let out = desc.out_heads();
    let before = inputs.values("out").unwrap_or_else(|| ArrayD::zeros(IxDyn(&out.tensor_shape())));
    let (mut value, mut bound) = (before.clone(), ArrayD::zeros(before.raw_dim()));
    let dense = Heads { view: None, ..out };
    let row_end = crate::Dtype::from(out.format).padded_row_len(desc.v_dim);
    if let (Some(values), Some(bounds)) = (value.as_slice_mut(), bound.as_slice_mut()) {
        for (row, result) in rows.iter().enumerate() {
            let start = match out.view {
                Some(_) => out.position(dense_index(dense.shape, row)),
                None => row * desc.v_dim,
            };
            for (i, element) in result.out.iter().enumerate() {
                let stored = element.store(desc.out);
                (values[start + i], bounds[start + i]) = (stored.value, stored.error);
            }
            // Rows of a view end with their pad, unless they end the tensor.
            let pad_end = if out.view.is_some() { (start + row_end).min(values.len()) } else { start };
            if let Some(pad) = values.get_mut(start + desc.v_dim..pad_end) {
                pad.fill(0.0);
            }
        }
    }
    Expected::bounded("out", value, bound)
}

fn dense_index([_, heads, rows, _]: [usize; 4], row: usize) -> [usize; 3] {
    [row / (heads * rows), row / rows % heads, row % rows]
}

/// A tensor of heads, dense in `[batch, heads, seq, dim]`.
struct Rows {
    shape: [usize; 4],
    values: Vec<f64>,
}

impl Rows {
    /// Gathers them from wherever they stand.
    fn new(inputs: &Tensors, name: &str, heads: &Heads) -> Self {
        let shape = heads.shape;
        let stored: Vec<f64> =
            inputs.values(name).map(|values| values.into_iter().collect()).unwrap_or_default();
        let values = match heads.view {
            None => stored,
            Some(_) => {
                let count = shape[..3].iter().product();
                let row = |row| &stored[heads.position(dense_index(shape, row))..][..shape[3]];
                (0..count).flat_map(row).copied().collect()
            }
        };
        Self { shape, values }
    }

    fn row(&self, [item, head, row]: [usize; 3]) -> &[f64] {
        let [_, heads, rows, dim] = self.shape;
        &self.values[((item * heads + head) * rows + row) * dim..][..dim]
    }
}

/// The element of a tensor whose extents are 1 or full.
fn broadcast(tensor: &ArrayD<f64>, index: [usize; 4]) -> f64 {
    let shape = tensor.shape();
    tensor[[0, 1, 2, 3].map(|axis| if shape[axis] == 1 { 0 } else { index[axis] })]
}

impl<'a> Problem<'a> {
    fn new(desc: &'a AttentionDesc, inputs: &Tensors) -> Self {
        let scales = inputs.values("scales").unwrap_or_else(|| Array1::ones(3).into_dyn());
        let scale = match desc.scale {
            Some(scale) => Rounded::exact(f64::from(scale)),
            None => {
                let value = 1.0 / (desc.head_dim as f64).sqrt();
                Rounded { value, error: U_ACC * value }
            }
        };
        let factor = match desc.scales {
            None => scale,
            Some(_) => scale.mul(Rounded::exact(scales[[0]])).mul(Rounded::exact(scales[[1]])),
        };
        Self {
            desc,
            q: Rows::new(inputs, "q", &desc.q_heads()),
            k: Rows::new(inputs, "k", &desc.k_heads()),
            v: Rows::new(inputs, "v", &desc.v_heads()),
            mask: inputs.values("mask"),
            bias: inputs.values("bias"),
            sinks: inputs.values("sinks"),
            factor,
            v_scale: scales[[2]],
        }
    }

    fn row(&self, index: [usize; 3]) -> Row {
        let AttentionDesc { seq_q, seq_kv, v_dim, .. } = *self.desc;
        let [item, head, i] = index;
        let kv_head = head / (self.desc.heads / self.desc.kv_heads);
        let within = self.desc.causal.visible(i, seq_q, seq_kv);
        let logits: Vec<(usize, Rounded)> =
            (0..within).filter_map(|j| Some((j, self.logit(index, kv_head, j)?))).collect();
        if logits.is_empty() {
            return Row { out: vec![Rounded::exact(0.0); v_dim], lse: None };
        }
        let sink = self.sinks.as_ref().map(|sinks| sinks[[head]]);
        let mixed = Softmax::new(&logits, sink, seq_kv).mix(|key| self.v.row([item, kv_head, key]), v_dim);
        // A division by the sum, and the scale multiplied into one of its sides.
        let one = Rounded::exact(1.0);
        let finish = |mean: Rounded| mean.div(one).mul(Rounded::exact(self.v_scale)).mul(one);
        let lse = Softmax::new(&logits, None, seq_kv).log_sum();
        Row { out: mixed.into_iter().map(finish).collect(), lse: Some(lse) }
    }

    /// `None` where the mask or a bias of minus infinity hides the key.
    fn logit(&self, [item, head, i]: [usize; 3], kv_head: usize, j: usize) -> Option<Rounded> {
        let index = [item, head, i, j];
        let bias = self.bias.as_ref().map(|bias| broadcast(bias, index));
        let masked = self.mask.as_ref().is_some_and(|mask| broadcast(mask, index) == 0.0);
        if masked || bias == Some(f64::NEG_INFINITY) {
            return None;
        }
        let (q, k) = (self.q.row([item, head, i]), self.k.row([item, kv_head, j]));
        let products = || q.iter().zip(k).map(|(x, y)| x * y);
        let sum = products().sum();
        let magnitude = products().map(f64::abs).sum();
        let mut logit = Rounded::dot(sum, magnitude, self.desc.head_dim).mul(self.factor);
        if let Some(cap) = self.desc.softcap {
            logit = softcap(logit, f64::from(cap));
        }
        Some(bias.map_or(logit, |bias| logit.add(Rounded::exact(bias))))
    }
}

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
    causal: Causal,
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
    for ((b, h, i), lse) in lse.indexed_iter_mut() {
        let visible = causal.visible(i, seq_q, seq_kv);
        let logit = |j| scale * row(q, [b, h, i]).dot(&row(k, [b, h, j]));
        let logits: Vec<f64> = (0..visible).map(logit).collect();
        let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = logits.iter().map(|logit| (logit - largest).exp()).sum();
        if visible > 0 {
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
