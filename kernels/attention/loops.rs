//! The shaders that form attention's sums, one for each variant.

use super::choice::{self, Cooperative};
use super::options::hides;
use super::stages::Call;
use crate::Capabilities;
use crate::kernel::Variant;
use crate::recipe::StageBuilder;
use langevin_reference::Format;

impl Call<'_> {
    /// The shader that forms the sums.
    pub(super) fn sums(&self, builder: StageBuilder, capabilities: &Capabilities) -> StageBuilder {
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
    pub(super) fn loop_iterations(&self) -> usize {
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
