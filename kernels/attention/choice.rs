//! Which shader, which tile, how many splits of the keys: pure functions of the descriptor and the device's capabilities.

use crate::kernel::Variant;
use crate::{AttentionDesc, Capabilities, Tier};
use langevin_gpu::CoopShape;

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

pub(super) const COOPERATIVE: Variant = Variant {
    name: "cooperative",
    tier: Tier::Cooperative,
    reason: "matrix units do several times the work of the others. \
             16 heads of 4096 x 128 f16 on an H200: 1.6 ms, 86 TFLOP/s; tiled_subgroup 7.4",
};

pub(super) const TILED_F16: Variant = Variant {
    name: "tiled_f16",
    tier: Tier::F16,
    reason: "f16 holds q, k and v, in half the workgroup memory: to be asked for by name. \
             16 heads of 4096 x 128 on an H200: 7.6 ms; tiled 7.4",
};

pub(super) const TILED_SUBGROUP: Variant = Variant {
    name: "tiled_subgroup",
    tier: Tier::Subgroup,
    reason: "lanes compare by shuffles, two barriers fewer to a tile. \
             16 heads of 4096 x 128 f16 on an H200: 7.38 ms; tiled 7.44",
};

pub(super) const TILED: Variant = Variant {
    name: "tiled",
    tier: Tier::Portable,
    reason: "runs everywhere. 16 heads of 4096 x 128 f32 on an H200: 7.4 ms, 19 TFLOP/s",
};

