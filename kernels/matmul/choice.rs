//! Which shader, which tile, how many slices: pure functions of the descriptor and the device's capabilities.

use crate::kernel::Variant;
use crate::recipe::compiles_long_code;
use crate::{Capabilities, Format, MatmulDesc, Tier};
use langevin_gpu::CoopShape;

pub(super) const VECTOR_LANES: Variant = Variant {
    name: "vector_lanes",
    tier: Tier::Software,
    reason: "one row on a CPU, and k is contiguous in B: lanes are depths, and nothing is shuffled. \
             1 x 4096 x 4096 on llvmpipe 26.1.6, a thread: i8 3.8 ms, f32 10.8; shuffle 13.6 and 12.8",
};

pub(super) const SHUFFLE: Variant = Variant {
    name: "shuffle",
    tier: Tier::Software,
    reason: "the adapter is a CPU, where a shuffle spreads an element in one instruction and a load in a dozen. \
             512^3 on llvmpipe 26.1.6, a thread: f32 36 GFLOP/s, f16 41; broadcast 21 and 19",
};

pub(super) const BROADCAST: Variant = Variant {
    name: "broadcast",
    tier: Tier::Software,
    reason: "the adapter is a CPU, where barriers cost more than re-reading. \
             512^3 f32 on llvmpipe 26.1.6: 22 GFLOP/s; tiled 5",
};

pub(super) const VECTOR_SUBGROUP: Variant = Variant {
    name: "vector_subgroup",
    tier: Tier::Subgroup,
    reason: "few rows, and k is contiguous in B: subgroups add up without barriers. \
             1 x 8192 x 16384 on an H200: f16 67 us, i8 44, e4m3 47; 4.0, 3.1 and 2.9 TB/s",
};

pub(super) const VECTOR: Variant = Variant {
    name: "vector",
    tier: Tier::Portable,
    reason: "few rows: bound by reading B once. 1 x 4096 x 4096 f32 on an H200: 28 us",
};

pub(crate) const COOPERATIVE: Variant = Variant {
    name: "cooperative",
    tier: Tier::Cooperative,
    reason: "matrix units do several times the work of the others. \
             4096^3 f16 on an H200: 0.57 ms; tiled 4.2, tiled_f16 4.4",
};

pub(super) const DOT4: Variant = Variant {
    name: "dot4",
    tier: Tier::Dot4,
    reason: "four products of I8 in one instruction. Not measured on a GPU",
};

pub(crate) const TILED_F16: Variant = Variant {
    name: "tiled_f16",
    tier: Tier::F16,
    reason: "f16 holds both operands, in half the workgroup memory: to be asked for by name. \
             4096^3 on an H200: 4.4 ms; tiled 4.2",
};

pub(crate) const TILED: Variant = Variant {
    name: "tiled",
    tier: Tier::Portable,
    reason: "runs everywhere. 4096^3 f32 on an H200: 3.9 ms, 36 TFLOP/s",
};

/// One line of the table of choices.
struct Choice {
    variant: Variant,
    /// Whether the variant computes such a product, or is to be preferred here.
    when: fn(&MatmulDesc, &Capabilities) -> bool,
}

/// The order of preference; a variant's reason holds the measurement that put it there. The first line whose tier the
/// device has and whose condition holds is taken. Lines from `TILED` on are there to be asked for by name.
const CHOICES: [Choice; 11] = [
    Choice {
        variant: VECTOR_LANES,
        when: |desc, capabilities| is_row_by_columns(desc) && shuffles(capabilities),
    },
    Choice { variant: SHUFFLE, when: |desc, capabilities| !desc.a.transposed && shuffles(capabilities) },
    Choice { variant: BROADCAST, when: |_, capabilities| compiles_long_code(capabilities) },
    Choice { variant: VECTOR_SUBGROUP, when: |desc, _| has_few_rows(desc) && desc.b.transposed },
    Choice { variant: VECTOR, when: |desc, _| has_few_rows(desc) },
    Choice {
        variant: COOPERATIVE,
        when: |desc, capabilities| fits_f16(desc) && is_cooperative(desc, capabilities),
    },
    Choice {
        variant: DOT4,
        when: |desc, capabilities| desc.is_integer() && compiles_long_code(capabilities),
    },
    Choice { variant: TILED, when: |_, _| true },
    Choice { variant: TILED_F16, when: |desc, _| fits_f16(desc) },
    Choice { variant: VECTOR_SUBGROUP, when: |desc, _| !desc.batch_invariant && desc.b.transposed },
    Choice { variant: VECTOR, when: |desc, _| !desc.batch_invariant },
];

