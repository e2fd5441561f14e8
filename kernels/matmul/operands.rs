//! How the factors of a product are read: their layouts, scales and zero points.

use super::choice;
use super::parts::Axis;
use super::shape::Kind;
use super::stages::Product;
use crate::recipe::{Load, StageBuilder};
use crate::{Columns, Granularity, Operand};
use langevin_gpu::Access;
use langevin_reference::Dtype;

pub(super) const AT_BY_DEPTH: &str = include_str!("../../shaders/shared/matmul_at_by_depth.wgsl");
pub(super) const BY_DEPTH: &str = include_str!("../../shaders/shared/matmul_by_depth.wgsl");
pub(super) const EIGHTS: &str = include_str!("../../shaders/shared/matmul_eights.wgsl");

impl Product<'_> {
    /// Adds the scales of an operand, and the zero points where the sums need them.
    pub(super) fn scales(&self, which: usize) -> impl Fn(StageBuilder) -> StageBuilder {
        let (desc, operand) = (self.desc, [self.desc.a, self.desc.b][which]);
        let rows = [desc.m, desc.b_columns()][which];
        let groups = operand.group().map_or(1, |group| desc.k.div_ceil(group));
        let names = OPERANDS[which];
        // Scales and zero points lie alike.
        let start = self.start(if operand.scale.is_some() { names.scale } else { names.zero });
        move |builder| {
            let grouped = operand.group().is_some();
            let of_item = match operand.shared {
                true => 0,
                false => rows.saturating_mul(if grouped { groups } else { 1 }),
            };
            let line = if by_depth(operand, which) { groups } else { rows };
            let builder = builder
                .size(names.scale_stride, of_item)
                .size(names.scale_pitch, line)
                .size(names.scale_start, start)
                .size(names.group, operand.group().unwrap_or(1))
                .flag(names.by_depth, by_depth(operand, which))
                .reads(names.scale);
            // Zero points are read with the operands; a dispatch that only adds up has none.
            let template = include_str!("../../shaders/shared/matmul_scales.wgsl");
            builder.part_for(names.name, "matmul_scales", template)
        }
    }

    /// Adds the operands, their scales of groups and their zero points.
    pub(super) fn operands(&self, builder: StageBuilder) -> StageBuilder {
        [0, 1].into_iter().fold(builder, |builder, which| self.operand(builder, which))
    }

    fn operand(&self, builder: StageBuilder, which: usize) -> StageBuilder {
        let (operand, names) = ([self.desc.a, self.desc.b][which], OPERANDS[which]);
        let by_depth = by_depth(operand, which);
        let rows = [self.desc.m, self.desc.b_columns()][which];
        let of_part = match (which, self.desc.pair) {
            (0, _) => self.part.size[Axis::Row],
            (_, None) => self.part.size[Axis::Column],
            _ => rows,
        };
        let (length, lines) = if by_depth { (self.desc.k, rows) } else { (rows, self.desc.k) };
        let columns = operand.columns.unwrap_or(Columns::all(length));
        let pitch = Dtype::from(operand.format).padded_row_len(columns.width);
        let builder = builder
            .size(names.rows, of_part)
            .size(names.pitch, pitch)
            .size(names.stride, if operand.shared { 0 } else { lines.saturating_mul(pitch) })
            .size(names.start, self.start(names.name))
            .flag(names.has_zero, operand.zero)
            .reads(names.zero);
        let builder = self.scales(which)(builder);
        if self.variant == choice::DOT4 {
            let (name, text) = if by_depth {
                ("packed_by_depth", include_str!("../../shaders/shared/matmul_packed_by_depth.wgsl"))
            } else {
                ("packed_by_row", include_str!("../../shaders/shared/matmul_packed_by_row.wgsl"))
            };
            return builder.words(names.name, Access::Read).part_for(names.name, name, text);
        }
        // Of a pair by rows, the second half starts n further.
        let halves = if self.desc.pair.is_some() && which == 1 && !by_depth { self.desc.n } else { 0 };
        let aligned = |to| [pitch, self.start(names.name), halves].iter().all(|at| at.is_multiple_of(to));
        let by_vectors = which == 1 && matches!(self.shape.kind, Kind::Vector { quads: 1.., .. });
        let load = match self.variant {
            _ if by_vectors && aligned(128 / operand.format.bits() as usize) => Load::Vectors,
            _ if by_vectors => Load::Together,
            // The row's elements are decoded for every four columns.
            _ if matches!(self.shape.kind, Kind::Vector { quads: 1.., .. }) && aligned(4) => {
                Load::WideTogether
            }
            choice::TILED_F16 if aligned(4) => Load::NativeWide,
            choice::TILED_F16 => Load::Native,
            choice::COOPERATIVE if aligned(8) => Load::Eights,
            choice::SHUFFLE | choice::VECTOR_LANES | choice::COOPERATIVE => Load::Together,
            choice::BROADCAST => Load::Words,
            _ if aligned(4) => Load::Wide,
            _ => Load::Words,
        };
        let (name, text) = if by_depth {
            ("by_depth", BY_DEPTH)
        } else {
            ("by_row", include_str!("../../shaders/shared/matmul_by_row.wgsl"))
        };
        let builder =
            if by_depth { builder.part_for(names.name, "at_by_depth", AT_BY_DEPTH) } else { builder };
        let builder = builder.reads_by(names.name, load).part_for(names.name, name, text);
        if self.variant == choice::COOPERATIVE {
            let builder = builder.halves(names.name, load);
            return builder.part_for(names.name, "matmul_eights", EIGHTS);
        }
        if by_vectors {
            let vectors = include_str!("../../shaders/shared/matmul_vectors.wgsl");
            return builder.vectors(names.name, "b_PER_WORD", load).part_for(
                names.name,
                "matmul_vectors",
                vectors,
            );
        }
        builder
    }
}

