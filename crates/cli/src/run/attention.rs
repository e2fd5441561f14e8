use super::shapes::{Choice, choose, join, reshape, shape, wrong};
use super::{Described, FromFile};
use crate::CliError;
use crate::tensors::{self, F32, I32, Input, MASK, NUMBERS};
use langevin::verify::{Op, Tensor, Tensors};
use langevin::{AttentionDesc, DescError, Heads, MergeDesc, Positions, RotaryDesc};

const OP: &str = "attention";

impl FromFile for AttentionDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("q", NUMBERS),
        Input::required("k", NUMBERS),
        Input::required("v", NUMBERS),
        Input::optional("mask", MASK),
        Input::optional("bias", F32),
        Input::optional("q_scale", F32),
        Input::optional("k_scale", F32),
        Input::optional("v_scale", F32),
        Input::optional("sinks", F32),
        Input::optional("q_offsets", I32),
        Input::optional("kv_offsets", I32),
    ];
    const OUTPUTS: &'static str = "out [b, h, sq, dv] and, on request, lse [b, h, sq], of q [b, h, sq, d], \
         k [b, hkv, sk, d], v [b, hkv, sk, dv]; mask and bias broadcast to [b, h, sq, sk], q_scale to [b, h, sq], k_scale \
         and v_scale to [b, hkv, sk]; q_offsets and kv_offsets [sequences + 1]";
    const FIELDS: &'static str = "out: f32, f16, bf16; scale: number; causal: top_left, bottom_right, {\"offset\": n}; \
         window: {\"left\": n, \"right\": n, \"align\": as causal}; softcap: number; lse, batch_invariant: true, false";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let [batch, heads, seq_q, head_dim] = four_axes(OP, &tensors, "q", "[b, h, sq, d]")?;
        let [_, kv_heads, seq_kv, _] = four_axes(OP, &tensors, "k", "[b, hkv, sk, d]")?;
        let [_, _, _, v_dim] = four_axes(OP, &tensors, "v", "[b, hkv, sk, dv]")?;
        self = Self { batch, heads, kv_heads, seq_q, seq_kv, head_dim, v_dim, ..self };
        let (queries, keys) = ([batch, heads, seq_q], [batch, kv_heads, seq_kv]);
        self.q = scaled(&mut tensors, ["q", "q_scale"], queries)?;
        self.k = scaled(&mut tensors, ["k", "k_scale"], keys)?;
        self.v = scaled(&mut tensors, ["v", "v_scale"], keys)?;
        let full = [batch, heads, seq_q, seq_kv];
        self.mask = broadcast(&mut tensors, "mask", full)?;
        self.bias = broadcast(&mut tensors, "bias", full)?;
        self.sinks =
            choose(OP, &mut tensors, "sinks", vec![Choice::new(vec![heads], (), &[heads])])?.is_some();
        let offsets = ["q_offsets", "kv_offsets"].map(|name| shape(&tensors, name).first().copied());
        self.sequences = offsets.into_iter().flatten().min().map(|offsets| offsets.saturating_sub(1));
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}

impl FromFile for MergeDesc {
    const INPUTS: &'static [Input] = &[Input::required("parts", NUMBERS), Input::required("part_lse", F32)];
    const OUTPUTS: &'static str =
        "out [.., dim] and, on request, lse [..], of parts [parts, .., dim] and part_lse [parts, ..]";
    const FIELDS: &'static str = "out: f32, f16, bf16; lse: true, false";

