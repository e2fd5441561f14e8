//! The answer in f64, from the formula.

use super::AttentionDesc;
use super::heads::Placed;
use crate::bound::{Rounded, U_ACC};
use crate::softmax::{Softmax, softcap};
use crate::{Expected, Tensors};
use ndarray::{ArrayD, IxDyn};
use rayon::prelude::*;
use std::ops::Range;

/// A kernel may rescale its sums once for this many keys: the smallest block of keys that one may take at a time.
const KEYS_PER_RESCALE: usize = 8;

/// What a weight may be off by of the largest one where a kernel may take it as two numbers of f16, the smallest of which
/// are 2^-24, multiplied by 2^11.
const LEAST_WEIGHT: f64 = 1.0 / (1u64 << 34) as f64;

/// Everything the rows of one call share.
struct Problem<'a> {
    desc: &'a AttentionDesc,
    q: Rows,
    k: Rows,
    v: Rows,
    mask: Option<ArrayD<f64>>,
    bias: Option<ArrayD<f64>>,
    sinks: Option<ArrayD<f64>>,
    sequences: Vec<Sequence>,
    /// `scale`, rounded once as the host does, also where it folds a constant in.
    scale: Rounded,
}

/// Where the queries and the keys of one sequence lie.
struct Sequence {
    queries: Range<usize>,
    keys: Range<usize>,
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
    let (rows, sums): (Vec<_>, Vec<_>) =
        (0..count).into_par_iter().map(|row| problem.row(index(row))).map(|row| (row.out, row.lse)).unzip();
    let mut answers = vec![desc.out_heads().answer(inputs, &rows)];
    if desc.lse {
        let of = |f: &dyn Fn(&Option<Rounded>) -> f64| {
            let values = sums.iter().map(f).collect();
            ArrayD::from_shape_vec(IxDyn(&[batch, heads, seq_q]), values).unwrap_or_default()
        };
        let value = of(&|lse| lse.map_or(f64::NEG_INFINITY, |lse| lse.value));
        let bound = of(&|lse| lse.map_or(0.0, |lse| lse.error));
        answers.push(Expected::bounded("lse", value, bound));
    }
    answers
}

/// A tensor of heads, dense in `[batch, heads, seq, dim]`, and its scales.
struct Rows {
    shape: [usize; 4],
    values: Vec<f64>,
    scales: Option<ArrayD<f64>>,
}

impl Rows {
    /// Gathers them from wherever they stand.
    fn new(inputs: &Tensors, [name, scale]: [&str; 2], heads: &Placed) -> Self {
        Self { shape: heads.shape, values: heads.gather(inputs.values(name)), scales: inputs.values(scale) }
    }

    fn row(&self, [item, head, row]: [usize; 3]) -> &[f64] {
        let [_, heads, rows, dim] = self.shape;
        &self.values[((item * heads + head) * rows + row) * dim..][..dim]
    }

    fn scale(&self, row: [usize; 3]) -> Rounded {
        Rounded::exact(self.scales.as_ref().map_or(1.0, |scales| broadcast(scales, row)))
    }

    /// Whether every token has a scale of its own.
    fn is_scaled_by_token(&self) -> bool {
        self.scales.as_ref().is_some_and(|scales| scales.shape()[2] > 1)
    }
}

/// The element of a tensor whose extents are 1 or full.
fn broadcast<const N: usize>(tensor: &ArrayD<f64>, index: [usize; N]) -> f64 {
    let index: Vec<usize> =
        index.iter().zip(tensor.shape()).map(|(&i, &extent)| if extent == 1 { 0 } else { i }).collect();
    tensor[IxDyn(&index)]
}

impl<'a> Problem<'a> {
    fn new(desc: &'a AttentionDesc, inputs: &Tensors) -> Self {
        let scale = desc.scale.map_or_else(|| 1.0 / (desc.head_dim as f64).sqrt(), f64::from);
        Self {
            desc,
            q: Rows::new(inputs, ["q", "q_scale"], &desc.q_heads()),
            k: Rows::new(inputs, ["k", "k_scale"], &desc.k_heads()),
            v: Rows::new(inputs, ["v", "v_scale"], &desc.v_heads()),
            mask: inputs.values("mask"),
            bias: inputs.values("bias"),
            sinks: inputs.values("sinks"),
            sequences: sequences(desc, inputs),
            scale: Rounded { value: scale, error: U_ACC * scale.abs() },
        }
    }

