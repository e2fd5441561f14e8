//! The dispatches of attention: what has to be listed or joined first, the kernel itself, and the sum of its splits.

use super::choice::{self, Cooperative, Tile, is_by_token};
use super::options::{with_flags, with_numbers, with_sizes, with_strides};
use crate::kernel::Variant;
use crate::merge::merged;
use crate::recipe::{Load, Recipe, SCRATCH, Stage, StageBuilder};
use crate::{AttentionDesc, Capabilities, View, wgpu};
use langevin_gpu::Access;
use langevin_reference::{Format, Op};

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
pub(super) struct Scratch {
    /// Of the small tensors, those that are joined.
    small: [usize; 4],
    /// Of the largest logit and the sum of the weights of every row of every split.
    totals: usize,
    /// Of their mixes of the values.
    mixes: usize,
    words: usize,
}

/// One call: the descriptor and what has been chosen for it.
pub(super) struct Call<'a> {
    pub(super) desc: &'a AttentionDesc,
    pub(super) variant: Variant,
    pub(super) tile: Tile,
    /// How the cooperative shader spreads the tile, for that variant.
    pub(super) cooperative: Option<Cooperative>,
    pub(super) tiles: usize,
    pub(super) slices: usize,
    pub(super) splits: usize,
    pub(super) split_keys: usize,
    pub(super) gathers: bool,
    pub(super) scratch: Scratch,
    /// How q, k and v are read.
    pub(super) loads: [Load; 3],
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
        let text = include_str!("../../shaders/shared/attention_splits.wgsl");
        merged(builder.part("attention_splits", text), self.splits, rows * self.desc.v_dim.div_ceil(4))
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

const PLACES: [&str; 4] = ["sinks_at", "q_scale_at", "k_scale_at", "v_scale_at"];
const LENGTHS: [&str; 4] = ["sinks_len", "q_scale_len", "k_scale_len", "v_scale_len"];
