use super::{AXES, Part, Steps, TILES, U, halo, shift};
use crate::Capabilities;
use crate::recipe::{Stage, by_units};
use langevin_reference::GridAxis;

/// Invocations of a workgroup.
const INVOCATIONS: usize = 256;

/// A tile in workgroup memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Tile {
    /// Quads of four columns.
    quads: usize,
    /// Rows of an invocation.
    rows: usize,
}

impl Tile {
    /// The larger a tile, the less of it is done twice: of 64 x 64 cells eight steps keep 56 in 100, of 128 x 96 73. The
    /// last fills the 48 KiB that NVIDIA's Vulkan drivers offer.
    const ALL: [Self; 3] =
        [Self { quads: 32, rows: 12 }, Self { quads: 32, rows: 8 }, Self { quads: 16, rows: 4 }];

    fn height(self) -> usize {
        INVOCATIONS / self.quads * self.rows
    }

    fn bytes(self) -> u32 {
        (16 * self.quads * self.height()) as u32
    }

    /// The largest that fits; every device has the 16 KiB of the last.
    fn choose(capabilities: &Capabilities) -> Self {
        let limit = capabilities.limits.max_compute_workgroup_storage_size;
        Self::ALL.into_iter().find(|tile| tile.bytes() <= limit).unwrap_or(Self::ALL[2])
    }
}

impl Steps {
    pub(super) fn tiles(&self, part: &Part, capabilities: &Capabilities) -> Stage {
        let [x, y, _] = part.three_axes();
        let (width, height) = (x.extent, y.extent);
        let (tile, halo) = (Tile::choose(capabilities), halo(self.count));
        let tiles_x = width.div_ceil(4 * tile.quads - 2 * halo);
        let tiles_y = part.kept.len().div_ceil(tile.height() - 2 * self.count);
        let has_faces = |axis: &GridAxis| !axis.periodic();
        let mut builder = self
            .on(part)
            .constant("TILE_QUADS", tile.quads as u32)
            .constant("TILE_ROWS", tile.height() as u32)
            .constant("ROWS", tile.rows as u32)
            .constant("STEPS", self.count as u32)
            .constant("HALO", halo as u32)
            .flag("FACES_X", has_faces(&x))
            .flag("FACES_Y", has_faces(&y))
            .size("width", width)
            .size("height", height)
            .size("u_pitch", self.pitch("u"))
            .size("out_pitch", self.pitch("out"))
            .size("y_first", part.kept.start)
            .size("y_end", part.kept.end)
            .size("tiles_x", tiles_x)
            .size("tiles_y", tiles_y)
            .size("shift_x", shift(width, halo))
            .size("shift_y", shift(height, self.count));
        for ((axis, weight), names) in [x, y].iter().zip(self.axis_weights()).zip(&AXES) {
            builder = names.edges(builder, axis, weight);
        }
        let words = by_units(width);
        self.reads(builder, part, &U, words)
            .writes_by("out", words)
            .part_for("out", "stored", include_str!("../../shaders/shared/stored.wgsl"))
            .part("finish", self.text())
            .part(TILES.name, include_str!("../../shaders/shared/stencil_tiles.wgsl"))
            .groups((tiles_x * tiles_y * part.items) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_tile_that_fits_is_taken() {
        let of = |kib: u32| {
            let mut capabilities = Capabilities::minimal();
            capabilities.limits.max_compute_workgroup_storage_size = kib << 10;
            Tile::choose(&capabilities)
        };
        assert_eq!([of(16), of(32), of(48)].map(Tile::bytes), [16 << 10, 32 << 10, 48 << 10]);
        assert_eq!([of(16), of(47), of(64)].map(Tile::height), [64, 64, 96]);
    }
}
