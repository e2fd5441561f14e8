//! The problems, from `cases.json`, which the Python programs beside it read too.

use langevin::reference::{Op, generate};
use langevin::verify::{Tensor, Tensors};
use langevin::{AttentionDesc, Boundary, ConvDesc, Edge, Format, HeatDesc, MatmulDesc};
use serde::Deserialize;

/// One problem under its name.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Case {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) problem: Problem,
    /// For adapters that are GPUs.
    #[serde(default)]
    pub(crate) large: bool,
}

/// What is computed.
#[derive(Clone, Debug, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub(crate) enum Problem {
    /// `[m, k] x [k, n]`; the peer computes it with both operands in its own format.
    Matmul { m: usize, k: usize, n: usize, a: String, b: String, peer: String },
    /// Heads of equal sizes, without a mask.
    Attention { heads: usize, seq: usize, head_dim: usize, format: String },
    /// 3 x 3 with zeros around, as many channels out as in.
    Conv2d { channels: usize, extent: usize },
    /// One step with zeros around; the peer convolves with the step as its filter.
    Heat { extent: usize },
}

/// Every case.
pub(crate) fn all() -> Result<Vec<Case>, serde_json::Error> {
    serde_json::from_str(include_str!("../cases.json"))
}

/// Diffusivity times the time step over the square of the spacing.
pub(crate) const HEAT_RATIO: f32 = 0.1;

pub(crate) fn format(name: &str) -> Result<Format, String> {
    name.parse::<Format>().map_err(|error| error.to_string())
}

impl Problem {
    /// Operations of a product, an attention or a convolution; nothing for a stencil, which is bytes.
    pub(crate) fn flops(&self) -> Option<f64> {
        match *self {
            Self::Matmul { m, k, n, .. } => Some(2.0 * m as f64 * k as f64 * n as f64),
            Self::Attention { heads, seq, head_dim, .. } => {
                Some(4.0 * heads as f64 * (seq * seq * head_dim) as f64)
            }
            Self::Conv2d { .. } | Self::Heat { .. } => None,
        }
    }
}

pub(crate) fn matmul(m: usize, k: usize, n: usize, a: Format, b: Format) -> MatmulDesc {
    let out = if a == Format::F32 { Format::F32 } else { Format::F16 };
    MatmulDesc { m, k, n, a: a.into(), b: b.into(), out, ..Default::default() }
}

pub(crate) fn attention(heads: usize, seq: usize, head_dim: usize, format: Format) -> AttentionDesc {
    AttentionDesc {
        heads,
        kv_heads: heads,
        seq_q: seq,
        seq_kv: seq,
        head_dim,
        v_dim: head_dim,
        q: format.into(),
        k: format.into(),
        v: format.into(),
        out: format,
        ..Default::default()
    }
}

pub(crate) fn conv2d(channels: usize, extent: usize) -> ConvDesc {
    ConvDesc {
        in_channels: channels,
        out_channels: channels,
        spatial: vec![extent; 2],
        kernel: vec![3; 2],
        padding: vec![[1, 1]],
        boundary: vec![Boundary::Zero],
        ..Default::default()
    }
}

pub(crate) fn heat(extent: usize) -> HeatDesc {
    HeatDesc {
        spatial: vec![extent; 2],
        boundary: vec![[Edge::Fixed(0.0); 2]],
        time_step: f64::from(HEAT_RATIO),
        ..Default::default()
    }
}

/// The end of an answer in f64: enough to judge all of it, cheap enough to wait for.
#[derive(Debug)]
pub(crate) struct Truth {
    /// How many elements of the full answer come before it.
    pub(crate) skipped: usize,
    pub(crate) values: Vec<f64>,
    /// How far off a sum in the operands' own arithmetic may be, relative to the sum of magnitudes.
    pub(crate) limit: f64,
}

