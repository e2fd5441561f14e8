//! The dispatches of attention: what has to be listed or joined first, the kernel itself, and the sum of its splits.

use super::choice::{self, Cooperative, Tile, is_by_token};
use crate::kernel::Variant;
use crate::recipe::{Load, Recipe, SCRATCH, Stage, StageBuilder};
use crate::{Align, AttentionDesc, Capabilities, View, wgpu};
use langevin_gpu::{Access, ParamValue};
use langevin_reference::{Dtype, Format, Op};

/// The storage buffers that WebGPU promises.
const MOST_BUFFERS: usize = 8;
/// The tensors that are joined when there are more.
const SMALL: [&str; 4] = ["sinks", "q_scale", "k_scale", "v_scale"];
/// Words of the list for each sequence.
const LISTED: usize = 5;

pub(super) fn recipe(desc: &AttentionDesc, variant: Variant, capabilities: &Capabilities) -> Recipe {
    let call = Call::new(desc, variant, capabilities);
    if call.groups() == 0 {
        return Recipe::default();
    }
    let mut stages = Vec::new();
    stages.extend(desc.sequences.map(|sequences| call.list(sequences)));
    stages.extend(call.gathers.then(|| call.gather()));
    stages.push(call.attention(capabilities));
    stages.extend((call.splits > 1).then(|| call.merge()));
    Recipe { stages, scratch_bytes: call.scratch.words as u64 * 4 }
}

/// Where things stand in the scratch, in words.
#[derive(Clone, Copy, Debug, Default)]
struct Scratch {
    /// Of the small tensors, those that are joined.
    small: [usize; 4],
    /// Of the largest logit and the sum of the weights of every row of every split.
    totals: usize,
    /// Of their mixes of the values.
    mixes: usize,
    words: usize,
}

/// One call: the descriptor and what has been chosen for it.
struct Call<'a> {
    desc: &'a AttentionDesc,
    variant: Variant,
    tile: Tile,
    /// How the cooperative shader spreads the tile, for that variant.
    cooperative: Option<Cooperative>,
    tiles: usize,
    slices: usize,
    splits: usize,
    split_keys: usize,
    gathers: bool,
    scratch: Scratch,
    /// How q, k and v are read.
    loads: [Load; 3],
}

impl<'a> Call<'a> {
    fn new(desc: &'a AttentionDesc, variant: Variant, capabilities: &Capabilities) -> Self {
        let tile = Tile::of(desc, variant, capabilities);
        let is_cooperative = variant == choice::COOPERATIVE;
        let cooperative = is_cooperative.then(|| Cooperative::of(desc, capabilities)).flatten();
        // The last tile of every sequence may be a part of one.
        let tiles = match desc.sequences {
            None => choice::rows(desc).div_ceil(tile.rows),
            Some(sequences) if desc.seq_q > 0 => choice::rows(desc) / tile.rows + sequences,
            Some(_) => 0,
        };
        let slices = desc.v_dim.div_ceil(tile.columns);
        let groups = desc.batch.saturating_mul(desc.kv_heads * slices).saturating_mul(tiles);
        let loads = loads(desc, variant, capabilities);
        let call = |split_keys: usize| {
            let splits = desc.seq_kv.div_ceil(split_keys).max(1);
            let gathers = buffers(desc, splits > 1) > MOST_BUFFERS;
            let scratch = Scratch::of(desc, splits, gathers);
            Self {
                desc,
                variant,
                tile,
                cooperative,
                tiles,
                slices,
                splits,
                split_keys,
                gathers,
                scratch,
                loads,
            }
        };
        let split = call(choice::split_keys(desc, variant, tile, groups));
        let fits = split.scratch.words as u64 * 4 <= capabilities.limits.max_storage_buffer_binding_size;
        if split.splits > 1 && !fits { call(desc.seq_kv) } else { split }
    }

    fn groups(&self) -> u64 {
        let of_head = self.tiles.saturating_mul(self.slices * self.splits);
        self.desc.batch.saturating_mul(self.desc.kv_heads).saturating_mul(of_head) as u64
    }