pub(super) fn variants(desc: &MatmulDesc, capabilities: &Capabilities) -> Vec<Variant> {
    let mut variants: Vec<Variant> = Vec::new();
    for Choice { variant, when } in &CHOICES {
        if capabilities.has(variant.tier) && when(desc, capabilities) && !variants.contains(variant) {
            variants.push(*variant);
        }
    }
    variants
}

/// Up to that many rows a product is bound by reading B, not by arithmetic.
const FEW_ROWS: usize = 8;

/// How many rows there are must not matter where rows keep their bits.
fn has_few_rows(desc: &MatmulDesc) -> bool {
    desc.m <= FEW_ROWS && !desc.batch_invariant
}

/// One row, times columns whose depths are neighbours.
fn is_row_by_columns(desc: &MatmulDesc) -> bool {
    desc.m == 1 && desc.b.transposed && !desc.batch_invariant
}

/// Subgroups of eight, whose lanes hold a word of A each; conversions of F16, which decode two codes of 8 bits at once.
fn shuffles(capabilities: &Capabilities) -> bool {
    let features = capabilities.has(Tier::Subgroup) && capabilities.has(Tier::F16);
    features && capabilities.subgroup_sizes == (8, 8)
}

/// f16 holds every element of both operands, its zero point taken off.
fn fits_f16(desc: &MatmulDesc) -> bool {
    desc.a.format.fits_f16() && desc.b.format.fits_f16()
}

/// The device has cooperative matrices, and the memory for their tiles.
pub(crate) fn is_cooperative(desc: &MatmulDesc, capabilities: &Capabilities) -> bool {
    Cooperative::of(desc, capabilities).is_some()
}

/// How many blocks of four depths of a column of B the vector shaders read at a time: 16 bytes; none where columns are no
/// neighbours in memory, or f16 does not hold their elements.
pub(super) fn quads(desc: &MatmulDesc, variant: Variant, capabilities: &Capabilities) -> u32 {
    let reads = variant != VECTOR_LANES && desc.b.transposed && capabilities.has(Tier::F16);
    match desc.b.format {
        Format::F16 if reads => 2,
        Format::E4m3 | Format::E5m2 | Format::I8 if reads => 4,
        _ => 0,
    }
}

/// How a tiled shader spreads a tile: lanes, and blocks of 4 x 4 to a lane, each along rows and columns.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Tile {
    pub(super) row_lanes: u32,
    pub(super) column_lanes: u32,
    pub(super) rows: u32,
    pub(super) columns: u32,
}

/// 32 x 32, 64 x 64 and 128 x 128. 4096^3 f32 on an H200: the last takes 3.9 ms; with 8 x 16 lanes of 4 x 2 blocks 4.4, with
/// 8 x 8 lanes of 4 x 4 12.5.
const TILES: [Tile; 3] = [
    Tile { row_lanes: 8, column_lanes: 4, rows: 1, columns: 2 },
    Tile { row_lanes: 8, column_lanes: 8, rows: 2, columns: 2 },
    Tile { row_lanes: 16, column_lanes: 16, rows: 2, columns: 2 },
];

/// A large GPU has about that many places for workgroups (an H200 132); fewer tiles leave some empty.
const WANTED_GROUPS: usize = 128;

impl Tile {
    pub(super) fn m(&self) -> usize {
        (4 * self.row_lanes * self.rows) as usize
    }

    pub(super) fn n(&self) -> usize {
        (4 * self.column_lanes * self.columns) as usize
    }

    /// The largest tile of which there are enough, or the smallest.
    pub(super) fn of(desc: &MatmulDesc) -> Self {
        let enough = |tile: &&Self| tiles(desc, tile.m(), tile.n()) >= WANTED_GROUPS;
        *TILES.iter().rev().find(enough).unwrap_or(&TILES[0])
    }
}

/// How many tiles of that size; where rows must not matter, in one row of them.
fn tiles(desc: &MatmulDesc, tile_m: usize, tile_n: usize) -> usize {
    let columns = desc.b_columns().div_ceil(tile_n);
    if desc.batch_invariant { columns } else { desc.batch * desc.m.div_ceil(tile_m) * columns }
}

