//! Scales that columns have: of the whole tensor, or of strips of some rows.

use super::{Job, with_affine};
use crate::recipe::{Recipe, SCRATCH, Stage, StageBuilder};
use crate::{Granularity, QuantizeDesc, ScaleSource, Tier};
use langevin_gpu::Access;

/// Enough strips for any GPU where a column has one scale; every invocation merges them all.
const MAX_STRIPS: usize = 64;
/// A CPU has fewer cores.
const MAX_SOFTWARE_STRIPS: usize = 8;
/// Fewer rows are not worth a strip.
const MIN_ROWS: usize = 16;

/// How rows are divided. An invocation takes a unit, four columns, of a strip.
#[derive(Debug, PartialEq)]
pub(super) struct Strips {
    /// Strips of all matrices.
    count: usize,
    /// Strips of a matrix.
    down: usize,
    /// Rows of a strip; the last one of a matrix may have fewer.
    rows: usize,
    /// Rows of a matrix.
    matrix_rows: usize,
    /// Strips share their scales, and merge their extremes.
    shared: bool,
    lanes: u32,
}

impl Strips {
    /// The strips of a descriptor whose scales belong to columns.
    pub(super) fn of(desc: &QuantizeDesc, tier: Tier) -> Option<Self> {
        let software = tier == Tier::Software;
        let lanes = if software { 8 } else { 64 };
        match desc.granularity {
            Granularity::PerColumn => {
                let matrix_rows = desc.rows();
                let most = if software { MAX_SOFTWARE_STRIPS } else { MAX_STRIPS };
                let rows = matrix_rows.div_ceil(most).max(MIN_ROWS);
                let count = matrix_rows.div_ceil(rows).max(1);
                Some(Self { count, down: count, rows, matrix_rows, shared: true, lanes })
            }
            Granularity::PerBlock { rows, columns: 1 } => {
                let matrix_rows = desc.matrix_rows();
                let down = matrix_rows.div_ceil(rows);
                let count = desc.rows().checked_div(matrix_rows).unwrap_or(0) * down;
                Some(Self { count, down, rows: rows.min(matrix_rows), matrix_rows, shared: false, lanes })
            }
            _ => None,
        }
    }

    pub(super) fn recipe(&self, job: &Job<'_>) -> Recipe {
        let desc = job.desc;
        let merged = self.shared && self.count > 1 && desc.scale == ScaleSource::Dynamic;
        let codes = self.codes(job, merged);
        if codes.groups == 0 || !merged {
            return Recipe::single(codes);
        }
        let partials = self
            .builder("quantize: extremes", job)
            .words(SCRATCH, Access::ReadWrite)
            .part("quantize_strip_partials", include_str!("../../shaders/quantize_strip_partials.wgsl"))
            .loop_iterations(self.rows)
            .groups(self.groups(desc));
        // A maximum for positive and one for negative values of four columns, a word each.
        let scratch_bytes = self.count as u64 * desc.width().div_ceil(4) as u64 * 32;
        Recipe { stages: vec![partials, codes], scratch_bytes }
    }

    fn codes(&self, job: &Job<'_>, merged: bool) -> Stage {
        let desc = job.desc;
        let builder =
            self.builder("quantize", job).size("scale_pitch", if self.shared { 0 } else { desc.width() });
        let builder = match desc.scale {
            ScaleSource::Dynamic => {
                let builder = with_affine(builder, desc);
                let builder = match merged {
                    true => builder.words(SCRATCH, Access::Read).part(
                        "quantize_strip_merge",
                        include_str!("../../shaders/quantize_strip_merge.wgsl"),
                    ),
                    false => builder
                        .part("quantize_strip_own", include_str!("../../shaders/quantize_strip_own.wgsl")),
                };
                builder
                    .part("quantize_strip_dynamic", include_str!("../../shaders/quantize_strip_dynamic.wgsl"))
            }
            _ => builder
                .words("scale", Access::Read)
                .reads("zero_point")
                .part("quantize_strip_given", include_str!("../../shaders/quantize_strip_given.wgsl")),
        };
        job.with_codes(builder)
            .part("quantize_columns", include_str!("../../shaders/quantize_columns.wgsl"))
            .loop_iterations(2 * self.rows + if merged { self.count } else { 0 })
            .groups(self.groups(desc))
    }

    fn groups(&self, desc: &QuantizeDesc) -> u64 {
        (self.count * desc.width().div_ceil(4)).div_ceil(self.lanes as usize) as u64
    }

    /// What both dispatches have.
    fn builder(&self, label: &'static str, job: &Job<'_>) -> StageBuilder {
        job.builder(label)
            .constant("LANES", self.lanes)
            .flag("FLAT", false)
            .size("matrix_rows", self.matrix_rows)
            .size("strip_rows", self.rows)
            .size("strips_down", self.down.max(1))
            .size("strips", self.count)
            .part("quantize_strip", include_str!("../../shaders/quantize_strip.wgsl"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strips_cover_the_rows() {
        let of = |shape: &[usize], granularity, tier| {
            let desc = QuantizeDesc { shape: shape.to_vec(), granularity, ..Default::default() };
            Strips::of(&desc, tier).map(|strips| (strips.count, strips.rows))
        };
        assert_eq!(of(&[1000, 7], Granularity::PerColumn, Tier::Portable), Some((63, 16)));
        assert_eq!(of(&[1000, 7], Granularity::PerColumn, Tier::Software), Some((8, 125)));
        assert_eq!(of(&[0, 7], Granularity::PerColumn, Tier::Software), Some((1, 16)));
        let columns = Granularity::PerBlock { rows: 32, columns: 1 };
        assert_eq!(of(&[2, 70, 5], columns, Tier::Portable), Some((6, 32)));
        assert_eq!(of(&[70, 5], Granularity::PerBlock { rows: 32, columns: 4 }, Tier::Portable), None);
    }
}
