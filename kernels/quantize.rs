mod blocks;
mod columns;

use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, SCRATCH, Stage, StageBuilder};
use crate::{Capabilities, Format, Granularity, Overflow, Plan, QuantizeDesc, Rounding, ScaleSource, Tier};
use columns::Strips;
use langevin_gpu::Access;
use langevin_reference::{Dtype, Op, TensorSpec};

/// Quantization to E4M3, E5M2 or I8, with scales given or found on the GPU: see [`QuantizeDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `teams` | portable | every GPU: neighbouring invocations share a row and merge its extremes by a tree |
/// | `lanes` | software | adapters that are CPUs: a vector works on a row and merges by subgroup, or has a region for each lane; no barriers |
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
            /// With [`Rounding::Stochastic`]: the key of the random numbers.
            seed,
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

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        Job { desc: self, specs: self.tensors(), out: None }.recipe(variant, capabilities)
    }
}

/// Codes to make, and to write, or the numbers that they stand for.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) desc: &'a QuantizeDesc,
    pub(crate) specs: Vec<TensorSpec>,
    /// The format of the numbers, where those are wanted.
    pub(crate) out: Option<Format>,
}

impl Job<'_> {
    pub(crate) fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let desc = self.desc;
        if desc.scale_rounding.is_some() {
            return blocks::recipe(self, variant.tier);
        }
        if let Some(strips) = Strips::of(desc, variant.tier) {
            return strips.recipe(self);
        }
        let stages = Stages { job: self, desc, layout: Layout::of(desc, Workers::of(variant, capabilities)) };
        if !stages.layout.flat || desc.scale == ScaleSource::Static {
            return Recipe::single(stages.codes());
        }
        let scratch_bytes = stages.layout.partials() * PARTIAL_BYTES;
        Recipe { stages: vec![stages.extremes(), stages.codes()], scratch_bytes }
    }

    /// What every dispatch has.
    fn builder(&self, label: &'static str) -> StageBuilder {
        let (desc, width) = (self.desc, self.desc.width());
        StageBuilder::over(label, self.specs.clone())
            .flag("ASYMMETRIC", desc.asymmetric)
            .size("width", width)
            .size("x_pitch", Dtype::from(desc.x).padded_row_len(width))
            .size("row_units", width.div_ceil(4))
            .reads("x")
            .part("float_bits", include_str!("../shaders/shared/float_bits.wgsl"))
    }

    /// From a number to its code, and where that goes.
    fn with_codes(&self, builder: StageBuilder) -> StageBuilder {
        let builder = with_codes(builder, self.desc);
        let Some(out) = self.out else {
            return builder
                .words("q", Access::ReadWrite)
                .part("quantize_store", include_str!("../shaders/quantize_store.wgsl"));
        };
        builder
            .flag("HAS_ZERO", self.desc.asymmetric)
            .flag("POWERS", self.desc.scale_rounding.is_some())
            .size("out_pitch", Dtype::from(out).padded_row_len(self.desc.width()))
            .writes("out")
            .part("numbers", include_str!("../shaders/shared/dequantize.wgsl"))
            .part_in(self.desc.q, "fake_quantize", include_str!("../shaders/fake_quantize.wgsl"))
    }
}

/// A maximum for positive and one for negative values, and whether there was NaN or infinity: a word each.
const PARTIAL_BYTES: u64 = 12;