    fn row(&self, index: [usize; 3]) -> Row {
        let [item, head, i] = index;
        let kv_head = head / (self.desc.heads / self.desc.kv_heads);
        let keys = self.keys(i);
        let logits: Vec<(usize, Rounded)> =
            keys.clone().filter_map(|j| Some((j, self.logit(index, kv_head, j)?))).collect();
        if logits.is_empty() {
            return Row { out: vec![Rounded::exact(0.0); self.desc.v_dim], lse: None };
        }
        // Blocks are counted from the sequence's first key, some of which this query may not see.
        let rescales = (keys.end - self.sequence(i).map_or(0, |sequence| sequence.keys.start))
            .div_ceil(KEYS_PER_RESCALE);
        let sink = self.sinks.as_ref().map(|sinks| sinks[[head]]);
        let by_token = self.v.is_scaled_by_token();
        let value = |key| {
            let row = [item, kv_head, key];
            (self.v.row(row), if by_token { self.v.scale(row).value } else { 1.0 })
        };
        let mixed = Softmax::new(&logits, sink, rescales).mix(value, self.desc.v_dim);
        // A division by the sum, and a scale that the keys share multiplied into one of its sides.
        let one = Rounded::exact(1.0);
        let scale = if by_token { one } else { self.v.scale([item, kv_head, 0]) };
        let finish = |mean: Rounded| mean.div(one).mul(scale).mul(one);
        let by_halves = !by_token && self.desc.fits_f16();
        // Values are added up before the sum of the weights divides them.
        let magnitude = |column: usize| -> f64 {
            let of = |&(key, _): &(usize, Rounded)| {
                let (values, scale) = value(key);
                (values[column] * scale).abs()
            };
            logits.iter().map(of).sum()
        };
        let out = mixed.into_iter().enumerate().map(|(column, mean)| {
            let magnitude = magnitude(column);
            let lost = if by_halves { LEAST_WEIGHT * magnitude } else { 0.0 };
            let result = finish(Rounded { error: mean.error + lost, ..mean });
            let leaves_f32 = magnitude > f64::from(f32::MAX) / 2.0;
            Rounded { error: if leaves_f32 { f64::INFINITY } else { result.error }, ..result }
        });
        let lse = Softmax::new(&logits, None, rescales).log_sum();
        Row { out: out.collect(), lse: Some(lse) }
    }

    fn sequence(&self, query: usize) -> Option<&Sequence> {
        self.sequences.iter().find(|sequence| sequence.queries.contains(&query))
    }

    /// The keys that a query may see by its place.
    fn keys(&self, query: usize) -> Range<usize> {
        let Some(Sequence { queries, keys }) = self.sequence(query) else { return 0..0 };
        let places = self.desc.band().keys(query - queries.start, queries.len(), keys.len());
        keys.start + places.start..keys.start + places.end
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
        let (mut factor, of_key) = (self.scale, self.k.scale([item, kv_head, j]));
        if self.q.scales.is_some() {
            factor = factor.mul(self.q.scale([item, head, i]));
        }
        let dot = Rounded::dot(sum, magnitude, self.desc.head_dim);
        let mut logit = match (&self.k.scales, self.k.is_scaled_by_token()) {
            (None, _) => dot.mul(factor),
            (Some(_), false) => dot.mul(factor.mul(of_key)),
            (Some(_), true) => dot.mul(factor).mul(of_key),
        };
        if let Some(cap) = self.desc.softcap {
            logit = softcap(logit, f64::from(cap));
        }
        Some(bias.map_or(logit, |bias| logit.add(Rounded::exact(bias))))
    }
}

/// Every sequence; one of all rows where there are no offsets.
fn sequences(desc: &AttentionDesc, inputs: &Tensors) -> Vec<Sequence> {
    let ranges = |name: &str, rows: usize| -> Vec<Range<usize>> {
        let offsets = inputs
            .values(name)
            .map_or(vec![0, rows], |offsets| offsets.iter().map(|&offset| offset as usize).collect());
        offsets.windows(2).map(|pair| pair[0]..pair[1]).collect()
    };
    let (queries, keys) = (ranges("q_offsets", desc.seq_q), ranges("kv_offsets", desc.seq_kv));
    queries.into_iter().zip(keys).map(|(queries, keys)| Sequence { queries, keys }).collect()
}
