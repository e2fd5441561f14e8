//! What a variant's shader is told about its tile.

use super::choice::{self, Cooperative, Tile};
use super::parts::{Axis, Part};
use crate::kernel::Variant;
use crate::{Capabilities, MatmulDesc};

/// A tile, and what it takes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    tile_rows: usize,
    /// Columns of `out` that a tile covers.
    pub(super) tile_columns: usize,
    /// From a column of a tile's first half to its partner in the second.
    pub(super) half_step: usize,
    /// Slices of k start at multiples of this.
    pub(super) segment_step: usize,
    pub(super) kind: Kind,
}

/// A tile of a kind of shader.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Tiled(Tile),
    Vector { rows: u32, column_lanes: u32, depth_lanes: u32, halves: u32, quads: u32 },
    Cooperative(Cooperative),
    Broadcast { rows: u32 },
    Shuffle { rows: u32, halves: u32 },
}

impl Shape {
    pub(super) fn of(desc: &MatmulDesc, variant: Variant, capabilities: &Capabilities) -> Self {
        let pair = desc.pair.is_some();
        let (kind, tile_m, tile_n, half) = match variant {
            choice::VECTOR | choice::VECTOR_SUBGROUP | choice::VECTOR_LANES => {
                let rows = [1, 2, 4].into_iter().find(|&rows| desc.m <= rows).unwrap_or(8) as u32;
                let column_lanes = if desc.b.transposed { 1 } else { 32 };
                let (lanes, halves) = match variant {
                    // More columns share a load of A; a pair has its two halves.
                    choice::VECTOR_LANES if rows == 1 && !pair => (8, 4),
                    choice::VECTOR_LANES => (8, 2),
                    _ => (64, if pair { 2 } else { 1 }),
                };
                let (tile_n, depth_lanes) = (4 * column_lanes * halves, lanes / column_lanes);
                let quads = choice::quads(desc, variant, capabilities);
                let kind = Kind::Vector { rows, column_lanes, depth_lanes, halves, quads };
                (kind, rows as usize, tile_n as usize, 0)
            }
            choice::SHUFFLE => {
                let rows = [1, 2, 4, 8, 16].into_iter().find(|&rows| desc.m <= rows).unwrap_or(32);
                // A row of its own leaves room for more columns.
                let halves = if rows == 1 && !pair { 8 } else { 2 };
                (Kind::Shuffle { rows: rows as u32, halves }, rows, 32 * halves as usize, 0)
            }
            choice::BROADCAST => {
                let rows = if pair { 8 } else { 16 };
                (Kind::Broadcast { rows }, rows as usize, if pair { 64 } else { 32 }, 0)
            }
            choice::COOPERATIVE => match Cooperative::of(desc, capabilities) {
                Some(tile) => {
                    let [rows, columns, half] = [tile.rows(), tile.columns(), tile.half()];
                    (Kind::Cooperative(tile), rows as usize, columns as usize, half as usize)
                }
                None => return Self::of(desc, choice::TILED, capabilities),
            },
            _ => {
                let tile = Tile::of(desc);
                (Kind::Tiled(tile), tile.m(), tile.n(), 4 * tile.column_lanes as usize)
            }
        };
        let tile_columns = if pair { tile_n / 2 } else { tile_n };
        Self {
            tile_rows: tile_m,
            tile_columns,
            half_step: if pair { desc.n } else { half },
            segment_step: segment(desc).unwrap_or(32),
            kind,
        }
    }

    /// Tiles of a part, along its rows and along its columns.
    pub(super) fn grid(&self, part: &Part) -> [usize; 2] {
        [part.size[Axis::Row].div_ceil(self.tile_rows), part.size[Axis::Column].div_ceil(self.tile_columns)]
    }

    /// Tiles of a part in all.
    pub(super) fn tiles(&self, part: &Part) -> usize {
        let [rows, columns] = self.grid(part);
        part.size[Axis::Item].saturating_mul(rows).saturating_mul(columns)
    }
}

/// Depths after which sums are taken out of f32: a group's, or as many as f32 adds products of I8 exactly.
pub(super) fn segment(desc: &MatmulDesc) -> Option<usize> {
    let groups = [desc.a.group(), desc.b.group()].into_iter().flatten().min();
    let exact = if desc.a.zero || desc.b.zero { 256 } else { 1024 };
    groups.or(desc.is_integer().then_some(exact))
}
