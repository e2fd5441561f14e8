//! Which shader, which tile, how many splits of the keys: pure functions of the descriptor and the device's capabilities.

use crate::kernel::Variant;
use crate::{AttentionDesc, Capabilities, Format, Tier};

pub(super) const SHUFFLE: Variant = Variant {
    name: "shuffle",
    tier: Tier::Software,
    reason: "the adapter is a CPU, where a shuffle spreads a number in one instruction and a load in a dozen",
};

pub(super) const BROADCAST: Variant = Variant {
    name: "broadcast",
    tier: Tier::Software,
    reason: "the adapter is a CPU, where barriers cost more than re-reading",
};

pub(super) const TILED_F16: Variant = Variant {
    name: "tiled_f16",
    tier: Tier::F16,
    reason: "f16 holds q, k and v, in half the workgroup memory: to be asked for by name. \
             16 heads of 4096 x 128 on an H200: 7.6 ms; tiled 7.5",
};

pub(super) const TILED_SUBGROUP: Variant = Variant {
    name: "tiled_subgroup",
    tier: Tier::Subgroup,
    reason: "lanes compare by shuffles, two barriers fewer to a tile. \
             16 heads of 4096 x 128 f16 on an H200: 7.4 ms; tiled 7.5",
};

pub(super) const TILED: Variant = Variant { name: "tiled", tier: Tier::Portable, reason: "runs everywhere" };

/// The order of preference: the first whose tier the device has and whose condition holds is taken.
pub(super) fn variants(desc: &AttentionDesc, capabilities: &Capabilities) -> Vec<Variant> {
    let order = [
        (SHUFFLE, shuffles(capabilities)),
        (BROADCAST, true),
        (TILED_F16, fits_f16(desc)),
        (TILED_SUBGROUP, has_eights(capabilities)),
        (TILED, true),
    ];
    let runs = |(variant, runs): (Variant, bool)| (runs && capabilities.has(variant.tier)).then_some(variant);
    order.into_iter().filter_map(runs).collect()
}

/// Subgroups of eight; conversions of F16, which decode two codes of 8 bits at once.
fn shuffles(capabilities: &Capabilities) -> bool {
    let features = capabilities.has(Tier::Subgroup) && capabilities.has(Tier::F16);
    features && capabilities.subgroup_sizes == (8, 8)
}

/// Subgroups that hold the eight lanes of a row.
pub(super) fn has_eights(capabilities: &Capabilities) -> bool {
    capabilities.has(Tier::Subgroup) && capabilities.subgroup_sizes.0 >= 8
}

/// f16 holds every element of q, k and v.
fn fits_f16(desc: &AttentionDesc) -> bool {
    let fits = |format| matches!(format, Format::F16 | Format::E4m3 | Format::E5m2 | Format::I8);
    [desc.q, desc.k, desc.v].iter().all(|heads| fits(heads.format))
}

/// What a workgroup takes at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tile {
    /// Rows: queries of the heads that share a kv head.
    pub(super) rows: usize,
    /// Keys of a block.
    pub(super) keys: usize,
    /// Columns of the values; more recompute the scores.
    pub(super) columns: usize,
}

/// Up to that many rows a larger tile would be mostly empty.
const FEW_ROWS: usize = 64;

impl Tile {
    pub(super) fn of(desc: &AttentionDesc, variant: Variant) -> Self {
        // How many rows there are must not matter where rows keep their bits.
        let few = rows(desc) <= FEW_ROWS && !desc.batch_invariant;
        match variant {
            SHUFFLE => Self { rows: if few { 8 } else { 16 }, keys: 32, columns: 128 },
            BROADCAST => Self { rows: 8, keys: 8, columns: 64 },
            // More columns in registers than 128 would be spilled.
            _ => Self { rows: if few { 16 } else { 64 }, keys: 32, columns: 128 },
        }
    }
}

