mod blocks;
mod columns;
mod layout;
mod windows;

use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::matmul::activation_code;
use crate::recipe::{Load, Recipe, SCRATCH, Stage, StageBuilder, by_units};
use crate::{
    ActivationDesc, Capabilities, Format, Granularity, NormDesc, Overflow, Plan, QuantizeDesc, Rounding,
    ScaleSource, Tier, norm, norm_quantize,
};
use columns::Strips;
use langevin_gpu::Access;
use langevin_reference::{Dtype, Op, TensorSpec};
use layout::{Layout, MAX_GROUPS, UNROLL, Workers};
use std::ops::Range;

/// Quantization to E4M3, E5M2 or I8, with scales given or found on the GPU: see [`QuantizeDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `teams` | portable | every GPU: neighbouring invocations share a row and merge its extremes by a tree |
/// | `lanes` | software | adapters that are CPUs: a vector works on a row and merges by subgroup, or has a region for each lane; no barriers |
///
/// One dispatch, and two for a dynamic scale of a whole tensor, which borrows scratch.
///
/// Tensors above the device's limit of a binding are bound in ranges, with as many dispatches as there are, where they can
/// be cut: with one scale for the tensor and rows of a multiple of 4 (or a single row) anywhere, else between rows. A range
/// is then a multiple of 64 rows; with `PerBlock`, of 64 times the rows of a block, and not where the axes before the last
/// two make more than one matrix. Where a range as small as that is above the limit still, with dynamic scales per column,
/// and with random numbers, the plan is refused: [`PlanError::Limit`](crate::PlanError::Limit). Dequantization, fake
/// quantization and the fused quantizers cut nothing.
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
        let parts = windows::parts(self, capabilities.limits.max_storage_buffer_binding_size);
        if !parts.is_empty() {
            return windows::recipe(&parts, variant, capabilities);
        }
        Job::new(self, self.tensors(), Numbers::Stored, variant).recipe(variant, capabilities)
    }
}

/// Where the numbers come from that become codes.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Numbers<'a> {
    /// They are those of `x`.
    Stored,
    /// They are a function of those of `x`.
    Activated(&'a ActivationDesc),
    /// They are those of `x` normalised, the statistics of rows being in the scratch.
    Normed(&'a NormDesc),
    /// The same by invocations that have made their row's statistics.
    NormedByRow(&'a NormDesc),
}

impl Numbers<'_> {
    /// Words at the start of the scratch that are theirs.
    pub(crate) fn scratch_words(&self) -> usize {
        match self {
            Self::Normed(norm) => norm_quantize::STATISTICS_WORDS * (norm.batch * norm.rows).max(1),
            _ => 0,
        }
    }

    fn add_to(&self, builder: StageBuilder, desc: &QuantizeDesc, load: Load) -> StageBuilder {
        let pitch = |x: Format| Dtype::from(x).padded_row_len(desc.width());
        match self {
            Self::Stored => builder
                .size("x_pitch", pitch(desc.x))
                .reads_by("x", load)
                .part("quantize_numbers", include_str!("../shaders/quantize_numbers.wgsl")),
            Self::Activated(activation) => builder
                .size("x_pitch", pitch(activation.x))
                .constant("ACTIVATION", activation_code(activation.activation))
                .reads_by("x", load)
                .part("activate", include_str!("../shaders/shared/activation.wgsl"))
                .part("activation_quantize", include_str!("../shaders/activation_quantize.wgsl")),
            Self::Normed(norm) => norm::with_affine(norm::with_rows(builder, norm), norm)
                .words(SCRATCH, Access::Read)
                .part("norm_quantize", include_str!("../shaders/norm_quantize.wgsl")),
            Self::NormedByRow(norm) => norm::with_affine(norm::with_rows(builder, norm), norm)
                .part("norm_quantize_row", include_str!("../shaders/norm_quantize_row.wgsl")),
        }
    }
}

/// Codes to make, and to write, or the numbers that they stand for.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) desc: &'a QuantizeDesc,
    pub(crate) specs: Vec<TensorSpec>,
    pub(crate) numbers: Numbers<'a>,
    /// The format of the numbers, where those are wanted.
    pub(crate) out: Option<Format>,
    /// Which of a tensor's partial extremes are written and read, where not all of them and no others.
    pub(crate) partials: Option<Range<usize>>,
    /// How numbers are read and written. A CPU gains nothing by larger words: those of its lanes are apart.
    pub(crate) load: Load,
}