/// The order of preference: the first whose tier the device has and whose condition holds is taken. Those after `TILED` are
/// there to be asked for by name.
pub(super) fn variants(desc: &AttentionDesc, capabilities: &Capabilities) -> Vec<Variant> {
    let cooperates = cooperates(desc, capabilities);
    let order = [
        (SHUFFLE, shuffles(capabilities)),
        (BROADCAST, true),
        (COOPERATIVE, cooperates && fills_matrices(desc)),
        (TILED_SUBGROUP, has_eights(capabilities)),
        (TILED, true),
        (TILED_F16, desc.fits_f16()),
        (COOPERATIVE, cooperates && !fills_matrices(desc)),
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

/// The cooperative shader computes it: weights that carry the scales of values by key would not be those of f16.
fn cooperates(desc: &AttentionDesc, capabilities: &Capabilities) -> bool {
    desc.fits_f16() && !is_by_token(desc.v.scale) && Cooperative::of(desc, capabilities).is_some()
}

/// Fewer rows would leave most of a tile of matrices empty, and wait for the keys. How many there are must not matter where
/// rows keep their bits.
fn fills_matrices(desc: &AttentionDesc) -> bool {
    rows(desc) > 16 || desc.batch_invariant
}

/// Whether every token has a scale of its own.
pub(super) fn is_by_token(scale: Option<[usize; 3]>) -> bool {
    scale.is_some_and(|[.., seq]| seq > 1)
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
    /// Invocations of a workgroup.
    pub(super) lanes: usize,
}

/// Up to that many rows a larger tile would be mostly empty.
const FEW_ROWS: usize = 64;

impl Tile {
    pub(super) fn of(desc: &AttentionDesc, variant: Variant, capabilities: &Capabilities) -> Self {
        if variant == COOPERATIVE
            && let Some(cooperative) = Cooperative::of(desc, capabilities)
        {
            let (rows, lanes) = (cooperative.rows() as usize, cooperative.lanes() as usize);
            return Self { rows, keys: KEYS as usize, columns: MOST_DIMS, lanes };
        }
        // How many rows there are must not matter where rows keep their bits.
        let few = rows(desc) <= FEW_ROWS && !desc.batch_invariant;
        match variant {
            SHUFFLE if few => Self { rows: 8, keys: 32, columns: 128, lanes: 8 },
            // What is read of a key serves all rows; many that are not there would cost more.
            SHUFFLE if desc.batch_invariant => Self { rows: 16, keys: 32, columns: 128, lanes: 8 },
            SHUFFLE => Self { rows: 32, keys: 32, columns: 128, lanes: 8 },
            BROADCAST => Self { rows: 8, keys: 8, columns: 64, lanes: 8 },
            // More columns in registers than 128 would be spilled.
            _ if few => Self { rows: 16, keys: 32, columns: 128, lanes: 32 },
            _ => Self { rows: 64, keys: 32, columns: 128, lanes: 128 },
        }
    }
}

/// Keys of a block of the cooperative shader, a quarter of which every invocation of a row takes at a time.
const KEYS: u32 = 32;
/// The longest keys and values whose matrices stay in registers.
const MOST_DIMS: usize = 128;

/// How the cooperative shader spreads a tile.
///
/// With matrices of 16 x 16 and subgroups of 32 an invocation holds 8 registers of sums for each 16 columns of its share of the
/// values, 4 of queries for each 16 dims, and up to 8 of what it brings: 128 x 128 take about 72 and the softmax. Workgroup
/// memory is 37 KiB then. One subgroup to a block of rows took an H200 1.83 ms where two take 1.61.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cooperative {
    /// Rows, columns and depth of a matrix.
    pub(super) size: u32,
    /// Invocations of a subgroup.
    pub(super) subgroup: u32,
    /// Blocks of rows of a workgroup.
    pub(super) blocks: u32,
    /// Matrices below each other that a subgroup's rows fill.
    pub(super) row_tiles: u32,
    /// Matrices side by side that the dims of a query fill.
    pub(super) depths: u32,
    /// Matrices side by side that a subgroup's share of the columns of the values fills, with those that fill the last pass
    /// through the strip.
    pub(super) columns: u32,
    /// Of them, those that pass through the strip at a time: up to 32 columns of all sides.
    pub(super) wide_tiles: u32,
    /// Elements to a cell of workgroup memory: four are written at once; Metal loads matrices from single ones only.
    pub(super) cell: u32,
}

impl Cooperative {
    /// A line of 32 scores or weights, longer by what puts the lines below each other into other banks.
    pub(super) const LINE: u32 = KEYS + 8;

    /// Subgroups that take a block of rows together: each has its share of the keys and of the columns. With two of them an
    /// invocation holds half the sums and half of what it brings.
    pub(super) const SIDES: u32 = 2;

    /// For the largest matrices the device has; needs subgroups of one known size, and memory for the tile.
    pub(super) fn of(desc: &AttentionDesc, capabilities: &Capabilities) -> Option<Self> {
        let &CoopShape { size } = capabilities.coop.first()?;
        let (subgroup, largest) = capabilities.subgroup_sizes;
        let dims = desc.head_dim.max(desc.v_dim);
        if subgroup != largest || !has_eights(capabilities) || dims > MOST_DIMS {
            return None;
        }
        let columns = (desc.v_dim as u32).div_ceil(size * Self::SIDES);
        // Those that fill the passes through a strip.
        let wide_tiles = columns.min(KEYS / size / Self::SIDES);
        let tile = |blocks| Self {
            size,
            subgroup,
            blocks,
            // Small subgroups have fewer registers together.
            row_tiles: if subgroup < 32 { 1 } else { 16 / size },
            depths: (desc.head_dim as u32).div_ceil(size),
            columns: columns.next_multiple_of(wide_tiles.max(1)),
            wide_tiles,
            cell: if capabilities.backend == wgpu::Backend::Metal { 1 } else { 4 },
        };
        [4, 2].map(tile).into_iter().find(|tile| tile.fits(&capabilities.limits))
    }

    fn fits(&self, limits: &wgpu::Limits) -> bool {
        self.bytes() <= limits.max_compute_workgroup_storage_size
            && self.lanes() <= limits.max_compute_invocations_per_workgroup
            && self.lanes() <= limits.max_compute_workgroup_size_x
            && self.subgroup.is_multiple_of(8)
            && (1..=8).contains(&self.own_rows())
            && (self.subgroup_rows() * 8).is_multiple_of(self.subgroup * Self::SIDES)
    }

    const fn lanes(&self) -> u32 {
        self.subgroup * self.subgroups()
    }

    /// Subgroups of a workgroup.
    pub(super) const fn subgroups(&self) -> u32 {
        self.blocks * Self::SIDES
    }

    const fn subgroup_rows(&self) -> u32 {
        self.size * self.row_tiles
    }

    /// Rows of a workgroup's tile.
    pub(super) const fn rows(&self) -> u32 {
        self.subgroup_rows() * self.blocks
    }

    /// Rows of which one invocation has four keys.
    pub(super) const fn own_rows(&self) -> u32 {
        self.subgroup_rows() * 8 / self.subgroup / Self::SIDES
    }

    /// Matrices of keys whose sums a subgroup computes side by side: all of its own, or one where code is dear.
    pub(super) const fn key_tiles(&self) -> u32 {
        if self.subgroup < 32 { 1 } else { KEYS / self.size / Self::SIDES }
    }

    /// How often an invocation brings eight elements of 32 rows of so many matrices.
    pub(super) const fn fetches(&self, matrices: u32) -> u32 {
        (KEYS * matrices * self.size / 8).div_ceil(self.lanes())
    }

    /// Workgroup memory: keys and values or queries, two weights of f16, a strip of f32, and a few words.
    const fn bytes(&self) -> u32 {
        let (k_line, v_line) = (self.depths * self.size + 8, Self::SIDES * self.columns * self.size + 8);
        let (blocks, queries) = (KEYS * (k_line + v_line), self.rows() * k_line);
        let staged = if blocks > queries { blocks } else { queries };
        2 * staged + self.rows() * (8 * Self::LINE + 4) + 32
    }
}

/// The rows of one kv head.
pub(super) fn rows(desc: &AttentionDesc) -> usize {
    desc.seq_q * (desc.heads / desc.kv_heads)
}

/// Invocations of all workgroups: a GPU hides what one subgroup waits for behind others. An H200 took for 32 heads over 4 of
/// 8192 keys 190 us in 128 workgroups of 32 and 61 in 512, for 2 heads of 4096 x 64 956 us at 16 Ki invocations, 531 at 32
/// Ki, 494 at 128 Ki and 497 at 256 Ki.
const WANTED_LANES: usize = 128 << 10;
/// A cooperative tile waits less: the H200 took for 16 heads of 256 x 72 28.3 us at 16 Ki, 22.5 at 32 Ki, 27.4 at 64 Ki.
const WANTED_COOPERATIVE_LANES: usize = 32 << 10;
/// A CPU's threads share few workgroups.
const WANTED_GROUPS_OF_CPU: usize = 8;
/// Keys short of which a split is not worth its part of the second dispatch: on the H200 splits of 32 took longer.
const LEAST_SPLIT: usize = 64;
const LEAST_SPLIT_OF_CPU: usize = 256;
const MOST_SPLITS: usize = 256;

/// How many keys a split takes, when there are that many workgroups without splits; all where it is not worth it.
pub(super) fn split_keys(desc: &AttentionDesc, variant: Variant, tile: Tile, groups: usize) -> usize {
    let whole = desc.seq_kv.max(1);
    // Sequences are many, and what a window shows lies in few places.
    if desc.batch_invariant || desc.sequences.is_some() || desc.band().left.is_some() || groups == 0 {
        return whole;
    }
    let (wanted, least) = match variant.tier {
        Tier::Software => (WANTED_GROUPS_OF_CPU, LEAST_SPLIT_OF_CPU),
        Tier::Cooperative => (WANTED_COOPERATIVE_LANES / tile.lanes, LEAST_SPLIT),
        _ => (WANTED_LANES / tile.lanes, LEAST_SPLIT),
    };
    let splits = (wanted / groups).min(desc.seq_kv / least).clamp(1, MOST_SPLITS);
    whole.div_ceil(splits).next_multiple_of(tile.keys).min(whole)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Format;

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
        assert_eq!(names(Format::F16, &capabilities), ["tiled", "tiled_f16"]);
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
            let tile = Tile::of(&desc, variant, &nvidia());
            (tile, split_keys(&desc, variant, tile, batch * seq_q.div_ceil(16)))
        };
        for variant in [SHUFFLE, BROADCAST, COOPERATIVE, TILED_F16, TILED_SUBGROUP, TILED] {
            assert_eq!(choose(1, 1, variant), choose(1000, 7, variant));
            assert_eq!(choose(1, 1, variant).1, 5000);
        }
    }

    #[test]
    fn few_rows_split_the_keys() {
        let desc = AttentionDesc { heads: 32, kv_heads: 4, seq_q: 1, seq_kv: 8192, ..Default::default() };
        let split = |desc: &AttentionDesc, variant, groups| {
            split_keys(desc, variant, Tile::of(desc, variant, &nvidia()), groups)
        };
        assert_eq!(split(&desc, TILED, 4), 64);
        assert_eq!(split(&desc, TILED, 5000), 8192);
        assert_eq!(split(&desc, SHUFFLE, 4), 4096);
        let short = AttentionDesc { seq_kv: 700, ..desc.clone() };
        assert_eq!(split(&short, TILED, 4), 96);
        assert_eq!(split(&AttentionDesc { sequences: Some(3), ..desc }, TILED, 4), 8192);
    }

    fn nvidia() -> Capabilities {
        let mut capabilities = Capabilities::minimal();
        capabilities.features = wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP;
        capabilities.subgroup_sizes = (32, 32);
        capabilities.coop = vec![CoopShape { size: 16 }];
        capabilities.limits.max_compute_workgroup_storage_size = 48 << 10;
        capabilities
    }

    fn halves(seq_q: usize, head_dim: usize, v_dim: usize) -> AttentionDesc {
        let [q, k, v] = [Format::F16, Format::E4m3, Format::I8].map(Into::into);
        AttentionDesc { q, k, v, seq_q, seq_kv: 100, head_dim, v_dim, ..Default::default() }
    }

    #[test]
    fn matrices_are_preferred_where_rows_fill_them() {
        let names = |desc: &AttentionDesc| -> Vec<_> {
            variants(desc, &nvidia()).iter().map(|variant| variant.name).collect()
        };
        let first = ["cooperative", "tiled_subgroup", "tiled", "tiled_f16"];
        assert_eq!(names(&halves(17, 128, 128)), first);
        let few = ["tiled_subgroup", "tiled", "tiled_f16", "cooperative"];
        assert_eq!(names(&halves(16, 128, 128)), few);
        assert_eq!(names(&AttentionDesc { batch_invariant: true, ..halves(1, 64, 64) }), first);
        let without = ["tiled_subgroup", "tiled", "tiled_f16"];
        assert_eq!(names(&halves(100, 129, 64)), without);
        assert_eq!(names(&halves(100, 64, 129)), without);
        let mut by_key = halves(100, 64, 64);
        by_key.v.scale = Some([1, 1, 100]);
        assert_eq!(names(&by_key), without);
        let wide = AttentionDesc { k: Format::F32.into(), ..halves(100, 64, 64) };
        assert_eq!(names(&wide), ["tiled_subgroup", "tiled"]);
    }

    #[test]
    fn cooperative_tiles_fit_the_device() {
        let tile = |size, subgroup, kib: u32, dims| {
            let mut capabilities = nvidia();
            capabilities.coop = vec![CoopShape { size }];
            capabilities.subgroup_sizes = (subgroup, subgroup);
            capabilities.limits.max_compute_workgroup_storage_size = kib << 10;
            let tile = Cooperative::of(&halves(100, dims, dims), &capabilities)?;
            Some([tile.rows(), tile.lanes(), tile.own_rows(), tile.bytes()])
        };
        assert_eq!(tile(16, 32, 48, 128), Some([64, 256, 2, 38_176]));
        assert_eq!(tile(16, 32, 48, 64), Some([64, 256, 2, 29_984]));
        // Half the rows where memory is less, and nothing at last.
        assert_eq!(tile(16, 32, 32, 128), Some([32, 128, 2, 27_808]));
        assert_eq!(tile(16, 32, 16, 128), None);
        assert_eq!(tile(16, 64, 48, 128), Some([32, 256, 1, 27_808]));
        assert_eq!(tile(8, 32, 48, 128), Some([64, 256, 2, 38_176]));
        assert_eq!(tile(8, 8, 32, 128), Some([32, 64, 4, 27_808]));
        assert_eq!(tile(8, 8, 16, 64), Some([16, 32, 4, 14_432]));
        // A subgroup of so many would share its rows with nobody.
        assert_eq!(tile(8, 128, 48, 64), None);
        let mut varying = nvidia();
        varying.subgroup_sizes = (32, 64);
        assert_eq!(Cooperative::of(&halves(100, 64, 64), &varying), None);
    }
}
