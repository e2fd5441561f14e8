//! What a descriptor says, as a shader has it: flags, numbers and strides.

use super::choice::is_by_token;
use crate::recipe::StageBuilder;
use crate::{Align, AttentionDesc};
use langevin_gpu::ParamValue;
use langevin_reference::{Dtype, Format};

pub(super) fn with_flags(builder: StageBuilder, desc: &AttentionDesc) -> StageBuilder {
    let [q_on_words, k_on_words, v_on_words, _] = desc.starts_on_words();
    let band = desc.band();
    builder
        .flag("FOLDS", desc.heads > desc.kv_heads)
        .flag("HAS_LOW", band.left.is_some())
        .flag("HAS_HIGH", band.right.is_some())
        .flag(
            "ALIGN_ENDS",
            desc.sequences.is_some() && !band.is_everything() && band.align == Align::BottomRight,
        )
        .flag("HIDES", hides(desc))
        .flag("HAS_MASK", desc.mask.is_some())
        .flag("HAS_BIAS", desc.bias.is_some())
        .flag("HAS_SOFTCAP", desc.softcap.is_some())
        .flag("HAS_Q_SCALE", desc.q.scale.is_some())
        .flag("HAS_K_SCALE", desc.k.scale.is_some())
        .flag("HAS_V_SCALE", desc.v.scale.is_some())
        .flag("K_SCALE_BY_KEY", is_by_token(desc.k.scale))
        .flag("V_SCALE_BY_KEY", is_by_token(desc.v.scale))
        .flag("HAS_SINKS", desc.sinks)
        .flag("HAS_LSE", desc.lse)
        .flag("HEAD_HAS_TAIL", !desc.head_dim.is_multiple_of(4))
        .flag("COLUMNS_HAVE_TAIL", !desc.v_dim.is_multiple_of(4))
        .flag("Q_ON_WORDS", q_on_words)
        .flag("K_ON_WORDS", k_on_words)
        .flag("V_ON_WORDS", v_on_words)
}

/// Whether some query may not see some key of its sequence.
pub(super) fn hides(desc: &AttentionDesc) -> bool {
    !desc.band().is_everything() || desc.mask.is_some() || desc.bias.is_some()
}

/// The scale, the softcap and the limits of the band.
pub(super) fn with_numbers(builder: StageBuilder, desc: &AttentionDesc) -> StageBuilder {
    let scale = desc.scale.map_or_else(|| 1.0 / (desc.head_dim as f64).sqrt(), f64::from);
    // Weights are powers of two, as `IN_LOG2` of attention_logit.wgsl has it.
    let in_log2 = desc.softcap.is_none() && desc.bias.is_none();
    let scale = if in_log2 { scale * std::f64::consts::LOG2_E } else { scale };
    let largest = f64::from(f32::MAX);
    let cap = desc.softcap.unwrap_or(1.0);
    let [low, high] = limits(desc).map(|limit| i32::try_from(limit.unwrap_or(0)).unwrap_or(i32::MAX));
    builder
        .param("scale", ParamValue::F32(scale.clamp(-largest, largest) as f32))
        .param("softcap", ParamValue::F32(cap))
        .param("softcap_inverse", ParamValue::F32((1.0 / f64::from(cap)) as f32))
        .param("low", ParamValue::I32(low))
        .param("high", ParamValue::I32(high))
        .part("attention_logit", include_str!("../../shaders/shared/attention_logit.wgsl"))
}

/// The limits of `key - query`: of the one sequence, or, before the ends are aligned, of any.
fn limits(desc: &AttentionDesc) -> [Option<i64>; 2] {
    let band = desc.band();
    match (desc.sequences, band.align) {
        (None, _) => band.limits(desc.seq_q, desc.seq_kv),
        // As if queries and keys were as many, which puts their ends together.
        (Some(_), _) => {
            let longest = desc.seq_q.max(desc.seq_kv);
            band.limits(longest, longest)
        }
    }
}

pub(super) fn with_strides(builder: StageBuilder, desc: &AttentionDesc) -> StageBuilder {
    let names = [
        ["q_offset", "q_batch", "q_head", "q_seq"],
        ["k_offset", "k_batch", "k_head", "k_seq"],
        ["v_offset", "v_batch", "v_head", "v_seq"],
        ["out_offset", "out_batch", "out_head", "out_seq"],
    ];
    let builder = names.into_iter().zip(desc.strides()).fold(builder, |builder, (names, view)| {
        with_sizes(builder, names, [view.offset, view.batch, view.head, view.seq])
    });
    let scales = [
        (["q_scale_batch", "q_scale_head", "q_scale_seq"], desc.q.scale),
        (["k_scale_batch", "k_scale_head", "k_scale_seq"], desc.k.scale),
        (["v_scale_batch", "v_scale_head", "v_scale_seq"], desc.v.scale),
    ];
    let builder = scales.into_iter().fold(builder, |builder, (names, shape)| {
        with_sizes(builder, names, broadcast_strides(shape.unwrap_or([1; 3]), Format::F32.into()))
    });
    let broadcast = [
        (["mask_batch", "mask_head", "mask_row", "mask_key"], desc.mask, Dtype::Bool),
        (["bias_batch", "bias_head", "bias_row", "bias_key"], desc.bias, Format::F32.into()),
    ];
    broadcast.into_iter().fold(builder, |builder, (names, shape, dtype)| {
        with_sizes(builder, names, broadcast_strides(shape.unwrap_or([1; 4]), dtype))
    })
}

/// Strides of a row-major tensor with padded rows; 0 where an extent of 1 is repeated.
fn broadcast_strides<const N: usize>(shape: [usize; N], dtype: Dtype) -> [usize; N] {
    let mut strides = [0; N];
    let mut stride = 1;
    for axis in (0..N).rev() {
        strides[axis] = if shape[axis] == 1 { 0 } else { stride };
        stride *= if axis == N - 1 { dtype.padded_row_len(shape[axis]) } else { shape[axis] };
    }
    strides
}

pub(super) fn with_sizes<const N: usize>(
    builder: StageBuilder,
    names: [&'static str; N],
    sizes: [usize; N],
) -> StageBuilder {
    names.into_iter().zip(sizes).fold(builder, |builder, (name, size)| builder.size(name, size))
}
