use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, SCRATCH, Stage, StageBuilder};
use crate::{AttentionDesc, Capabilities, Causal, Plan, Tier, View};
use langevin_gpu::{Access, ParamValue};
use langevin_reference::{Dtype, Format};

/// Scaled dot-product attention with its options, fused: see [`AttentionDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `tiled` | portable | every GPU: 32 queries and 32 keys at a time in workgroup memory |
/// | `shuffle` | software | CPUs with subgroups of 8: no barriers, keys and values spread by shuffles |
/// | `broadcast` | software | other CPUs: no barriers, keys and values read by broadcast |
///
/// Needs scratch only with mask, bias, scales, sinks and `lse` all at once: their nine tensors are one more than the
/// storage buffers WebGPU promises, so the scales and the sinks are joined there first.
pub type Attention = Plan<AttentionDesc>;

buffers! {
    /// Where the tensors of an [`AttentionDesc`] are.
    AttentionBuffers {
        required:
            /// The queries.
            q,
            /// The keys.
            k,
            /// The values.
            v,
            /// The result.
            out;
        optional:
            /// With [`AttentionDesc::mask`].
            mask,
            /// With [`AttentionDesc::bias`].
            bias,
            /// With [`AttentionDesc::scales`].
            scales,
            /// With [`AttentionDesc::sinks`].
            sinks,
            /// With [`AttentionDesc::lse`].
            lse,
            /// Memory lent for the call, where [`Plan::scratch_bytes`] asks for it.
            scratch
    }
}

const TILED: Variant = Variant { name: "tiled", tier: Tier::Portable, reason: "runs everywhere" };

const SHUFFLE: Variant = Variant {
    name: "shuffle",
    tier: Tier::Software,
    reason: "the adapter is a CPU, where a shuffle spreads an element in one instruction and a load in a dozen",
};

const BROADCAST: Variant = Variant {
    name: "broadcast",
    tier: Tier::Software,
    reason: "the adapter is a CPU, where barriers cost more than re-reading",
};

/// Queries of one invocation of the shuffling shader: both use what was spread.
const QUERIES: usize = 2;

/// The most columns of the values that a workgroup mixes, as in the shaders; more recompute the scores.
const SLICE: usize = 64;

impl sealed::Sealed for AttentionDesc {}

impl Kernel for AttentionDesc {
    type Buffers<'a> = AttentionBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        let shuffles = capabilities.has(Tier::Subgroup) && capabilities.subgroup_sizes == (8, 8);
        let order = [(SHUFFLE, shuffles), (BROADCAST, true), (TILED, true)];
        let runs =
            |(variant, runs): (Variant, bool)| (runs && capabilities.has(variant.tier)).then_some(variant);
        order.into_iter().filter_map(runs).collect()
    }

    fn recipe(&self, variant: Variant, _: &Capabilities) -> Recipe {
        let stage = attention_stage(self, variant);
        if !packs(self) || stage.groups == 0 {
            return Recipe::single(stage);
        }
        Recipe { stages: vec![pack_stage(self), stage], scratch_bytes: 4 * (3 + self.heads as u64) }
    }
}

/// Whether the tensors are more than eight, so that scales and sinks must share a buffer.
fn packs(desc: &AttentionDesc) -> bool {
    desc.mask.is_some() && desc.bias.is_some() && desc.scales.is_some() && desc.sinks && desc.lse
}

fn pack_stage(desc: &AttentionDesc) -> Stage {
    StageBuilder::new("attention pack", desc)
        .size("heads", desc.heads)
        .reads("scales")
        .reads("sinks")
        .words(SCRATCH, Access::ReadWrite)
        .part("attention_pack", include_str!("../shaders/attention_pack.wgsl"))
        .groups((3 + desc.heads as u64).div_ceil(64))
}

fn attention_stage(desc: &AttentionDesc, variant: Variant) -> Stage {
    let AttentionDesc { batch, heads, kv_heads, seq_q, seq_kv, head_dim, v_dim, .. } = *desc;
    let [q_on_words, k_on_words, v_on_words, _] = desc.starts_on_words();
    let builder = StageBuilder::new("attention", desc);
    let builder = builder.flag("HEAD_HAS_TAIL", !head_dim.is_multiple_of(4));
    let columns = v_dim.min(SLICE) as u32;
    let (builder, text, tile_q) = match variant {
        SHUFFLE => {
            // A load brings four columns to each of eight lanes.
            let builder = builder
                .constant("QUERIES", QUERIES as u32)
                .constant("VALUE_LOADS", columns.div_ceil(32))
                .constant("VALUE_LANES", columns.div_ceil(4).min(8));
            (builder, include_str!("../shaders/attention_shuffle.wgsl"), 8 * QUERIES)
        }
        BROADCAST => {
            let builder = builder.constant("COLUMN_GROUPS", columns.div_ceil(16));
            (builder, include_str!("../shaders/attention_broadcast.wgsl"), 8)
        }
        _ => (builder, include_str!("../shaders/attention_tiled.wgsl"), 32),
    };
    let (tiles_q, slices) = (seq_q.div_ceil(tile_q), v_dim.div_ceil(SLICE));
    let builder = builder
        .flag("CAUSAL", desc.causal != Causal::None)
        .flag("HIDES", desc.causal != Causal::None || desc.mask.is_some() || desc.bias.is_some())
        .flag("HAS_MASK", desc.mask.is_some())
        .flag("HAS_BIAS", desc.bias.is_some())
        .flag("HAS_SOFTCAP", desc.softcap.is_some())
        .flag("HAS_SCALES", desc.scales.is_some())
        .flag("HAS_SINKS", desc.sinks)
        .flag("HAS_LSE", desc.lse)
        .flag("Q_ON_WORDS", q_on_words)
        .flag("K_ON_WORDS", k_on_words)
        .flag("V_ON_WORDS", v_on_words)
        .size("heads", heads)
        .size("heads_per_kv", heads / kv_heads)
        .size("seq_q", seq_q)
        .size("seq_kv", seq_kv)
        .size("head_dim", head_dim)
        .size("v_dim", v_dim)
        .size("tiles_q", tiles_q)
        .size("slices", slices);
    let builder = with_tensors(with_numbers(with_strides(builder, desc), desc), desc);
    builder
        .part(variant.name, text)
        .loop_iterations(loop_iterations(desc, variant))
        .groups((batch * heads * tiles_q * slices) as u64)
}

