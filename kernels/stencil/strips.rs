use super::{AXES, Part, STRIPS, Steps, U, halo, shift};
use crate::recipe::{Load, Stage};
use crate::{Capabilities, Tier};
use langevin_gpu::wgpu::Features;
use langevin_reference::GridAxis;

/// Quads of four columns to an invocation. On llvmpipe 26.1.6, 1024^2 f32, a thread, 1 / 2 / 4: one step 4.3 / 2.9 / 3.5 ms,
/// four steps - / 3.7 / 4.4 ms: fewer repeat more at the sides of a strip, more leave the registers.
const QUADS: usize = 2;
/// Rows written out one after the other. Mesa copies the variables of a loop under a mask at its end: two rows to a turn save
/// a quarter of the time of eight steps.
const UNROLL: usize = 2;
/// Lanes of a subgroup, and invocations of a workgroup.
const LANES: usize = 8;
/// Rows of a workgroup: so many that the rows above and below, which are read again, count little.
const ROWS_PER_STEP: usize = 32;
/// Workgroups that keep a machine busy; small grids get fewer rows to each.
const GROUPS: usize = 64;

/// Lanes must be those of one subgroup, in order.
pub(super) fn can_run(capabilities: &Capabilities) -> bool {
    let lanes = LANES as u32;
    capabilities.has(Tier::Software)
        && capabilities.has(Tier::Subgroup)
        && capabilities.subgroup_sizes == (lanes, lanes)
}

/// Loads and stores by the largest words there are: llvmpipe treats each lane's apart, so half as many cost half.
fn words(width: usize, capabilities: &Capabilities) -> Load {
    if !width.is_multiple_of(4) {
        Load::Words
    } else if capabilities.features.contains(Features::SHADER_INT64) {
        Load::Long
    } else {
        Load::Wide
    }
}

impl Steps {
    pub(super) fn strips(&self, part: &Part, capabilities: &Capabilities) -> Stage {
        let [x, y, _] = part.three_axes();
        // On one axis the items of the batch are rows without neighbours.
        let line = self.axes.len() == 1;
        let (height, items) = if line { (part.items, 1) } else { (y.extent, part.items) };
        let written = if line { 0..height } else { part.kept.clone() };
        let (width, halo) = (x.extent, halo(self.count));
        let lag = if line { 0 } else { self.count };
        let strips = width.div_ceil(4 * LANES * QUADS - 2 * halo);
        let rows = rows_per_group(written.len(), lag, strips * items);
        let row_blocks = written.len().div_ceil(rows);
        let load = words(width, capabilities);
        let has_faces = |axis: &GridAxis| !axis.periodic();
        let mut builder = self
            .on(part)
            .constant("QUADS", QUADS as u32)
            .constant("UNROLL", UNROLL as u32)
            .constant("STEPS", self.count as u32)
            .constant("HALO", halo as u32)
            .flag("WHOLE", load != Load::Words)
            .flag("FACES_X", has_faces(&x))
            .flag("FACES_Y", !line && has_faces(&y))
            .size("width", width)
            .size("height", height)
            .size("u_pitch", self.pitch("u"))
            .size("out_pitch", self.pitch("out"))
            .size("y_first", written.start)
            .size("y_end", written.end)
            .size("strips", strips)
            .size("row_blocks", row_blocks)
            .size("rows", rows)
            .size("shift_x", shift(width, halo))
            .size("shift_y", shift(height, lag));
        for ((axis, weight), names) in [x, y].iter().zip(self.axis_weights()).zip(&AXES) {
            builder = names.edges(builder, axis, weight);
        }
        self.reads(builder, part, &U, load)
            .writes_by("out", load)
            .part_for("out", "stored", include_str!("../../shaders/shared/stored.wgsl"))
            .part("finish", self.text())
            .part(STRIPS.name, include_str!("../../shaders/shared/stencil_strips.wgsl"))
            .loop_iterations((rows + 2 * lag).div_ceil(UNROLL))
            .groups((strips * row_blocks * items) as u64)
    }
}

/// A multiple of the rows that are written out.
fn rows_per_group(height: usize, lag: usize, columns_of_groups: usize) -> usize {
    let most = (ROWS_PER_STEP * lag).max(2 * ROWS_PER_STEP);
    let blocks = GROUPS.div_ceil(columns_of_groups.max(1));
    height.div_ceil(blocks).clamp(4 * UNROLL, most).next_multiple_of(UNROLL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_grids_get_long_columns_and_small_ones_many_groups() {
        assert_eq!(rows_per_group(4096, 1, 74), 64);
        assert_eq!(rows_per_group(4096, 8, 86), 256);
        assert_eq!(rows_per_group(1024, 1, 19), 64);
        assert_eq!(rows_per_group(512, 8, 11), 86);
        assert_eq!(rows_per_group(64, 1, 2), 8);
        assert_eq!(rows_per_group(3, 1, 1), 8);
    }
}
