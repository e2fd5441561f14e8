use super::{AXES, CELLS, MEDIUM, Part, SOURCE, Steps, U, factor};
use crate::recipe::{Load, Stage, StageBuilder};
use langevin_reference::{FaceMean, Ghost, GridAxis, Point, Stencil};

/// Invocations of a workgroup; each computes four columns of a row.
const QUADS_PER_GROUP: usize = 64;
/// How many cells outside of an axis the shader knows on each side.
const OUTSIDE: i64 = 2;

impl Steps {
    pub(super) fn cell_stage(&self, part: &Part) -> Stage {
        let [x, y, z] = part.three_axes();
        let width = x.extent;
        let [rows, slices] = part.written();
        let quads_x = width.div_ceil(4);
        let quads = part.items * slices.len() * rows.len() * quads_x;
        let has = |name| self.specs.iter().any(|spec| spec.name == name);
        let mut builder = self
            .on(part)
            .constant("REACH", self.stencil.reach() as u32)
            .flag("BOX", self.stencil == Stencil::Isotropic)
            .flag("HAS_MEDIUM", has("medium"))
            .flag("HARMONIC", self.face_mean == FaceMean::Harmonic)
            .flag("HAS_SOURCE", has("source"))
            .size("u_pitch", self.pitch("u"))
            .size("medium_pitch", self.pitch("medium"))
            .size("source_pitch", self.pitch("source"))
            .size("out_pitch", self.pitch("out"))
            .size("quads", quads)
            .size("quads_x", quads_x)
            .size("y_first", rows.start)
            .size("y_count", rows.len())
            .size("z_first", slices.start)
            .size("z_count", slices.len())
            .param("rate", factor(self.rate));
        for (name, steps) in WEIGHTS {
            builder = builder.param(name, factor(self.weight(steps)));
        }
        for ((axis, names), outside) in [x, y, z].iter().zip(&AXES).zip(&CELLS_OUTSIDE) {
            builder = outside.params(builder.size(names.extent, axis.extent), axis);
        }
        for names in [U, MEDIUM, SOURCE] {
            builder = self.reads(builder, part, &names, Load::Words);
        }
        self.finishes(builder.writes("out"), part)
            .part(CELLS.name, include_str!("../../shaders/shared/stencil_cells.wgsl"))
            .groups(quads.div_ceil(QUADS_PER_GROUP) as u64)
    }

    /// The weight of the cell that many steps along x, y and z; 0 where the stencil has none.
    pub(super) fn weight(&self, steps: [i64; 3]) -> f64 {
        let is_it = |point: &&Point| point.steps.iter().rev().chain(&[0; 3]).take(3).eq(&steps);
        self.points.iter().find(is_it).map_or(0.0, |point| point.weight)
    }
}

/// The shader's names of the weights.
const WEIGHTS: [(&str, [i64; 3]); 10] = [
    ("weight_x", [1, 0, 0]),
    ("weight_y", [0, 1, 0]),
    ("weight_z", [0, 0, 1]),
    ("far_x", [2, 0, 0]),
    ("far_y", [0, 2, 0]),
    ("far_z", [0, 0, 2]),
    ("weight_xy", [1, 1, 0]),
    ("weight_xz", [1, 0, 1]),
    ("weight_yz", [0, 1, 1]),
    ("weight_xyz", [1, 1, 1]),
];

/// The shader's names of the cells outside of an axis, in order.
struct CellsOutside {
    sources: [&'static str; 4],
    scales: [&'static str; 4],
    offsets: [&'static str; 4],
}

macro_rules! cells_outside {
    ($axis:literal) => {
        CellsOutside {
            sources: cells_outside!("source_", $axis),
            scales: cells_outside!("scale_", $axis),
            offsets: cells_outside!("offset_", $axis),
        }
    };
    ($what:literal, $axis:literal) => {
        [
            concat!($what, $axis, "_0"),
            concat!($what, $axis, "_1"),
            concat!($what, $axis, "_2"),
            concat!($what, $axis, "_3"),
        ]
    };
}

/// The fastest axis first.
const CELLS_OUTSIDE: [CellsOutside; 3] = [cells_outside!("x"), cells_outside!("y"), cells_outside!("z")];

impl CellsOutside {
    fn params(&self, mut builder: StageBuilder, axis: &GridAxis) -> StageBuilder {
        let extent = axis.extent as i64;
        for (i, position) in [-OUTSIDE, 1 - OUTSIDE, extent, extent + 1].into_iter().enumerate() {
            let Ghost { mut source, scale, offset } = match axis.extent {
                0 => Ghost { source: 0, scale: 0.0, offset: 0.0 },
                _ => axis.at(position),
            };
            if scale == 0.0 {
                // An edge has the share of the cell beside it.
                source = if position < 0 { 0 } else { axis.extent.saturating_sub(1) };
            }
            builder = builder.size(self.sources[i], source);
            builder = builder.param(self.scales[i], factor(scale)).param(self.offsets[i], factor(offset));
        }
        builder
    }
}