/// Workgroups of the vector shaders are small and wait for memory: 1 x 4096 x 4096 of f32 [k, n] took an H200 69 us in 128
/// workgroups, 28 in 512.
const WANTED_VECTOR_GROUPS: usize = 1024;
/// Of the smallest tile, whose invocations hold few sums: 512^3 of f32 took an H200 50 us in 256 workgroups, 30 in 512, 21 in
/// 1024, 256^3 27 us in 64 and 12 in 256.
const WANTED_SMALL_GROUPS: usize = 1024;
/// 1024^3 of f32 took an H200 148 us in 256 workgroups, 96 in 512, 118 in 1024.
const WANTED_TILED_GROUPS: usize = 512;
/// 256 x 4608 x 1152 of f16 took an H200 108 us in 72 workgroups, 44 in 216, 41 in 504; 1024^3 28.5 us in 256 and 33 in 512.
const WANTED_COOPERATIVE_GROUPS: usize = 256;
const MOST_SLICES: usize = 16;

/// Into how many slices k is cut, for that many tiles: a CPU keeps one.
pub(super) fn slices(desc: &MatmulDesc, variant: Variant, tiles: usize) -> usize {
    if desc.batch_invariant || variant.tier == Tier::Software || tiles == 0 {
        return 1;
    }
    // And the depth short of which a slice is not worth its dispatch.
    let (wanted, least) = match variant {
        VECTOR | VECTOR_SUBGROUP => (WANTED_VECTOR_GROUPS, 256),
        COOPERATIVE => (WANTED_COOPERATIVE_GROUPS, 128),
        _ if Tile::of(desc) == TILES[0] => (WANTED_SMALL_GROUPS, 64),
        _ => (WANTED_TILED_GROUPS, 64),
    };
    (wanted / tiles).min(desc.k / least).clamp(1, MOST_SLICES)
}

/// How the cooperative shader spreads a tile.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cooperative {
    /// Rows, columns and depth of a matrix.
    pub(super) size: u32,
    /// Invocations of a subgroup.
    pub(super) subgroup: u32,
    /// Subgroups of a workgroup along rows and along columns.
    pub(super) subgroups: [u32; 2],
    /// Matrices of a subgroup's block along rows and along columns.
    pub(super) tiles: [u32; 2],
    /// Depths that are staged at a time.
    pub(super) depth: u32,
    /// Elements to a cell of workgroup memory: four are written at once; Metal loads matrices from single ones only.
    pub(super) cell: u32,
}

impl Cooperative {
    /// For the largest matrices the device has; needs subgroups of one known size, and memory for the tiles.
    ///
    /// The largest tile of which there are enough, or the smallest. What a tile of R x C of f16 does for a byte that it
    /// reads is R C / (R + C): 128 x 256 do 85 operations, 128 x 128 64, 64 x 64 32. At 6 TB/s of a large GPU's L2 that
    /// allows 500, 400 and 200 TFLOP/s. A block of 64 x 64 to a subgroup of 32 holds 128 registers of sums. 4096^3 of f16 on
    /// an H200: 128 x 256 took 0.66 ms where 128 x 128 took 0.83; and 0.72 where 256 x 128 took 0.82, 128 x 128 in two
    /// buffers 1.23 and by blocks of 64 x 32 in two buffers 0.95.
    pub(super) fn of(desc: &MatmulDesc, capabilities: &Capabilities) -> Option<Self> {
        let &CoopShape { size } = capabilities.coop.first()?;
        let (subgroup, largest) = capabilities.subgroup_sizes;
        if subgroup != largest {
            return None;
        }
        // Small subgroups have fewer registers together; those of 8 belong to a CPU, where a block is many instructions.
        let block = if subgroup < 32 { 16 } else { 64 };
        let tile = |rows, columns, block: u32| Self {
            size,
            subgroup,
            subgroups: [rows, columns],
            tiles: [block / size; 2],
            depth: 32,
            cell: if capabilities.backend == wgpu::Backend::Metal { 1 } else { 4 },
        };
        let candidates = [tile(2, 4, block), tile(2, 2, block), tile(2, 2, block.min(32))];
        let mut fitting = candidates.into_iter().filter(|tile| tile.fits(&capabilities.limits));
        let enough =
            |tile: &Self| tiles(desc, tile.rows() as usize, tile.columns() as usize) >= WANTED_GROUPS;
        fitting.clone().find(enough).or(fitting.next_back())
    }