impl Truth {
    /// From the reference of a smaller problem whose answer is the end of the full one.
    pub(crate) fn new(
        part: &impl Op,
        inputs: &Tensors,
        elements: usize,
        terms: usize,
        format: Format,
    ) -> Result<Self, Box<dyn std::error::Error>> {
        let answer = part.evaluate(inputs)?.swap_remove(0);
        let values: Vec<f64> = answer.values().iter().copied().collect();
        let unit =
            if format == Format::F32 { f64::from(f32::EPSILON) } else { f64::from(f32::EPSILON) * 8192.0 };
        Ok(Self { skipped: elements - values.len(), values, limit: (terms + 2) as f64 * unit })
    }

    /// The error of an answer, relative to the truth, both as vectors.
    pub(crate) fn relative_error(&self, got: &[f32]) -> f64 {
        let Some(got) = got.get(self.skipped..).filter(|rest| rest.len() == self.values.len()) else {
            return f64::INFINITY;
        };
        let square = |x: f64| x * x;
        let error: f64 = got.iter().zip(&self.values).map(|(&x, y)| square(f64::from(x) - y)).sum();
        let size: f64 = self.values.iter().copied().map(square).sum();
        (error / size).sqrt()
    }
}

/// The last elements of a tensor under another shape.
pub(crate) fn tail(tensor: &Tensor, shape: &[usize]) -> Result<Tensor, Box<dyn std::error::Error>> {
    let bytes = shape.iter().product::<usize>() * tensor.dtype().bytes();
    let start = tensor.bytes().len().checked_sub(bytes).ok_or("a tail longer than its tensor")?;
    Ok(Tensor::new(tensor.dtype(), shape, tensor.bytes()[start..].to_vec())?)
}

/// Random inputs; the same for the same descriptor.
pub(crate) fn inputs(op: &impl Op) -> Tensors {
    generate::inputs(op, 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_case_can_be_made() {
        let cases = all().unwrap();
        assert!(cases.iter().any(|case| case.large) && cases.iter().any(|case| !case.large));
        for case in cases {
            let valid = match case.problem {
                Problem::Matmul { m, k, n, a, b, peer } => {
                    format(&peer).unwrap();
                    matmul(m, k, n, format(&a).unwrap(), format(&b).unwrap()).validate()
                }
                Problem::Attention { heads, seq, head_dim, format: name } => {
                    attention(heads, seq, head_dim, format(&name).unwrap()).validate()
                }
                Problem::Conv2d { channels, extent } => conv2d(channels, extent).validate(),
                Problem::Heat { extent } => heat(extent).validate(),
            };
            assert_eq!(valid, Ok(()), "{}", case.name);
        }
    }

    #[test]
    fn wrong_answers_are_far_off() {
        let desc = matmul(3, 4, 5, Format::F32, Format::F32);
        let inputs = inputs(&desc);
        let truth = crate::truth::of_matmul(&desc, &inputs).unwrap();
        let mut got: Vec<f32> = truth.values.iter().map(|&value| value as f32).collect();
        assert!(truth.relative_error(&got) <= truth.limit);
        got[7] += 0.01;
        assert!(truth.relative_error(&got) > truth.limit);
        got[7] = f32::NAN;
        assert!(truth.relative_error(&got).is_nan());
        assert_eq!(truth.relative_error(&vec![0.0; got.len()]), 1.0);
        assert_eq!(truth.relative_error(&got[1..]), f64::INFINITY);
    }

    #[test]
    fn the_end_of_a_product_is_the_product_of_the_end() {
        let desc = matmul(40, 6, 5, Format::F32, Format::F16);
        let inputs = inputs(&desc);
        let truth = crate::truth::of_matmul(&desc, &inputs).unwrap();
        assert_eq!((truth.skipped, truth.values.len()), (24 * 5, 16 * 5));
        let full: Vec<f32> =
            desc.evaluate(&inputs).unwrap()[0].values().iter().map(|&value| value as f32).collect();
        assert!(truth.relative_error(&full) <= truth.limit);
    }
}
