//! What a descriptor and the offsets of sequences must obey.

use super::{AttentionDesc, Heads};
use crate::{DescError, Format, Op, Tensors};

/// The largest `head_dim` and `v_dim`.
const MAX_DIM: usize = 256;
/// The largest scale: times the logarithm of e it is an f32.
const MAX_SCALE: f32 = 1e38;
/// The longest sequence: a place, a limit of the band as large, and a tile are added up in i32.
const MAX_SEQ: usize = 1 << 29;

pub(super) fn check(desc: &AttentionDesc) -> Result<(), DescError> {
    type Desc = AttentionDesc;
    if !matches!(desc.out, Format::F32 | Format::F16 | Format::BF16) {
        return Err(Desc::field_error("out", "f32, f16 or bf16", desc.out));
    }
    for (field, dim) in [("head_dim", desc.head_dim), ("v_dim", desc.v_dim)] {
        if !(1..=MAX_DIM).contains(&dim) {
            return Err(Desc::field_error(field, format!("from 1 to {MAX_DIM}"), dim));
        }
    }
    if desc.kv_heads == 0 || !desc.heads.is_multiple_of(desc.kv_heads) {
        let rule = format!("at least 1 and a divisor of the {} heads", desc.heads);
        return Err(Desc::field_error("kv_heads", rule, desc.kv_heads));
    }
    // The rows of a kv head are the queries of all its heads.
    let rows = desc.seq_q.saturating_mul((desc.heads / desc.kv_heads).max(1));
    for (what, seq) in [("`seq_q` times the heads of a kv head", rows), ("`seq_kv`", desc.seq_kv)] {
        if seq > MAX_SEQ {
            let (what, limit, got) = (what.to_owned(), MAX_SEQ as u64, seq as u128);
            return Err(DescError::TooLarge { op: Desc::NAME, what, limit, got });
        }
    }
    check_numbers(desc)?;
    check_sequences(desc)?;
    check_window(desc)?;
    let full = [desc.batch, desc.heads, desc.seq_q, desc.seq_kv];
    check_broadcast("mask", desc.mask, full)?;
    check_broadcast("bias", desc.bias, full)?;
    let kv = [desc.batch, desc.kv_heads, desc.seq_kv];
    let scaled: [(_, Heads, _); 3] =
        [("q", desc.q, [full[0], full[1], full[2]]), ("k", desc.k, kv), ("v", desc.v, kv)];
    for (field, heads, full) in scaled {
        check_broadcast(field, heads.scale, full)?;
    }
    desc.out_heads().check_output(Desc::field_error)?;
    desc.check_index_range()
}

fn check_numbers(desc: &AttentionDesc) -> Result<(), DescError> {
    if let Some(scale) = desc.scale
        && !(scale.abs() <= MAX_SCALE)
    {
        return Err(AttentionDesc::field_error("scale", "from -1e38 to 1e38", scale));
    }
    // Far from where its inverse would leave the normal numbers.
    let caps = 1e-20..=1e20;
    if let Some(cap) = desc.softcap
        && !caps.contains(&cap)
    {
        return Err(AttentionDesc::field_error("softcap", "from 1e-20 to 1e20", cap));
    }
    Ok(())
}

fn check_sequences(desc: &AttentionDesc) -> Result<(), DescError> {
    let Some(sequences) = desc.sequences else { return Ok(()) };
    if desc.batch != 1 {
        return Err(AttentionDesc::field_error("batch", "1 beside `sequences`", desc.batch));
    }
    if !(1..=MAX_SEQ).contains(&sequences) {
        return Err(AttentionDesc::field_error("sequences", format!("from 1 to {MAX_SEQ}"), sequences));
    }
    Ok(())
}

fn check_window(desc: &AttentionDesc) -> Result<(), DescError> {
    let Some(window) = desc.window else { return Ok(()) };
    if let Some(align) = desc.causal
        && align != window.align
    {
        let rule = format!("aligned as `causal`, {align:?}");
        return Err(AttentionDesc::field_error("window", rule, format!("{:?}", window.align)));
    }
    let AttentionDesc { seq_q, seq_kv, .. } = *desc;
    if desc.sequences.is_none() && seq_q > 0 && seq_kv > 0 && desc.pairs() == 0.0 {
        let rule = format!("one in which some of the {seq_q} queries see one of the {seq_kv} keys");
        return Err(AttentionDesc::field_error("window", rule, format!("{window:?}")));
    }
    Ok(())
}

fn check_broadcast<const N: usize>(
    field: &'static str,
    shape: Option<[usize; N]>,
    full: [usize; N],
) -> Result<(), DescError> {
    let fits =
        |shape: [usize; N]| shape.iter().zip(full).all(|(&extent, full)| extent == 1 || extent == full);
    match shape.filter(|shape| !fits(*shape)) {
        None => Ok(()),
        Some(shape) => {
            let scales = if N == 3 { "scaled by " } else { "" };
            let rule = format!("{scales}{full:?} with any extent 1 instead");
            Err(AttentionDesc::field_error(field, rule, format!("{shape:?}")))
        }
    }
}

/// Offsets start at 0, never fall, and end at the number of rows.
pub(super) fn check_offsets(desc: &AttentionDesc, inputs: &Tensors) -> Result<(), DescError> {
    for (tensor, rows) in [("q_offsets", desc.seq_q), ("kv_offsets", desc.seq_kv)] {
        let Some(offsets) = inputs.values(tensor) else { continue };
        let last = offsets.len().saturating_sub(1);
        let mut before = 0.0;
        for (i, &got) in offsets.iter().enumerate() {
            let expected = if i == 0 && got != 0.0 {
                "0 first"
            } else if got < before {
                "offsets that never fall"
            } else if i == last && got != rows as f64 || got > rows as f64 {
                "the number of rows last"
            } else {
                before = got;
                continue;
            };
            return Err(DescError::Value {
                op: AttentionDesc::NAME,
                tensor: tensor.into(),
                expected,
                got,
                index: vec![i],
            });
        }
    }
    Ok(())
}