/// The dispatches of a descriptor.
#[derive(Debug)]
struct Stages<'a> {
    job: &'a Job<'a>,
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
            .loop_iterations(2 * self.layout.units_of_one(self.layout.max_partial_groups))
            .groups(self.layout.partial_groups())
    }

    /// Writes the codes, and the scales where they are dynamic.
    fn codes(&self) -> Stage {
        let Self { desc, layout, .. } = self;
        let dynamic = desc.scale == ScaleSource::Dynamic;
        let builder = self
            .builder("quantize")
            .constant("GENERAL", if dynamic { 1 } else { UNROLL })
            .size("regions", layout.regions.count())
            .size("regions_across", layout.regions.across.max(1))
            .size("regions_down", layout.regions.down.max(1))
            .size("region_units", layout.regions.units)
            .size("region_rows", layout.regions.rows)
            .size("matrix_rows", layout.regions.matrix_rows)
            .size("group_units", layout.group_units(MAX_GROUPS))
            .size("partials", layout.partials() as usize);
        let builder = match dynamic {
            true => self.with_own_scale(builder),
            false => builder
                .words("scale", Access::Read)
                .reads("zero_point")
                .part("quantize_given", include_str!("../shaders/quantize_given.wgsl")),
        };
        self.job
            .with_codes(builder)
            .part("quantize", include_str!("../shaders/quantize.wgsl"))
            .loop_iterations(self.code_iterations())
            .groups(layout.groups(dynamic))
    }

    /// One pass over the units, two more for a region's extremes or one over a tensor's partial ones; then the merging.
    fn code_iterations(&self) -> usize {
        let layout = &self.layout;
        let own_scale = self.desc.scale == ScaleSource::Dynamic;
        let passes = if !layout.flat && own_scale { 3 } else { 1 };
        let partials = if layout.flat && own_scale { layout.partials() as usize } else { 0 };
        passes * layout.units_of_one(MAX_GROUPS) + partials.div_ceil(layout.workers.team as usize) + 6
    }

    fn with_own_scale(&self, builder: StageBuilder) -> StageBuilder {
        let builder = with_affine(builder, self.desc);
        if !self.layout.flat {
            return builder.part("quantize_by_region", include_str!("../shaders/quantize_by_region.wgsl"));
        }
        builder
            .words(SCRATCH, Access::Read)
            .part("quantize_by_tensor", include_str!("../shaders/quantize_by_tensor.wgsl"))
    }

    /// What both dispatches have.
    fn builder(&self, label: &'static str) -> StageBuilder {
        let Self { job, layout, .. } = self;
        let workers = &layout.workers;
        let builder = job
            .builder(label)
            .constant("LANES", workers.lanes)
            .constant("TEAM", workers.team)
            .constant("TEAM_X", layout.team_x)
            .constant("UNROLL", UNROLL)
            .flag("FLAT", layout.flat)
            .flag("WHOLE_UNITS", layout.width.is_multiple_of(4))
            .size("units", layout.units())
            .part("quantize_range", include_str!("../shaders/quantize_range.wgsl"));
        if workers.subgroup && workers.team > 1 {
            let merge = include_str!("../shaders/quantize_merge_subgroup.wgsl");
            return builder.part("quantize_merge_subgroup", merge);
        }
        builder.part("quantize_merge_tree", include_str!("../shaders/quantize_merge_tree.wgsl"))
    }
}

/// From a number to its code.
fn with_codes(builder: StageBuilder, desc: &QuantizeDesc) -> StageBuilder {
    let stochastic = desc.rounding == Rounding::Stochastic;
    // The biased f32 exponent of the smallest normal number, and the code of the largest one.
    let (fraction_bits, min_exponent, largest) = match desc.q {
        Format::E5m2 => (2, 113, 0x7b),
        _ => (3, 121, 0x7e),
    };
    let builder = builder
        .flag("SATURATE", desc.overflow == Overflow::Saturate)
        .constant("MAX_FINITE", (desc.q.max_finite() as f32).to_bits())
        .flag("STOCHASTIC", stochastic)
        .constant("FRACTION_BITS", fraction_bits)
        .constant("MIN_EXPONENT", min_exponent)
        .constant("LARGEST", largest)
        .words("seed", Access::Read)
        .part("exact", include_str!("../shaders/shared/exact.wgsl"));
    let builder = match stochastic {
        true => builder
            .part("philox", include_str!("../shaders/shared/philox.wgsl"))
            .part("quantize_random", include_str!("../shaders/quantize_random.wgsl")),
        false => builder.part("quantize_certain", include_str!("../shaders/quantize_certain.wgsl")),
    };
    let builder = match desc.q {
        Format::I8 => builder.part("quantize_integer", include_str!("../shaders/quantize_integer.wgsl")),
        format => builder.part_in(format, "quantize_float", include_str!("../shaders/quantize_float.wgsl")),
    };
    builder.part("quantize_factor", include_str!("../shaders/quantize_factor.wgsl"))
}

/// From extremes to a scale and a zero point, which are written.
fn with_affine(builder: StageBuilder, desc: &QuantizeDesc) -> StageBuilder {
    let builder = builder.words("scale", Access::ReadWrite).words("zero_point", Access::ReadWrite);
    if desc.asymmetric {
        return builder.part("quantize_asymmetric", include_str!("../shaders/quantize_asymmetric.wgsl"));
    }
    builder.part("quantize_symmetric", include_str!("../shaders/quantize_symmetric.wgsl"))
}