    fn fits(&self, limits: &wgpu::Limits) -> bool {
        let lanes = self.lanes();
        let shared_out = |elements: u32, lanes: u32| elements > 0 && elements.is_multiple_of(lanes);
        self.bytes() <= limits.max_compute_workgroup_storage_size
            && lanes <= limits.max_compute_invocations_per_workgroup
            && lanes <= limits.max_compute_workgroup_size_x
            && self.tiles[1].is_multiple_of(2)
            && (self.tiles[1] / 2).is_multiple_of(self.strip_tiles())
            && shared_out(self.size * self.strip() / 4, self.subgroup)
            && shared_out(self.rows() * self.depth / 8, lanes)
            && shared_out(self.columns() * self.depth / 8, lanes)
    }

    pub(super) const fn lanes(&self) -> u32 {
        self.subgroup * self.subgroups[0] * self.subgroups[1]
    }

    /// Rows of a workgroup's tile.
    pub(super) const fn rows(&self) -> u32 {
        self.size * self.tiles[0] * self.subgroups[0]
    }

    /// Columns of a workgroup's tile.
    pub(super) const fn columns(&self) -> u32 {
        self.size * self.tiles[1] * self.subgroups[1]
    }

    /// Half the columns of a subgroup's block.
    pub(super) const fn half(&self) -> u32 {
        self.size * self.tiles[1] / 2
    }

    /// Matrices that pass through memory side by side: as many as give every invocation of a subgroup a vector of four.
    pub(super) const fn strip_tiles(&self) -> u32 {
        (4 * self.subgroup).div_ceil(self.size * self.size)
    }

    const fn strip(&self) -> u32 {
        self.size * self.strip_tiles()
    }

    /// Vectors of four of a strip that one invocation finishes.
    pub(super) const fn share(&self) -> u32 {
        self.size * self.strip() / 4 / self.subgroup
    }

    /// How often an invocation brings eight elements of a tile with so many rows or columns.
    pub(super) const fn fetches(&self, across: u32) -> u32 {
        across * self.depth / 8 / self.lanes()
    }

    /// Workgroup memory: tiles of f16, whose lines are longer by eight, and a strip of f32 for every subgroup.
    const fn bytes(&self) -> u32 {
        let strips = self.size * self.strip() * self.subgroups[0] * self.subgroups[1];
        self.tile_bytes(self.rows()) + self.tile_bytes(self.columns()) + strips * 4
    }

    /// Lines of depths take more than lines of rows, for there are more of them, or as much.
    const fn tile_bytes(&self, across: u32) -> u32 {
        let (by_depth, by_row) = (across * (self.depth + 8), self.depth * (across + 8));
        2 * if by_depth > by_row { by_depth } else { by_row }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Operand, Pick};

