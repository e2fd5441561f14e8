use super::{AXES, Part, ROWS, Steps, U};
use crate::Capabilities;
use crate::recipe::{Stage, by_units, lanes};

/// The `ROWS` of the shader.
const ROWS_PER_QUAD: usize = 4;

impl Steps {
    pub(super) fn row_stage(&self, part: &Part, capabilities: &Capabilities) -> Stage {
        let axes = part.three_axes();
        let width = axes[0].extent;
        let [rows, slices] = part.written();
        let (quads_x, row_blocks) = (width.div_ceil(4), rows.len().div_ceil(ROWS_PER_QUAD));
        let quads = part.items * slices.len() * row_blocks * quads_x;
        let (lanes, load) = (lanes(capabilities), by_units(width));
        let mut builder = self
            .on(part)
            .constant("LANES", lanes)
            .size("u_pitch", self.pitch("u"))
            .size("out_pitch", self.pitch("out"))
            .size("quads", quads)
            .size("quads_x", quads_x)
            .size("row_blocks", row_blocks)
            .size("y_first", rows.start)
            .size("y_end", rows.end)
            .size("z_first", slices.start)
            .size("z_count", slices.len());
        for ((axis, weight), names) in axes.iter().zip(self.axis_weights()).zip(&AXES) {
            builder = builder.size(names.extent, axis.extent);
            builder = builder.size(names.periodic, usize::from(axis.periodic()));
            builder = names.edges(builder, axis, weight);
        }
        let builder = self.reads(builder, part, &U, load).writes_by("out", load);
        self.finishes(builder, part)
            .part(ROWS.name, include_str!("../../shaders/shared/stencil_rows.wgsl"))
            .groups(quads.div_ceil(lanes as usize) as u64)
    }
}
