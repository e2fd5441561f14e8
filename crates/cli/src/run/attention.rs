use super::shapes::{Choice, choose, shape, wrong};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, F32, Input, MASK, NUMBERS};
use langevin::verify::Tensors;
use langevin::{AttentionDesc, DescError, Granularity};

const OP: &str = "attention";

impl FromFile for AttentionDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("q", NUMBERS),
        Input::required("k", NUMBERS),
        Input::required("v", NUMBERS),
        Input::optional("mask", MASK),
        Input::optional("bias", F32),
        Input::optional("scales", F32),
        Input::optional("sinks", F32),
    ];
    const OUTPUTS: &'static str = "out [b, h, sq, dv] and, on request, lse [b, h, sq], of q [b, h, sq, d], \
         k [b, hkv, sk, d], v [b, hkv, sk, dv]; mask and bias broadcast to [b, h, sq, sk]; scales [3] of q, k, v";
    const FIELDS: &'static str = "out: f32, f16, bf16; scale: number; causal: none, top_left, bottom_right, \
         {\"offset\": n}; softcap: number; lse: true, false";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let [batch, heads, seq_q, head_dim] = four_axes(&tensors, "q", "[b, h, sq, d]")?;
        let [_, kv_heads, seq_kv, _] = four_axes(&tensors, "k", "[b, hkv, sk, d]")?;
        let [_, _, _, v_dim] = four_axes(&tensors, "v", "[b, hkv, sk, dv]")?;
        self = Self { batch, heads, kv_heads, seq_q, seq_kv, head_dim, v_dim, ..self };
        self.q = tensors::format(&tensors, "q");
        self.k = tensors::format(&tensors, "k");
        self.v = tensors::format(&tensors, "v");
        let full = [batch, heads, seq_q, seq_kv];
        self.mask = broadcast(&mut tensors, "mask", full)?;
        self.bias = broadcast(&mut tensors, "bias", full)?;
        let scales = Choice::new(vec![3], Granularity::PerTensor, &[3]);
        self.scales = choose(OP, &mut tensors, "scales", vec![scales])?;
        self.sinks =
            choose(OP, &mut tensors, "sinks", vec![Choice::new(vec![heads], (), &[heads])])?.is_some();
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}

fn four_axes(tensors: &Tensors, name: &str, expected: &str) -> Result<[usize; 4], DescError> {
    <[usize; 4]>::try_from(shape(tensors, name)).map_err(|_| wrong(OP, tensors, name, expected))
}

/// The shape of a tensor that is repeated along its axes of extent 1 and along those it lacks in front, as in NumPy.
fn broadcast(
    tensors: &mut Tensors,
    name: &'static str,
    full: [usize; 4],
) -> Result<Option<[usize; 4]>, DescError> {
    let Some(given) = tensors.get(name).map(|tensor| tensor.shape().to_vec()) else { return Ok(None) };
    let rule = || wrong(OP, tensors, name, format!("{full:?} with any extents 1 or left out in front"));
    let missing = full.len().checked_sub(given.len()).ok_or_else(rule)?;
    let mut shape = [1; 4];
    shape[missing..].copy_from_slice(&given);
    if shape.iter().zip(full).any(|(&extent, full)| extent != 1 && extent != full) {
        return Err(rule());
    }
    choose(OP, tensors, name, vec![Choice::new(given, Some(shape), &shape)]).map(Option::flatten)
}
