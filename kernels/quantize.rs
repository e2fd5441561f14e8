use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, SCRATCH, Stage, StageBuilder};
use crate::{Capabilities, Format, Granularity, Overflow, Plan, QuantizeDesc, ScaleSource, Tier};
use langevin_gpu::Access;
use langevin_reference::Dtype;

/// Quantization to E4M3, E5M2 or I8, with scales given or found on the GPU: see [`QuantizeDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `teams` | portable | every GPU: neighbouring invocations share a row and merge its extremes by a tree |
/// | `lanes` | software | adapters that are CPUs: an invocation has a row of its own, and there are no barriers |
///
/// One dispatch, and two for a dynamic scale of a whole tensor, which borrows scratch.
pub type Quantize = Plan<QuantizeDesc>;

buffers! {
    /// Where the tensors of a [`QuantizeDesc`] are.
    QuantizeBuffers {
        required:
            /// The numbers.
            x,
            /// The codes, written.
            q,
            /// The scales: read with [`ScaleSource::Static`], else written.
            scale;
        optional:
            /// With [`QuantizeDesc::asymmetric`]; read or written as the scales are.
            zero_point,
            /// Memory lent: [`Plan::scratch_bytes`].
            scratch
    }
}

const TEAMS: Variant = Variant { name: "teams", tier: Tier::Portable, reason: "runs everywhere" };

const LANES: Variant = Variant {
    name: "lanes",
    tier: Tier::Software,
    reason: "the adapter is a CPU, where a barrier costs more than the lanes it would feed",
};

impl sealed::Sealed for QuantizeDesc {}

impl Kernel for QuantizeDesc {
    type Buffers<'a> = QuantizeBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        [LANES, TEAMS].into_iter().filter(|variant| capabilities.has(variant.tier)).collect()
    }

    fn recipe(&self, variant: Variant, _: &Capabilities) -> Recipe {
        let stages = Stages { desc: self, layout: Layout::of(self, variant.tier) };
        if stages.layout.by_row || self.scale == ScaleSource::Static {
            return Recipe::single(stages.codes());
        }
        // A maximum for positive and one for negative values, a word each.
        let scratch_bytes = stages.layout.partials() * 8;
        Recipe { stages: vec![stages.extremes(), stages.codes()], scratch_bytes }
    }
}

/// The dispatches of a descriptor.
#[derive(Debug)]
struct Stages<'a> {
    desc: &'a QuantizeDesc,
    layout: Layout,
}

impl Stages<'_> {
    /// Leaves the extremes of the tensor's parts in the scratch.
    fn extremes(&self) -> Stage {
        self.builder("quantize: extremes")
            .words(SCRATCH, Access::ReadWrite)
            .part("quantize_partials", include_str!("../shaders/quantize_partials.wgsl"))
            .size("group_units", self.layout.group_units(self.layout.max_partial_groups))
            .loop_iterations(self.layout.units_of_one(self.layout.max_partial_groups))
            .groups(self.layout.partial_groups())
    }

    /// Writes the codes, and the scales where they are dynamic.
    fn codes(&self) -> Stage {
        let Self { desc, layout } = self;
        let builder = self
            .builder("quantize")
            .flag("BY_ROW", layout.by_row)
            .flag("SATURATE", desc.overflow == Overflow::Saturate)
            .constant("MAX_FINITE", (desc.q.max_finite() as f32).to_bits())
            .size("rows", layout.rows)
            .size("group_units", layout.group_units(MAX_GROUPS))
            .size("partials", layout.partials() as usize)
            .words("q", Access::ReadWrite)
            .part("exact", include_str!("../shaders/shared/exact.wgsl"));
        let builder = match desc.scale {
            ScaleSource::Dynamic => self.with_own_scale(builder),
            _ => builder
                .words("scale", Access::Read)
                .reads("zero_point")
                .part("quantize_given", include_str!("../shaders/quantize_given.wgsl")),
        };
        let builder = match desc.q {
            Format::I8 => builder.part("quantize_integer", include_str!("../shaders/quantize_integer.wgsl")),
            _ => builder.part_for("q", "quantize_float", include_str!("../shaders/quantize_float.wgsl")),
        };
        builder
            .part("quantize", include_str!("../shaders/quantize.wgsl"))
            .loop_iterations(self.code_iterations())
            .groups(layout.groups(desc.scale == ScaleSource::Dynamic))
    }

    /// One pass over the units, one more for a row's extremes or one over a tensor's partial ones; then the merging.
    fn code_iterations(&self) -> usize {
        let layout = &self.layout;
        let own_scale = self.desc.scale == ScaleSource::Dynamic;
        let passes = if layout.by_row && own_scale { 2 } else { 1 };
        let partials = if layout.by_row || !own_scale { 0 } else { layout.partials() as usize };
        passes * layout.units_of_one(MAX_GROUPS) + partials.div_ceil(layout.team as usize) + 6
    }

    fn with_own_scale(&self, builder: StageBuilder) -> StageBuilder {
        let builder = builder.words("scale", Access::ReadWrite).words("zero_point", Access::ReadWrite);
        let builder = if self.desc.asymmetric {
            builder.part("quantize_asymmetric", include_str!("../shaders/quantize_asymmetric.wgsl"))
        } else {
            builder.part("quantize_symmetric", include_str!("../shaders/quantize_symmetric.wgsl"))
        };
        if self.layout.by_row {
            return builder.part("quantize_by_row", include_str!("../shaders/quantize_by_row.wgsl"));
        }
        builder
            .words(SCRATCH, Access::Read)
            .part("quantize_by_tensor", include_str!("../shaders/quantize_by_tensor.wgsl"))
    }

    /// What both dispatches have.
    fn builder(&self, label: &'static str) -> StageBuilder {
        let Self { desc, layout } = self;
        StageBuilder::new(label, *desc)
            .constant("LANES", layout.lanes)
            .constant("TEAM", layout.team)
            .flag("ASYMMETRIC", desc.asymmetric)
            .flag("WHOLE_UNITS", layout.width.is_multiple_of(4))
            .size("width", layout.width)
            .size("x_pitch", Dtype::from(desc.x).padded_row_len(layout.width))
            .size("row_units", layout.row_units)
            .size("units", layout.units())
            .reads("x")
            .part("quantize_range", include_str!("../shaders/quantize_range.wgsl"))
    }
}