/// The names that belong to an operand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names {
    pub(super) name: &'static str,
    pub(super) scale: &'static str,
    pub(super) zero: &'static str,
    pub(super) rows: &'static str,
    pub(super) pitch: &'static str,
    pub(super) stride: &'static str,
    pub(super) start: &'static str,
    pub(super) scale_stride: &'static str,
    pub(super) scale_pitch: &'static str,
    pub(super) scale_start: &'static str,
    pub(super) group: &'static str,
    pub(super) by_depth: &'static str,
    pub(super) has_zero: &'static str,
}

pub(super) const OPERANDS: [Names; 2] = [
    Names {
        name: "a",
        scale: "a_scale",
        zero: "a_zero",
        rows: "a_rows",
        pitch: "a_pitch",
        stride: "a_stride",
        start: "a_start",
        scale_stride: "a_scale_stride",
        scale_pitch: "a_scale_pitch",
        scale_start: "a_scale_start",
        group: "a_group",
        by_depth: "a_BY_DEPTH",
        has_zero: "a_HAS_ZERO",
    },
    Names {
        name: "b",
        scale: "b_scale",
        zero: "b_zero",
        rows: "b_rows",
        pitch: "b_pitch",
        stride: "b_stride",
        start: "b_start",
        scale_stride: "b_scale_stride",
        scale_pitch: "b_scale_pitch",
        scale_start: "b_scale_start",
        group: "b_group",
        by_depth: "b_BY_DEPTH",
        has_zero: "b_HAS_ZERO",
    },
];

/// Whether neighbours in memory are neighbours along k.
pub(super) fn by_depth(operand: Operand, which: usize) -> bool {
    (which == 0) != operand.transposed
}

/// The `TENSOR_PER` of `shaders/shared/matmul_scales.wgsl`.
pub(super) fn per(scale: Option<Granularity>) -> u32 {
    match scale {
        None => 0,
        Some(Granularity::PerTensor) => 1,
        Some(Granularity::PerGroup(_)) => 3,
        Some(_) => 2,
    }
}