    fn describe(mut self, mut tensors: Tensors) -> Result<Described<Self>, CliError> {
        let shape = shape(&tensors, "parts").to_vec();
        let &[parts, ref rows @ .., dim] = &shape[..] else {
            return Err(wrong(Self::NAME, &tensors, "parts", "[parts, .., dim]").into());
        };
        let leading = join(&[parts], rows);
        let given = tensors.get("part_lse").map_or(&[][..], Tensor::shape);
        if given != leading {
            return Err(wrong(Self::NAME, &tensors, "part_lse", format!("{leading:?}")).into());
        }
        self =
            Self { parts, rows: rows.iter().product(), dim, x: tensors::format(&tensors, "parts"), ..self };
        reshape(Self::NAME, &mut tensors, "parts", &[parts, self.rows, dim])?;
        reshape(Self::NAME, &mut tensors, "part_lse", &[parts, self.rows])?;
        let output_shapes = vec![("out", join(rows, &[dim])), ("lse", rows.to_vec())];
        Ok(Described { desc: self, tensors, output_shapes })
    }
}

impl FromFile for RotaryDesc {
    const INPUTS: &'static [Input] = &[
        Input::required("x", NUMBERS),
        Input::optional("weight", F32),
        Input::optional("cos", F32),
        Input::optional("sin", F32),
        Input::optional("positions", I32),
    ];
    const OUTPUTS: &'static str = "out as x [b, h, s, d]; cos and sin [table rows, pairs], positions [s, axes] or [b, s, axes]: \
         a row for each axis of a token; weight [d], or [parts of the heads, d]";
    const FIELDS: &'static str = "out: f32, f16, bf16; axes: [elements of each], one of all pairs unless given; pairing: half_split, \
         interleaved; positions: {\"from\": the first token's row}; norm: eps of an RMS norm before";

    fn describe(mut self, tensors: Tensors) -> Result<Described<Self>, CliError> {
        let [batch, heads, seq, head_dim] = four_axes(Self::NAME, &tensors, "x", "[b, h, s, d]")?;
        self = Self { batch, heads, seq, head_dim, x: tensors::format(&tensors, "x"), ..self };
        self.weight = tensors.get("weight").is_some();
        if let &[rows, _] = shape(&tensors, "weight") {
            self.weight_rows = rows;
        }
        if tensors.get("cos").is_some() {
            let &[table_rows, pairs] = shape(&tensors, "cos") else {
                return Err(wrong(Self::NAME, &tensors, "cos", "[table rows, pairs]").into());
            };
            self.table_rows = table_rows;
            if self.axes.is_empty() {
                self.axes = vec![pairs.saturating_mul(2)];
            }
        }
        match shape(&tensors, "positions").len() {
            0 => {}
            2 => self.positions = Positions::Tokens,
            _ => self.positions = Positions::ItemTokens,
        }
        Ok(Described { desc: self, tensors, output_shapes: Vec::new() })
    }
}

/// The format of a tensor with the shape of its scales.
fn scaled(
    tensors: &mut Tensors,
    [name, scale]: [&'static str; 2],
    full: [usize; 3],
) -> Result<Heads, DescError> {
    let format = tensors::format(tensors, name);
    Ok(Heads { scale: broadcast(tensors, scale, full)?, ..format.into() })
}

fn four_axes(
    op: &'static str,
    tensors: &Tensors,
    name: &str,
    expected: &str,
) -> Result<[usize; 4], DescError> {
    <[usize; 4]>::try_from(shape(tensors, name)).map_err(|_| wrong(op, tensors, name, expected))
}

/// The shape of a tensor that is repeated along its axes of extent 1 and along those it lacks in front, as in NumPy.
fn broadcast<const N: usize>(
    tensors: &mut Tensors,
    name: &'static str,
    full: [usize; N],
) -> Result<Option<[usize; N]>, DescError> {
    let Some(given) = tensors.get(name).map(|tensor| tensor.shape().to_vec()) else { return Ok(None) };
    let rule = || wrong(OP, tensors, name, format!("{full:?} with any extents 1 or left out in front"));
    let missing = full.len().checked_sub(given.len()).ok_or_else(rule)?;
    let mut shape = [1; N];
    shape[missing..].copy_from_slice(&given);
    if shape.iter().zip(full).any(|(&extent, full)| extent != 1 && extent != full) {
        return Err(rule());
    }
    choose(OP, tensors, name, vec![Choice::new(given, Some(shape), &shape)]).map(Option::flatten)
}