/// How the work is spread. A unit is four neighbouring elements of a row, one word of codes.
#[derive(Debug, PartialEq)]
struct Layout {
    rows: usize,
    width: usize,
    row_units: usize,
    /// Whether teams take rows; else every invocation takes units of the whole tensor.
    by_row: bool,
    /// Invocations of a workgroup.
    lanes: u32,
    /// Invocations that merge their extremes.
    team: u32,
    /// At most that many workgroups find partial extremes.
    max_partial_groups: usize,
}

/// Enough workgroups for any GPU; beyond them each does more. Their partial extremes must stay few, since every
/// workgroup of the second dispatch reads them all.
const MAX_GROUPS: usize = 1024;
/// A CPU has fewer cores, and one invocation there reads all partials by itself.
const MAX_SOFTWARE_GROUPS: usize = 32;
/// Rows up to that many units are shared by 8 invocations; 64 would find nothing to do.
const SHORT_ROW: usize = 32;

impl Layout {
    fn of(desc: &QuantizeDesc, tier: Tier) -> Self {
        let (rows, width) = (desc.rows(), desc.width());
        let row_units = width.div_ceil(4);
        // One row is a whole tensor, over which all workgroups can be spread.
        let by_row = desc.granularity == Granularity::PerRow && rows != 1;
        let (lanes, team, max_partial_groups) = match tier {
            Tier::Software => (8, 1, MAX_SOFTWARE_GROUPS),
            _ if by_row && row_units <= SHORT_ROW => (64, 8, MAX_GROUPS),
            _ => (64, 64, MAX_GROUPS),
        };
        Self { rows, width, row_units, by_row, lanes, team, max_partial_groups }
    }

    fn units(&self) -> usize {
        self.rows * self.row_units
    }

    /// Neighbouring units that a workgroup takes where rows do not matter, a whole number for each invocation.
    fn group_units(&self, max_groups: usize) -> usize {
        self.units().div_ceil(max_groups).next_multiple_of(self.lanes as usize).max(self.lanes as usize)
    }

    /// The most units that one invocation takes.
    fn units_of_one(&self, max_groups: usize) -> usize {
        match self.by_row {
            true => self.row_units.div_ceil(self.team as usize),
            false => self.group_units(max_groups) / self.lanes as usize,
        }
    }

    /// Workgroups of the dispatch that finds partial extremes.
    fn partial_groups(&self) -> u64 {
        self.units().div_ceil(self.group_units(self.max_partial_groups)).max(1) as u64
    }

    fn partials(&self) -> u64 {
        self.partial_groups() * u64::from(self.lanes / self.team)
    }

    /// Workgroups of the dispatch that writes codes, and the scales where they are dynamic: those exist without codes.
    fn groups(&self, dynamic: bool) -> u64 {
        let groups = match self.by_row {
            true if self.row_units == 0 && !dynamic => 0,
            true => self.rows.div_ceil((self.lanes / self.team) as usize),
            false => self.units().div_ceil(self.group_units(MAX_GROUPS)),
        };
        groups.max(usize::from(dynamic && !self.by_row)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(shape: &[usize], granularity: Granularity, tier: Tier) -> Layout {
        Layout::of(&QuantizeDesc { shape: shape.to_vec(), granularity, ..Default::default() }, tier)
    }

    #[test]
    fn short_rows_share_a_workgroup() {
        let per_row = |width| layout(&[100, width], Granularity::PerRow, Tier::Portable);
        assert_eq!((per_row(128).team, per_row(128).groups(true)), (8, 13));
        assert_eq!((per_row(129).team, per_row(129).groups(true)), (64, 100));
        let software = layout(&[100, 129], Granularity::PerRow, Tier::Software);
        assert_eq!((software.team, software.groups(true)), (1, 13));
    }

    #[test]
    fn one_row_is_spread_like_a_tensor() {
        let per_row = layout(&[1, 1 << 20], Granularity::PerRow, Tier::Portable);
        assert_eq!(per_row, layout(&[1 << 20], Granularity::PerTensor, Tier::Portable));
        assert_eq!((per_row.groups(true), per_row.partials()), (1024, 1024));
        let software = layout(&[1 << 20], Granularity::PerTensor, Tier::Software);
        assert_eq!((software.groups(true), software.partials()), (1024, 256));
    }

    #[test]
    fn empty_tensors_still_have_scales() {
        let groups = |shape: &[usize], granularity, dynamic| {
            layout(shape, granularity, Tier::Portable).groups(dynamic)
        };
        assert_eq!(groups(&[0], Granularity::PerTensor, true), 1);
        assert_eq!(groups(&[0], Granularity::PerTensor, false), 0);
        assert_eq!(groups(&[9, 0], Granularity::PerRow, true), 2);
        assert_eq!(groups(&[9, 0], Granularity::PerRow, false), 0);
        assert_eq!(groups(&[0, 9], Granularity::PerRow, true), 0);
    }
}