    fn names(desc: &MatmulDesc, capabilities: &Capabilities) -> Vec<&'static str> {
        variants(desc, capabilities).iter().map(|variant| variant.name).collect()
    }

    fn product(m: usize, format: Format) -> MatmulDesc {
        MatmulDesc { m, k: 64, n: 64, a: format.into(), b: format.into(), ..Default::default() }
    }

    fn nvidia() -> Capabilities {
        let mut capabilities = Capabilities::minimal();
        capabilities.features = wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP;
        capabilities.subgroup_sizes = (32, 32);
        capabilities.coop = vec![CoopShape { size: 16 }];
        capabilities.limits.max_compute_workgroup_storage_size = 48 << 10;
        capabilities
    }

    #[test]
    fn every_product_runs_everywhere() {
        assert_eq!(names(&product(64, Format::F32), &Capabilities::minimal()), ["tiled", "vector"]);
        assert_eq!(names(&product(8, Format::F32), &Capabilities::minimal()), ["vector", "tiled"]);
        assert_eq!(names(&product(64, Format::I8), &Capabilities::minimal()), ["dot4", "tiled", "vector"]);
    }

    #[test]
    fn features_bring_variants() {
        let many = names(&product(64, Format::E4m3), &nvidia());
        assert_eq!(many, ["cooperative", "tiled", "tiled_f16", "vector"]);
        let transposed = Operand { transposed: true, ..Format::BF16.into() };
        let few = MatmulDesc { b: transposed, ..product(2, Format::F16) };
        assert_eq!(names(&few, &nvidia()), ["vector_subgroup", "vector", "tiled"]);
        let software = Capabilities { device_type: wgpu::DeviceType::Cpu, ..Capabilities::minimal() };
        assert_eq!(names(&product(64, Format::F32), &software), ["broadcast", "tiled", "vector"]);
    }

    /// What is chosen for one row must be chosen for a thousand.
    #[test]
    fn a_batch_invariant_choice_does_not_see_the_rows() {
        for capabilities in [Capabilities::minimal(), nvidia()] {
            for format in [Format::F32, Format::F16, Format::I8] {
                let choose = |m, batch| {
                    let desc =
                        MatmulDesc { batch_invariant: true, batch, k: 5000, n: 300, ..product(m, format) };
                    let variant = crate::choice(&desc, &capabilities, &Pick::Best).unwrap();
                    let tile = (Tile::of(&desc), Cooperative::of(&desc, &capabilities));
                    let tiles = batch * desc.m.div_ceil(tile.0.m()) * desc.n.div_ceil(tile.0.n());
                    (variant, tile, slices(&desc, variant, tiles))
                };
                assert_eq!(choose(1, 1), choose(1000, 1));
                assert_eq!(choose(1, 1), choose(3, 7));
            }
        }
    }

    #[test]
    fn tiles_grow_with_the_product_and_slices_fill_the_rest() {
        let size = |m, n| Tile::of(&MatmulDesc { n, ..product(m, Format::F32) }).m();
        assert_eq!([size(64, 64), size(1024, 512), size(2048, 2048)], [32, 64, 128]);
        let slices_of = |m, k, tiles| slices(&MatmulDesc { k, ..product(m, Format::F32) }, TILED, tiles);
        assert_eq!([slices_of(64, 4096, 4), slices_of(64, 300, 4), slices_of(64, 4096, 600)], [16, 4, 1]);
        let software = slices(&MatmulDesc { k: 4096, ..product(64, Format::F32) }, BROADCAST, 4);
        assert_eq!(software, 1);
    }

    #[test]
    fn swiftshader_takes_what_it_compiles() {
        let software = Capabilities { device_type: wgpu::DeviceType::Cpu, ..Capabilities::minimal() };
        let swiftshader = Capabilities { adapter: "SwiftShader Device (Subzero)".into(), ..software.clone() };
        let first = |desc: &MatmulDesc, capabilities| variants(desc, capabilities)[0];
        let floats = product(64, Format::F32);
        assert_eq!([first(&floats, &software), first(&floats, &swiftshader)], [BROADCAST, TILED]);
        let mut integers = product(64, Format::I8);
        integers.b.format = Format::I8;
        let offers = |capabilities| variants(&integers, capabilities).contains(&DOT4);
        assert_eq!([offers(&nvidia()), offers(&swiftshader)], [true, false]);
    }

    #[test]
    fn cooperative_tiles_fit_the_device_and_the_product() {
        let tile = |size, subgroup, kib: u32, m| {
            let mut capabilities = nvidia();
            capabilities.coop = vec![CoopShape { size }];
            capabilities.subgroup_sizes = (subgroup, subgroup);
            capabilities.limits.max_compute_workgroup_storage_size = kib << 10;
            let desc = MatmulDesc { n: m, ..product(m, Format::F16) };
            Cooperative::of(&desc, &capabilities).map(|tile| [tile.rows(), tile.columns(), tile.lanes()])
        };
        // A large GPU, for many tiles, fewer and few; the same with the memory of others.
        assert_eq!(
            [4096, 1536, 256].map(|m| tile(16, 32, 48, m)),
            [[128, 256, 256], [128, 128, 128], [64, 64, 128]].map(Some)
        );
        assert_eq!(tile(16, 32, 32, 4096), Some([128, 128, 128]));
        assert_eq!(tile(16, 32, 16, 4096), Some([64, 64, 128]));
        assert_eq!(tile(16, 64, 48, 2048), Some([128, 128, 256]));
        // 256 invocations at most.
        assert_eq!(tile(16, 64, 48, 4096), Some([128, 128, 256]));
        assert_eq!(tile(8, 32, 32, 4096), Some([128, 128, 128]));
        assert_eq!([4096, 128].map(|m| tile(8, 8, 32, m)), [[32, 64, 64], [32, 32, 32]].map(Some));
        assert_eq!(tile(16, 32, 8, 4096), None);
        let mut varying = nvidia();
        varying.subgroup_sizes = (32, 64);
        assert_eq!(Cooperative::of(&product(64, Format::F16), &varying), None);
    }
}