    /// Lists the sequences with their tiles.
    fn list(&self, sequences: usize) -> Stage {
        StageBuilder::new("attention: sequences", self.desc)
            .constant("TILE_ROWS", self.tile.rows as u32)
            .size("seq_q", self.desc.seq_q)
            .size("seq_kv", self.desc.seq_kv)
            .size("sequences", sequences)
            .size("group", self.desc.heads / self.desc.kv_heads)
            .words("q_offsets", Access::Read)
            .words("kv_offsets", Access::Read)
            .words(SCRATCH, Access::ReadWrite)
            .part("attention_list", include_str!("../../shaders/attention_list.wgsl"))
            .loop_iterations(2 * sequences.div_ceil(64) + 64)
            .groups(1)
    }

    /// Joins the small tensors.
    fn gather(&self) -> Stage {
        let lengths = SMALL.map(|name| length(self.desc, name));
        let builder = StageBuilder::new("attention: small tensors", self.desc);
        let builder = with_sizes(self.with_places(builder), LENGTHS, lengths);
        SMALL
            .into_iter()
            .fold(builder, StageBuilder::reads)
            .words(SCRATCH, Access::ReadWrite)
            .part("attention_gather", include_str!("../../shaders/attention_gather.wgsl"))
            .groups(lengths.into_iter().max().unwrap_or(0).div_ceil(64) as u64)
    }

    /// The kernel itself.
    fn attention(&self, capabilities: &Capabilities) -> Stage {
        let builder = self.common("attention");
        let access = if self.splits > 1 { Access::ReadWrite } else { Access::Read };
        let builder = if self.uses_scratch() { builder.words(SCRATCH, access) } else { builder };
        let builder = self.with_loads(builder);
        let builder = if self.splits == 1 {
            finish(self.small_tensors(builder, &SMALL))
        } else {
            let by_key = is_by_token(self.desc.v.scale);
            self.small_tensors(builder, if by_key { &SMALL[1..] } else { &SMALL[1..3] })
                .part("attention_partial", include_str!("../../shaders/shared/attention_partial.wgsl"))
        };
        let builder = self.sums(builder, capabilities);
        builder.loop_iterations(self.loop_iterations()).groups(self.groups())
    }

    /// Adds up the splits.
    fn merge(&self) -> Stage {
        let builder = self.common("attention: splits").words(SCRATCH, Access::Read);
        let builder =
            finish(self.small_tensors(builder.absent("mask").absent("bias"), &["sinks", "v_scale"]));
        let rows = self.desc.batch * self.desc.kv_heads * choice::rows(self.desc);
        builder
            .size("parts", self.splits)
            .part("attention_splits", include_str!("../../shaders/shared/attention_splits.wgsl"))
            .part("attention_merge", include_str!("../../shaders/attention_merge.wgsl"))
            .loop_iterations(2 * self.splits)
            .groups((rows * self.desc.v_dim.div_ceil(4)).div_ceil(64) as u64)
    }

    /// The flags and sizes that the parts of every dispatch may use, and where workgroups and rows lie.
    fn common(&self, label: &'static str) -> StageBuilder {
        let (desc, tile) = (self.desc, self.tile);
        let AttentionDesc { heads, kv_heads, seq_q, seq_kv, head_dim, v_dim, .. } = *desc;
        let builder = with_numbers(with_flags(StageBuilder::new(label, desc), desc), desc)
            .flag("SPLITS", self.splits > 1)
            .constant("TILE_ROWS", tile.rows as u32)
            .constant("TILE_KEYS", tile.keys as u32)
            .size("heads", heads)
            .size("kv_heads", kv_heads)
            .size("group", heads / kv_heads)
            .size("seq_q", seq_q)
            .size("seq_kv", seq_kv)
            .size("head_dim", head_dim)
            .size("v_dim", v_dim)
            .size("tiles", self.tiles)
            .size("slices", self.slices)
            .size("splits", self.splits)
            .size("split_keys", self.split_keys)
            .size("sequences", desc.sequences.unwrap_or(1))
            .size("rows_in_all", desc.batch * kv_heads * choice::rows(desc))
            .size("quads", v_dim.div_ceil(4))
            .size("totals_at", self.scratch.totals)
            .size("mixes_at", self.scratch.mixes);
        let builder = with_strides(self.with_places(builder), desc);
        let (name, text) = match desc.sequences {
            Some(_) => ("sequences", include_str!("../../shaders/shared/attention_sequences.wgsl")),
            None => ("one_sequence", include_str!("../../shaders/shared/attention_one_sequence.wgsl")),
        };
        builder
            .part(name, text)
            .part("attention_place", include_str!("../../shaders/shared/attention_place.wgsl"))
    }