/// The rows of one kv head.
pub(super) fn rows(desc: &AttentionDesc) -> usize {
    desc.seq_q * (desc.heads / desc.kv_heads)
}

/// A large GPU has about that many places for workgroups (an H200 132); not measured. A CPU's threads share few.
const WANTED_GROUPS: usize = 128;
const WANTED_GROUPS_OF_CPU: usize = 8;
/// Keys short of which a split is not worth its part of the second dispatch.
const LEAST_SPLIT: usize = 256;
const MOST_SPLITS: usize = 64;

/// How many keys a split takes, when there are that many workgroups without splits; all where it is not worth it.
pub(super) fn split_keys(desc: &AttentionDesc, variant: Variant, groups: usize) -> usize {
    let whole = desc.seq_kv.max(1);
    // Sequences are many, and what a window shows lies in few places.
    if desc.batch_invariant || desc.sequences.is_some() || desc.band().left.is_some() || groups == 0 {
        return whole;
    }
    let wanted = if variant.tier == Tier::Software { WANTED_GROUPS_OF_CPU } else { WANTED_GROUPS };
    let splits = (wanted / groups).min(desc.seq_kv / LEAST_SPLIT).clamp(1, MOST_SPLITS);
    whole.div_ceil(splits).next_multiple_of(Tile::of(desc, variant).keys).min(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(format: Format, capabilities: &Capabilities) -> Vec<&'static str> {
        let desc =
            AttentionDesc { q: format.into(), k: format.into(), v: format.into(), ..Default::default() };
        variants(&desc, capabilities).iter().map(|variant| variant.name).collect()
    }

    #[test]
    fn features_bring_variants() {
        let mut capabilities = Capabilities::minimal();
        assert_eq!(names(Format::F16, &capabilities), ["tiled"]);
        capabilities.features = wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP;
        assert_eq!(names(Format::F16, &capabilities), ["tiled_f16", "tiled"]);
        capabilities.subgroup_sizes = (32, 64);
        assert_eq!(names(Format::BF16, &capabilities), ["tiled_subgroup", "tiled"]);
        let cpu = Capabilities { device_type: wgpu::DeviceType::Cpu, ..Capabilities::minimal() };
        assert_eq!(names(Format::F16, &cpu), ["broadcast", "tiled"]);
        capabilities.subgroup_sizes = (8, 8);
        capabilities.device_type = wgpu::DeviceType::Cpu;
        assert_eq!(names(Format::F32, &capabilities), ["shuffle", "broadcast", "tiled_subgroup", "tiled"]);
    }

    /// What is chosen for one query must be chosen for a thousand.
    #[test]
    fn a_batch_invariant_choice_does_not_see_the_queries() {
        let choose = |seq_q, batch, variant| {
            let desc =
                AttentionDesc { batch, seq_q, seq_kv: 5000, batch_invariant: true, ..Default::default() };
            (Tile::of(&desc, variant), split_keys(&desc, variant, batch * seq_q.div_ceil(16)))
        };
        for variant in [SHUFFLE, BROADCAST, TILED_F16, TILED_SUBGROUP, TILED] {
            assert_eq!(choose(1, 1, variant), choose(1000, 7, variant));
            assert_eq!(choose(1, 1, variant).1, 5000);
        }
    }

    #[test]
    fn few_rows_split_the_keys() {
        let desc = AttentionDesc { heads: 32, kv_heads: 4, seq_q: 1, seq_kv: 8192, ..Default::default() };
        assert_eq!(split_keys(&desc, TILED, 4), 256);
        assert_eq!(split_keys(&desc, TILED, 100), 8192);
        assert_eq!(split_keys(&desc, SHUFFLE, 4), 4096);
        let short = AttentionDesc { seq_kv: 700, ..desc.clone() };
        assert_eq!(split_keys(&short, TILED, 4), 352);
        assert_eq!(split_keys(&AttentionDesc { sequences: Some(3), ..desc }, TILED, 4), 8192);
    }
}