impl<'a> Job<'a> {
    /// Codes of these numbers.
    pub(crate) fn new(
        desc: &'a QuantizeDesc,
        specs: Vec<TensorSpec>,
        numbers: Numbers<'a>,
        variant: Variant,
    ) -> Self {
        let load = if variant.tier == Tier::Software { Load::Words } else { by_units(desc.width()) };
        Self { desc, specs, numbers, out: None, partials: None, load }
    }

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
        let builder = StageBuilder::over(label, self.specs.clone())
            .flag("ASYMMETRIC", desc.asymmetric)
            .flag("BY_ROW", matches!(self.numbers, Numbers::Normed(_) | Numbers::NormedByRow(_)))
            .size("width", width)
            .size("row_units", width.div_ceil(4))
            .size("partials_start", self.partials_start());
        self.numbers
            .add_to(builder, desc, self.load)
            .part("float_bits", include_str!("../shaders/shared/float_bits.wgsl"))
    }

    /// The codes of whole rows, with a scale each or one that is given for all, by teams of so many invocations; a producer's
    /// shader calls `deliver` for each row.
    pub(crate) fn of_rows(&self, label: &'static str, team: u32) -> StageBuilder {
        let builder = self
            .builder(label)
            .constant("TEAM", team)
            .constant("TEAM_X", team)
            .flag("FLAT", false)
            .flag("ONE_SCALE", self.desc.granularity == Granularity::PerTensor);
        let builder = with_range(builder, self.desc.width());
        let builder = match team {
            1 => builder.part("quantize_merge_none", include_str!("../shaders/quantize_merge_none.wgsl")),
            _ => builder.part("quantize_merge_tree", include_str!("../shaders/quantize_merge_tree.wgsl")),
        };
        let builder = match self.desc.scale == ScaleSource::Dynamic {
            true => with_affine(builder, self.desc)
                .part("quantize_by_region", include_str!("../shaders/quantize_by_region.wgsl")),
            false => with_given(builder),
        };
        self.with_codes(builder).part("quantize_unit", include_str!("../shaders/quantize_unit.wgsl"))
    }

    /// The word of the scratch at which partial extremes begin.
    fn partials_start(&self) -> usize {
        let first = self.partials.as_ref().map_or(0, |partials| partials.start);
        self.numbers.scratch_words() + first * (PARTIAL_BYTES / 4) as usize
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
            .flag("HAS_NAN", self.desc.q != Format::I8)
            .flag("HAS_SUBNORMAL", matches!(self.desc.q, Format::F32 | Format::BF16))
            .flag("ONE_NAN", self.desc.q == Format::E4m3)
            .size("out_pitch", Dtype::from(out).padded_row_len(self.desc.width()))
            .writes_by("out", self.load)
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
            .size("partials", self.partials());
        let builder = match dynamic {
            true => self.with_own_scale(builder),
            false => with_given(builder),
        };
        self.job
            .with_codes(builder)
            .part("quantize_unit", include_str!("../shaders/quantize_unit.wgsl"))
            .part("quantize", include_str!("../shaders/quantize.wgsl"))
            .loop_iterations(self.code_iterations())
            .groups(layout.groups(dynamic))
    }

    /// How many partial extremes a scale is made of.
    fn partials(&self) -> usize {
        self.job.partials.as_ref().map_or(self.layout.partials() as usize, Range::len)
    }

    /// One pass over the units, two more for a region's extremes or one over a tensor's partial ones; then the merging.
    fn code_iterations(&self) -> usize {
        let layout = &self.layout;
        let own_scale = self.desc.scale == ScaleSource::Dynamic;
        let passes = if !layout.flat && own_scale { 3 } else { 1 };
        let partials = if layout.flat && own_scale { self.partials() } else { 0 };
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
            .flag("FLAT", layout.flat)
            .size("units", layout.units());
        let builder = with_range(builder, layout.width);
        if workers.subgroup && workers.team > 1 {
            let merge = include_str!("../shaders/quantize_merge_subgroup.wgsl");
            return builder.part("quantize_merge_subgroup", merge);
        }
        builder.part("quantize_merge_tree", include_str!("../shaders/quantize_merge_tree.wgsl"))
    }
}

/// Where a region is, and its extremes.
fn with_range(builder: StageBuilder, width: usize) -> StageBuilder {
    builder
        .constant("UNROLL", UNROLL)
        .flag("WHOLE_UNITS", width.is_multiple_of(4))
        .part("quantize_range", include_str!("../shaders/quantize_range.wgsl"))
}

/// Scales and zero points of the caller's.
fn with_given(builder: StageBuilder) -> StageBuilder {
    builder
        .words("scale", Access::Read)
        .reads("zero_point")
        .part("quantize_given", include_str!("../shaders/quantize_given.wgsl"))
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