/// Enough workgroups for any GPU; beyond them each does more. Their partial extremes must stay few, since every
/// workgroup of the second dispatch reads them all.
const MAX_GROUPS: usize = 1024;
/// A CPU has fewer cores, and one invocation there reads all partials by itself.
const MAX_SOFTWARE_GROUPS: usize = 32;
/// Regions up to that many units are shared by 8 invocations; 64 would find nothing to do.
const SHORT: usize = 32;
/// From that many units on a CPU's vector works on one region; below it has one for each lane.
const LONG: usize = 64;
/// Units that an invocation reads before it works on them: reads wait for each other less.
const UNROLL: u32 = 4;

/// Who works, before the regions are known.
#[derive(Clone, Debug, PartialEq)]
struct Workers {
    software: bool,
    /// Whether a workgroup of 8 is a part of one subgroup.
    subgroup: bool,
    /// Invocations of a workgroup.
    lanes: u32,
    /// Invocations that merge their extremes.
    team: u32,
}

impl Workers {
    fn of(variant: Variant, capabilities: &Capabilities) -> Self {
        let software = variant.tier == Tier::Software;
        let subgroup = software && capabilities.has(Tier::Subgroup) && capabilities.subgroup_sizes.0 >= 8;
        let lanes = if software { 8 } else { 64 };
        Self { software, subgroup, lanes, team: lanes }
    }

    /// The team for regions of that many units. A CPU merges nothing where it has no subgroups.
    fn sized(self, units: usize) -> Self {
        let team = match self.software {
            true if self.subgroup && units >= LONG => 8,
            true => 1,
            false if units <= SHORT => 8,
            false => 64,
        };
        Self { team, ..self }
    }
}

/// What has one scale: some units of some rows. A unit is four neighbouring elements of a row, one word of codes.
#[derive(Clone, Debug, PartialEq)]
struct Regions {
    /// How many stand side by side.
    across: usize,
    /// How many stand below each other in a matrix.
    down: usize,
    /// Matrices.
    matrices: usize,
    /// Rows of a matrix.
    matrix_rows: usize,
    /// Units of a region; the last one of a row may have fewer.
    units: usize,
    /// Rows of a region; the last one of a matrix may have fewer.
    rows: usize,
}

impl Regions {
    fn of(desc: &QuantizeDesc) -> Self {
        let (rows, width) = (desc.rows(), desc.width());
        let single =
            Self { across: 1, down: 1, matrices: rows, matrix_rows: 1, units: width.div_ceil(4), rows: 1 };
        match desc.granularity {
            Granularity::PerGroup(size) => Self { across: width.div_ceil(size), units: size / 4, ..single },
            Granularity::PerRow => single,
            Granularity::PerBlock { rows: height, columns } => {
                let matrix_rows = desc.matrix_rows();
                Self {
                    across: width.div_ceil(columns),
                    down: matrix_rows.div_ceil(height),
                    matrices: rows.checked_div(matrix_rows).unwrap_or(0),
                    matrix_rows,
                    units: columns / 4,
                    rows: height.min(matrix_rows),
                }
            }
            _ => Self { matrices: 1, matrix_rows: rows, rows, ..single },
        }
    }

    fn count(&self) -> usize {
        self.across * self.down * self.matrices
    }
}

/// How the work is spread.
#[derive(Debug, PartialEq)]
struct Layout {
    rows: usize,
    width: usize,
    row_units: usize,
    regions: Regions,
    /// One region is the whole tensor, over which all workgroups are spread; else teams take regions.
    flat: bool,
    workers: Workers,
    /// How many units wide a team stands.
    team_x: u32,
    /// At most that many workgroups find partial extremes.
    max_partial_groups: usize,
}

impl Layout {
    fn of(desc: &QuantizeDesc, workers: Workers) -> Self {
        let (rows, width) = (desc.rows(), desc.width());
        let regions = Regions::of(desc);
        let flat = regions.across == 1 && regions.down == 1 && regions.matrices == 1;
        let workers =
            workers.sized(if flat { usize::MAX } else { regions.units.saturating_mul(regions.rows) });
        let team_x = match flat {
            true => workers.lanes,
            false => (regions.units.next_power_of_two() as u32).min(workers.team),
        };
        let max_partial_groups = if workers.software { MAX_SOFTWARE_GROUPS } else { MAX_GROUPS };
        Self { rows, width, row_units: width.div_ceil(4), regions, flat, workers, team_x, max_partial_groups }
    }