/// For each block of keys: one, its loop over the dims, and those over its keys.
fn loop_iterations(desc: &AttentionDesc, variant: Variant) -> usize {
    let (keys, each_block) = match variant.tier {
        Tier::Software => (8, 1 + desc.head_dim.div_ceil(4) + 8 + 2),
        // 32 dims at a time: one, and eight parts of four; then at most 32 keys of v and the two passes over 16 weights.
        _ => (32, 1 + desc.head_dim.div_ceil(32) * 9 + 32 + 32),
    };
    desc.seq_kv.div_ceil(keys) * each_block
}

/// The scale, the softcap and where the causal diagonal lies.
fn with_numbers(builder: StageBuilder, desc: &AttentionDesc) -> StageBuilder {
    let scale = desc.scale.unwrap_or((1.0 / (desc.head_dim as f64).sqrt()) as f32);
    let cap = desc.softcap.unwrap_or(1.0);
    let offset = desc.causal.offset(desc.seq_q, desc.seq_kv).unwrap_or(0);
    builder
        .param("scale", ParamValue::F32(scale))
        .param("softcap", ParamValue::F32(cap))
        .param("softcap_inverse", ParamValue::F32((1.0 / f64::from(cap)) as f32))
        // The descriptor's check keeps sequences, and so the clamped offset, within i32.
        .param("causal_offset", ParamValue::I32(i32::try_from(offset).unwrap_or(i32::MAX)))
}

fn with_strides(mut builder: StageBuilder, desc: &AttentionDesc) -> StageBuilder {
    let names = [
        ["q_offset", "q_batch", "q_head", "q_seq"],
        ["k_offset", "k_batch", "k_head", "k_seq"],
        ["v_offset", "v_batch", "v_head", "v_seq"],
        ["out_offset", "out_batch", "out_head", "out_seq"],
    ];
    for (names, View { offset, batch, head, seq }) in names.into_iter().zip(desc.strides()) {
        builder =
            names.into_iter().zip([offset, batch, head, seq]).fold(builder, |b, (name, n)| b.size(name, n));
    }
    let broadcast = [
        (["mask_batch", "mask_head", "mask_row", "mask_key"], desc.mask, Dtype::Bool),
        (["bias_batch", "bias_head", "bias_row", "bias_key"], desc.bias, Format::F32.into()),
    ];
    for (names, shape, dtype) in broadcast {
        let strides = broadcast_strides(shape.unwrap_or([1; 4]), dtype);
        builder = names.into_iter().zip(strides).fold(builder, |b, (name, n)| b.size(name, n));
    }
    builder
}

/// Strides of a row-major tensor with padded rows; 0 where an extent of 1 is repeated.
fn broadcast_strides(shape: [usize; 4], dtype: Dtype) -> [usize; 4] {
    let row = dtype.padded_row_len(shape[3]);
    let strides = [shape[1] * shape[2] * row, shape[2] * row, row, 1];
    [0, 1, 2, 3].map(|axis| if shape[axis] == 1 { 0 } else { strides[axis] })
}

fn with_tensors(builder: StageBuilder, desc: &AttentionDesc) -> StageBuilder {
    let builder = ["q", "k", "v", "mask", "bias"].into_iter().fold(builder, StageBuilder::reads);
    let builder = if packs(desc) {
        let packed = include_str!("../shaders/shared/attention_packed.wgsl");
        builder.words(SCRATCH, Access::Read).part("attention_packed", packed)
    } else {
        builder.reads("scales").reads("sinks")
    };
    builder
        .writes("out")
        .writes_bits("lse")
        .part("attention_rows", include_str!("../shaders/shared/attention_rows.wgsl"))
        .part("attention_logit", include_str!("../shaders/shared/attention_logit.wgsl"))
        .part("attention_finish", include_str!("../shaders/shared/attention_finish.wgsl"))
}