    fn with_places(&self, builder: StageBuilder) -> StageBuilder {
        with_sizes(builder, PLACES, self.scratch.small)
    }

    /// q, k, v, mask and bias.
    fn with_loads(&self, builder: StageBuilder) -> StageBuilder {
        let builder = ["q", "k", "v"]
            .into_iter()
            .zip(self.loads)
            .fold(builder, |builder, (name, load)| builder.reads_by(name, load));
        ["mask", "bias"].into_iter().fold(builder, StageBuilder::reads)
    }

    /// The small tensors: those of the names given, or all from where they have been joined.
    fn small_tensors(&self, builder: StageBuilder, names: &[&'static str]) -> StageBuilder {
        if self.gathers {
            let text = include_str!("../../shaders/shared/attention_gathered.wgsl");
            return builder.part("attention_gathered", text);
        }
        let read_or_absent = |builder: StageBuilder, name| match names.contains(&name) {
            true => builder.reads(name),
            false => builder.absent(name),
        };
        SMALL.into_iter().fold(builder, read_or_absent)
    }

    fn uses_scratch(&self) -> bool {
        self.splits > 1 || self.gathers || self.desc.sequences.is_some()
    }

    /// The shader that forms the sums.
    fn sums(&self, builder: StageBuilder, capabilities: &Capabilities) -> StageBuilder {
        let columns = self.desc.v_dim.min(self.tile.columns) as u32;
        let builder =
            builder.part("attention_rows", include_str!("../../shaders/shared/attention_rows.wgsl"));
        if let Some(cooperative) = self.cooperative {
            return self.cooperative(builder, cooperative);
        }
        match self.variant {
            choice::SHUFFLE => builder
                .enable("f16")
                .constant("ROWS", self.tile.rows as u32)
                .constant("GROUPS", self.tile.rows as u32 / 8)
                .constant("VALUE_LOADS", columns.div_ceil(32))
                .part("attention_shuffle", include_str!("../../shaders/attention_shuffle.wgsl")),
            choice::BROADCAST => builder
                .constant("COLUMN_GROUPS", columns.div_ceil(16))
                .part("attention_broadcast", include_str!("../../shaders/attention_broadcast.wgsl")),
            _ => self.tiled(builder, columns, capabilities),
        }
    }

    fn tiled(&self, builder: StageBuilder, columns: u32, capabilities: &Capabilities) -> StageBuilder {
        let half = self.variant == choice::TILED_F16;
        let shuffles = match self.variant {
            choice::TILED_F16 => choice::has_eights(capabilities),
            variant => variant == choice::TILED_SUBGROUP,
        };
        let (name, text) = if shuffles {
            ("lanes_subgroup", include_str!("../../shaders/shared/attention_lanes_subgroup.wgsl"))
        } else {
            ("lanes_tree", include_str!("../../shaders/shared/attention_lanes_tree.wgsl"))
        };
        let builder = if half {
            builder.enable("f16").part("tile_f16", include_str!("../../shaders/shared/tile_f16.wgsl"))
        } else {
            builder.part("tile_f32", include_str!("../../shaders/shared/tile_f32.wgsl"))
        };
        builder
            .constant("ROW_LANES", self.tile.rows as u32 / 4)
            .constant("QUADS", quads(self.variant) as u32)
            .constant("HALVES", columns.div_ceil(64))
            .part(name, text)
            .part("attention_tiled", include_str!("../../shaders/attention_tiled.wgsl"))
    }

    fn cooperative(&self, builder: StageBuilder, cooperative: Cooperative) -> StageBuilder {
        let (desc, Cooperative { size, depths, columns, wide_tiles, .. }) = (self.desc, cooperative);
        let (name, text) = if size == 8 {
            ("coop8", include_str!("../../shaders/shared/coop8.wgsl"))
        } else {
            ("coop16", include_str!("../../shaders/shared/coop16.wgsl"))
        };
        let (cells, memory) = if cooperative.cell == 1 {
            (
                include_str!("../../shaders/shared/coop_scalars.wgsl"),
                include_str!("../../shaders/shared/attention_cells_scalars.wgsl"),
            )
        } else {
            (
                include_str!("../../shaders/shared/coop_vectors.wgsl"),
                include_str!("../../shaders/shared/attention_cells_vectors.wgsl"),
            )
        };
        let head_is_whole = desc.head_dim.is_multiple_of(size as usize);
        // A value that is not finite and that some row of the tile does not see.
        let tames = hides(desc) && desc.v.format != Format::I8;
        let builder = builder
            .enable("f16")
            .enable("wgpu_cooperative_matrix")
            .constant("SUBGROUP", cooperative.subgroup)
            .constant("SUBGROUPS", cooperative.subgroups())
            .constant("SIDES", Cooperative::SIDES)
            .constant("ROWS", cooperative.rows())
            .constant("ROW_TILES", cooperative.row_tiles)
            .constant("KEY_TILES", cooperative.key_tiles())
            .constant("OWN_ROWS", cooperative.own_rows())
            .constant("LINE", Cooperative::LINE)
            .constant("CELLS", 8 / cooperative.cell)
            .constant("DEPTHS", depths)
            .constant("COLUMNS", columns)
            .constant("WIDE_TILES", wide_tiles)
            .constant("PASSES", columns / wide_tiles.max(1))
            .constant("K_FETCHES", cooperative.fetches(depths))
            .constant("V_FETCHES", cooperative.fetches(Cooperative::SIDES * columns))
            .flag("TAMES", tames)
            .flag("q_IS_WHOLE", head_is_whole)
            .flag("k_IS_WHOLE", head_is_whole)
            .flag("v_IS_WHOLE", desc.v_dim as u32 == Cooperative::SIDES * columns * size);
        let on_words = desc.starts_on_words();
        let tensors = ["q", "k", "v"].into_iter().zip(self.loads).zip(on_words);
        let builder = tensors.fold(builder, |builder, ((name, load), on_words)| {
            let scattered = include_str!("../../shaders/shared/attention_eights_scattered.wgsl");
            let builder = if on_words {
                builder.halves(name, load)
            } else {
                builder.part_for(name, "attention_eights_scattered", scattered)
            };
            let eights = include_str!("../../shaders/shared/attention_eights.wgsl");
            builder.part_for(name, "attention_eights", eights)
        });
        builder
            .part(name, text)
            .part("coop_cells", cells)
            .part("attention_cells", memory)
            .part("attention_cooperative", include_str!("../../shaders/attention_cooperative.wgsl"))
    }

    /// For each block of keys: one, its loop over the dims, and those over its keys.
    fn loop_iterations(&self) -> usize {
        let head_dim = self.desc.head_dim;
        let each_block = match self.variant {
            choice::SHUFFLE => 1 + head_dim.div_ceil(4) + 1 + 8 * 6 + 1,
            choice::BROADCAST => 1 + head_dim.div_ceil(4) + 1 + 4 + 1,
            // Two loops over matrices of keys, and values that are not finite: 32 keys for every row and pass.
            choice::COOPERATIVE => 1 + 2 * 4 + 32 * 8 * 4,
            variant => {
                let quads = quads(variant);
                let staged = quads * 4;
                1 + head_dim.div_ceil(4 * quads) * (1 + quads + staged) + 2 * (32 + 16) + 8
            }
        };
        let keys = self.split_keys.min(self.desc.seq_kv);
        // The search for a sequence, and what ends a tile.
        keys.div_ceil(self.tile.keys) * each_block + 32 + 16 * 5
    }
}

/// Four dims of a row at a time are staged, that often.
fn quads(variant: Variant) -> usize {
    if variant == choice::TILED_F16 { 8 } else { 4 }
}

/// The storage buffers of the kernel itself, without joining.
fn buffers(desc: &AttentionDesc, splits: bool) -> usize {
    let tensors = desc.tensors();
    let scratch = usize::from(splits || desc.sequences.is_some());
    // Those of the second dispatch alone, if there is one.
    let late = ["out", "lse", "sinks", "v_scale"];
    let by_key = is_by_token(desc.v.scale);
    let leaves_out = |name: &str| splits && late.contains(&name) && !(name == "v_scale" && by_key);
    let listed = ["q_offsets", "kv_offsets"];
    let bound = tensors.iter().filter(|spec| !listed.contains(&spec.name) && !leaves_out(spec.name)).count();
    bound + scratch
}

/// Elements of a tensor; none where the descriptor leaves it out.
fn length(desc: &AttentionDesc, name: &str) -> usize {
    let spec = desc.tensors().into_iter().find(|spec| spec.name == name);
    spec.and_then(|spec| spec.elements()).unwrap_or(0)
}

impl Scratch {
    fn of(desc: &AttentionDesc, splits: usize, gathers: bool) -> Self {
        let mut words = desc.sequences.map_or(0, |sequences| sequences.saturating_mul(LISTED));
        let mut take = |length: usize| {
            let at = words;
            words = words.saturating_add(length);
            at
        };
        let small = SMALL.map(|name| if gathers { take(length(desc, name)) } else { 0 });
        let rows = desc.batch.saturating_mul(desc.kv_heads * choice::rows(desc)).saturating_mul(splits);
        let parts = |of_row: usize| if splits > 1 { rows.saturating_mul(of_row) } else { 0 };
        let totals = take(parts(2));
        let mixes = take(parts(desc.v_dim.next_multiple_of(4)));
        Self { small, totals, mixes, words }
    }
}

fn finish(builder: StageBuilder) -> StageBuilder {
    builder
        .writes("out")
        .writes_bits("lse")
        .part("attention_finish", include_str!("../../shaders/shared/attention_finish.wgsl"))
}

/// How q, k and v are read.
fn loads(desc: &AttentionDesc, variant: Variant, capabilities: &Capabilities) -> [Load; 3] {
    let strides = desc.strides();
    let dims = [desc.head_dim, desc.head_dim, desc.v_dim];
    let formats = [desc.q.format, desc.k.format, desc.v.format];
    let has_long = capabilities.features.contains(wgpu::Features::SHADER_INT64);
    [0, 1, 2].map(|i| {
        let View { offset, batch, head, seq } = strides[i];
        let aligned = [offset, batch, head, seq, dims[i]].iter().all(|n| n.is_multiple_of(4));
        let by_eights = [offset, batch, head, seq].iter().all(|n| n.is_multiple_of(8));
        match variant {
            choice::COOPERATIVE if by_eights && dims[i].is_multiple_of(8) => Load::Eights,
            // llvmpipe treats each lane's load apart: half as many cost half.
            choice::SHUFFLE if aligned && has_long && formats[i] == Format::F32 => Load::Long,
            choice::SHUFFLE | choice::COOPERATIVE => Load::Together,
            choice::BROADCAST => Load::Words,
            _ if aligned => Load::Wide,
            _ => Load::Words,
        }
    })
}

fn with_flags(builder: StageBuilder, desc: &AttentionDesc) -> StageBuilder {
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
fn hides(desc: &AttentionDesc) -> bool {
    !desc.band().is_everything() || desc.mask.is_some() || desc.bias.is_some()
}

/// The scale, the softcap and the limits of the band.
fn with_numbers(builder: StageBuilder, desc: &AttentionDesc) -> StageBuilder {
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

fn with_strides(builder: StageBuilder, desc: &AttentionDesc) -> StageBuilder {
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

const PLACES: [&str; 4] = ["sinks_at", "q_scale_at", "k_scale_at", "v_scale_at"];
const LENGTHS: [&str; 4] = ["sinks_len", "q_scale_len", "k_scale_len", "v_scale_len"];

fn with_sizes<const N: usize>(
    builder: StageBuilder,
    names: [&'static str; N],
    sizes: [usize; N],
) -> StageBuilder {
    names.into_iter().zip(sizes).fold(builder, |builder, (name, size)| builder.size(name, size))
}