    fn units(&self) -> usize {
        self.rows * self.row_units
    }

    /// Neighbouring units that a workgroup takes where rows do not matter, a whole number for each invocation.
    fn group_units(&self, max_groups: usize) -> usize {
        let lanes = self.workers.lanes as usize;
        self.units().div_ceil(max_groups).next_multiple_of(lanes).max(lanes)
    }

    /// The most units that one invocation takes, and rows with them.
    fn units_of_one(&self, max_groups: usize) -> usize {
        let Self { regions, workers, team_x, .. } = self;
        match self.flat {
            true => self.group_units(max_groups) / workers.lanes as usize,
            false => {
                let rows = regions.rows.div_ceil((workers.team / team_x) as usize);
                rows.saturating_mul(regions.units.div_ceil(*team_x as usize) + 1)
            }
        }
    }

    /// Workgroups of the dispatch that finds partial extremes.
    fn partial_groups(&self) -> u64 {
        self.units().div_ceil(self.group_units(self.max_partial_groups)).max(1) as u64
    }

    fn partials(&self) -> u64 {
        self.partial_groups() * u64::from(self.workers.lanes / self.workers.team)
    }

    /// Workgroups of the dispatch that writes codes, and the scales where they are dynamic: those exist without codes.
    fn groups(&self, dynamic: bool) -> u64 {
        let groups = match self.flat {
            false if self.row_units == 0 && !dynamic => 0,
            false => self.regions.count().div_ceil((self.workers.lanes / self.workers.team) as usize),
            true => self.units().div_ceil(self.group_units(MAX_GROUPS)),
        };
        groups.max(usize::from(dynamic && self.flat)) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(shape: &[usize], granularity: Granularity, tier: Tier) -> Layout {
        let desc = QuantizeDesc { shape: shape.to_vec(), granularity, ..Default::default() };
        let capabilities = Capabilities { subgroup_sizes: (8, 8), ..Capabilities::minimal() };
        let features = wgpu::Features::SUBGROUP;
        let variant = if tier == Tier::Software { LANES } else { TEAMS };
        Layout::of(&desc, Workers::of(variant, &Capabilities { features, ..capabilities }))
    }

    #[test]
    fn short_rows_share_a_workgroup() {
        let per_row = |width| layout(&[100, width], Granularity::PerRow, Tier::Portable);
        assert_eq!((per_row(128).workers.team, per_row(128).groups(true)), (8, 13));
        assert_eq!((per_row(129).workers.team, per_row(129).groups(true)), (64, 100));
        let software = |width| layout(&[100, width], Granularity::PerRow, Tier::Software);
        assert_eq!((software(129).workers.team, software(129).groups(true)), (1, 13));
        assert_eq!((software(256).workers.team, software(256).groups(true)), (8, 100));
    }

    #[test]
    fn a_cpu_without_subgroups_merges_nothing() {
        let desc =
            QuantizeDesc { shape: vec![9, 900], granularity: Granularity::PerRow, ..Default::default() };
        let workers = Workers::of(LANES, &Capabilities::minimal());
        let layout = Layout::of(&desc, workers);
        assert_eq!((layout.workers.team, layout.groups(true)), (1, 2));
    }

    #[test]
    fn one_row_is_spread_like_a_tensor() {
        let per_row = layout(&[1, 1 << 20], Granularity::PerRow, Tier::Portable);
        let tensor = layout(&[1 << 20], Granularity::PerTensor, Tier::Portable);
        assert_eq!((per_row.flat, per_row.groups(true), per_row.partials()), (true, 1024, 1024));
        assert_eq!((tensor.flat, tensor.groups(true), tensor.partials()), (true, 1024, 1024));
        let software = layout(&[1 << 20], Granularity::PerTensor, Tier::Software);
        assert_eq!((software.groups(true), software.partials()), (1024, 32));
    }

    #[test]
    fn groups_and_blocks_are_regions() {
        let groups = layout(&[3, 70], Granularity::PerGroup(32), Tier::Portable);
        assert_eq!((groups.regions.count(), groups.workers.team, groups.team_x), (9, 8, 8));
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
        assert_eq!(groups(&[9, 0], Granularity::PerGroup(32), true), 0);
    }
}
