//! The loops that form the sums of a product, one for each way to divide it.

use super::choice::{self, Cooperative, Tile};
use super::parts::Axis;
use super::shape::{Kind, segment};
use super::stages::Product;
use crate::recipe::{Stage, StageBuilder};

const RASTER: &str = include_str!("../../shaders/shared/matmul_raster.wgsl");

impl Product<'_> {
    /// Adds the shader that forms the sums.
    pub(super) fn sums(&self, builder: StageBuilder) -> Stage {
        let (desc, shape) = (self.desc, self.shape);
        let segment = segment(desc);
        let pairs = u32::from(desc.pair.is_some());
        let depths = self.part.size[Axis::Depth];
        let depth = self.slice_depth.min(depths);
        let [tiles_m, tiles_n] = shape.grid(&self.part);
        let builder = builder
            .constant("PAIRS", pairs)
            .constant("SINGLES", 1 - pairs)
            .flag("SEGMENTED", segment.is_some())
            .size("slice_depth", self.slice_depth)
            .size("segment", segment.unwrap_or(self.slice_depth))
            .size("tiles_m", tiles_m)
            .size("tiles_n", tiles_n)
            .size("tile_columns", shape.tile_columns)
            .size("half_step", shape.half_step);
        let segments = segment.map_or(1, |segment| depth.div_ceil(segment));
        let (builder, iterations) = match shape.kind {
            Kind::Tiled(tile) => self.tiled(builder, tile, depth),
            Kind::Vector { rows, column_lanes, depth_lanes, halves, quads } => {
                let builder = builder
                    .constant("ROWS", rows)
                    .constant("HALVES", halves)
                    .constant("COLUMN_HALVES", if pairs == 1 { 1 } else { halves })
                    .constant("COLUMN_LANES", column_lanes)
                    .constant("DEPTH_LANES", depth_lanes)
                    .constant("QUADS", quads.max(1))
                    .constant("ANY_VECTORS", quads.min(1));
                (
                    self.vector(builder),
                    depth.div_ceil(4 * depth_lanes as usize) + 8 * (rows * halves) as usize,
                )
            }
            Kind::Cooperative(cooperative) => {
                let steps = (cooperative.depth / cooperative.size) as usize;
                let tiles = depth.div_ceil(cooperative.depth as usize);
                (self.cooperative(builder, cooperative), tiles * (steps + 2))
            }
            Kind::Shuffle { rows, halves } => (self.shuffle(builder, rows, halves), depth.div_ceil(4)),
            Kind::Broadcast { rows } => {
                let text = include_str!("../../shaders/matmul_broadcast.wgsl");
                let builder = builder.constant("ROWS", rows).constant("HALVES", 1 + pairs);
                (builder.part("matmul_broadcast", text), depth.div_ceil(4))
            }
        };
        let tiles = shape.tiles(&self.part).saturating_mul(self.slices);
        // A segment's own loop has an end, and what is drained after it.
        builder.loop_iterations(iterations + 3 * segments).groups(tiles as u64)
    }

    fn tiled(&self, builder: StageBuilder, tile: Tile, depth: usize) -> (StageBuilder, usize) {
        let builder = builder
            .constant("ROWS", tile.rows)
            .constant("COLUMNS", tile.columns)
            .constant("ROW_LANES", tile.row_lanes)
            .constant("COLUMN_LANES", tile.column_lanes);
        let builder = builder.part("matmul_raster", RASTER);
        // Depths of a tile: F16 takes half the memory of F32, and large tiles bring few blocks to an invocation.
        let large = tile.row_lanes * tile.column_lanes >= 256;
        let tile_k =
            if self.variant == choice::DOT4 || large && self.variant == choice::TILED_F16 { 32 } else { 16 };
        let blocks = tile.row_lanes * tile.rows + tile.column_lanes * tile.columns;
        let fetches = tile_k / 4 * blocks / (tile.row_lanes * tile.column_lanes);
        let builder = builder.constant("FETCHES", fetches);
        // The loop over a tile's depths, or words of four, counts with its end.
        let steps = if self.variant == choice::DOT4 { tile_k / 4 } else { tile_k };
        let iterations = depth.div_ceil(tile_k as usize) * (steps as usize + 2);
        if self.variant == choice::DOT4 {
            let text = include_str!("../../shaders/matmul_dot4.wgsl");
            return (builder.part("matmul_dot4", text), iterations);
        }
        let builder = if self.variant == choice::TILED_F16 {
            let text = include_str!("../../shaders/shared/tile_f16.wgsl");
            builder.enable("f16").part("tile_f16", text)
        } else {
            builder.part("tile_f32", include_str!("../../shaders/shared/tile_f32.wgsl"))
        };
        let text = include_str!("../../shaders/matmul_tiled.wgsl");
        (builder.constant("TILE_K", tile_k).part("matmul_tiled", text), iterations)
    }

    fn shuffle(&self, builder: StageBuilder, rows: u32, halves: u32) -> StageBuilder {
        let words = self.desc.a.format.bytes() as u32;
        let rows_per_gather = 8 / words;
        builder
            .constant("ROWS", rows)
            .constant("HALVES", halves)
            .constant("COLUMN_HALVES", if self.desc.pair.is_some() { 1 } else { halves })
            .constant("WORDS", words)
            .constant("PER_WORD", 4 / words)
            .constant("GATHERS", rows.div_ceil(rows_per_gather))
            .constant("ROWS_PER_GATHER", rows_per_gather)
            .constant("GATHERED_ROWS", rows.min(rows_per_gather))
            .part("matmul_shuffle", include_str!("../../shaders/matmul_shuffle.wgsl"))
    }

    fn vector(&self, builder: StageBuilder) -> StageBuilder {
        let (name, text) = match self.variant {
            choice::VECTOR_SUBGROUP => {
                ("merge_subgroup", include_str!("../../shaders/shared/matmul_merge_subgroup.wgsl"))
            }
            choice::VECTOR_LANES => {
                ("merge_lanes", include_str!("../../shaders/shared/matmul_merge_lanes.wgsl"))
            }
            _ => ("merge_tree", include_str!("../../shaders/shared/matmul_merge_tree.wgsl")),
        };
        builder.part(name, text).part("matmul_vector", include_str!("../../shaders/matmul_vector.wgsl"))
    }

    fn cooperative(&self, builder: StageBuilder, cooperative: Cooperative) -> StageBuilder {
        let (name, text) = if cooperative.size == 8 {
            ("coop8", include_str!("../../shaders/shared/coop8.wgsl"))
        } else {
            ("coop16", include_str!("../../shaders/shared/coop16.wgsl"))
        };
        let (cell_name, cell) = if cooperative.cell == 1 {
            ("coop_scalars", include_str!("../../shaders/shared/coop_scalars.wgsl"))
        } else {
            ("coop_vectors", include_str!("../../shaders/shared/coop_vectors.wgsl"))
        };
        let strip_tiles = cooperative.strip_tiles();
        builder
            .proven()
            .enable("wgpu_cooperative_matrix")
            .constant("SUBGROUP", cooperative.subgroup)
            .constant("SUBGROUPS_M", cooperative.subgroups[0])
            .constant("SUBGROUPS_N", cooperative.subgroups[1])
            .constant("TILES_M", cooperative.tiles[0])
            .constant("TILES_N", cooperative.tiles[1])
            .constant("HALF_TILES", cooperative.tiles[1] / 2)
            .constant("STRIP_TILES", strip_tiles)
            .constant("PASSES", cooperative.tiles[1] / 2 / strip_tiles)
            .constant("SHARE", cooperative.share())
            .constant("TILE_K", cooperative.depth)
            .constant("CELLS", 8 / cooperative.cell)
            .constant("A_FETCHES", cooperative.fetches(cooperative.rows()))
            .constant("B_FETCHES", cooperative.fetches(cooperative.columns()))
            .part(name, text)
            .part(cell_name, cell)
            .part("matmul_raster", RASTER)
            .part("matmul_cooperative", include_str!("../../shaders/matmul_cooperative.wgsl"))
    }
}
