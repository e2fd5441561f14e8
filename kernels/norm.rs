use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, Stage, StageBuilder};
use crate::{Capabilities, NormDesc, NormKind, Plan, Tier};
use langevin_gpu::ParamValue;
use langevin_reference::{Dtype, Modulation};

/// Layer or RMS normalisation of rows, with weight, bias and modulation: see [`NormDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `tree` | portable | every GPU: a workgroup shares a row |
/// | `serial` | software | adapters that are CPUs: no barriers, an invocation has a row to itself |
pub type Norm = Plan<NormDesc>;

buffers! {
    /// Where the tensors of a [`NormDesc`] are.
    NormBuffers {
        required:
            /// The rows.
            x,
            /// The result.
            out;
        optional:
            /// With [`NormDesc::weight`].
            weight,
            /// With [`NormDesc::bias`].
            bias,
            /// With [`NormDesc::modulation`].
            modulation
    }
}

const TREE: Variant = Variant { name: "tree", tier: Tier::Portable, reason: "runs everywhere" };

const SERIAL: Variant = Variant {
    name: "serial",
    tier: Tier::Software,
    // 640 rows of 128 on llvmpipe, two shared cores: 0.8 ms against 26 ms (Mesa 22.3), 0.35 against 26 (Mesa 26.1).
    reason: "the adapter is a CPU, where barriers cost more than a row of additions",
};

impl sealed::Sealed for NormDesc {}

impl Kernel for NormDesc {
    type Buffers<'a> = NormBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        [SERIAL, TREE].into_iter().filter(|variant| capabilities.has(variant.tier)).collect()
    }

    fn recipe(&self, variant: Variant, capabilities: &Capabilities) -> Recipe {
        let builder = StageBuilder::new("norm", self)
            .size("width", self.width)
            .size("out_pitch", Dtype::from(self.out).padded_row_len(self.width));
        let builder = with_affine(with_rows(builder, self), self)
            .writes("out")
            .part("norm_store", include_str!("../shaders/norm_store.wgsl"));
        Recipe::single(with_statistics(builder, self, variant.tier, capabilities))
    }
}

/// Invocations that share a row of `tree`: a power of two.
pub(crate) fn row_lanes(capabilities: &Capabilities) -> u32 {
    let limits = &capabilities.limits;
    let most = limits.max_compute_invocations_per_workgroup.min(limits.max_compute_workgroup_size_x);
    1 << most.clamp(1, 128).ilog2()
}

/// Reads rows. The builder has their width.
pub(crate) fn with_rows(builder: StageBuilder, desc: &NormDesc) -> StageBuilder {
    builder
        .size("x_pitch", Dtype::from(desc.x).padded_row_len(desc.width))
        .reads("x")
        .part("norm_row", include_str!("../shaders/shared/norm_row.wgsl"))
}

/// Finishes normalised elements.
pub(crate) fn with_affine(builder: StageBuilder, desc: &NormDesc) -> StageBuilder {
    let modulation = desc.modulation.unwrap_or(Modulation { width: 0, shift: 0, scale: 0 });
    let builder = builder
        .flag("HAS_WEIGHT", desc.weight)
        .flag("HAS_BIAS", desc.bias)
        .flag("HAS_MODULATION", desc.modulation.is_some())
        .size("rows", desc.rows)
        .size("modulation_width", modulation.width)
        .size("shift", modulation.shift)
        .size("scale", modulation.scale);
    ["weight", "bias", "modulation"]
        .into_iter()
        .fold(builder, StageBuilder::reads)
        .part("norm_affine", include_str!("../shaders/shared/norm_affine.wgsl"))
}

/// The stage that computes the statistics of every row, and does with them what the builder's parts say.
pub(crate) fn with_statistics(
    builder: StageBuilder,
    desc: &NormDesc,
    tier: Tier,
    capabilities: &Capabilities,
) -> Stage {
    let all_rows = if desc.width == 0 { 0 } else { desc.batch * desc.rows };
    // Three passes over a row, four columns at a time, by one invocation or by several.
    let lanes = row_lanes(capabilities);
    let each = desc.width.div_ceil(4 * lanes as usize);
    let (name, text, rows_per_group, iterations) = match tier {
        Tier::Software => {
            ("norm_serial", include_str!("../shaders/norm_serial.wgsl"), 8, 3 * desc.width.div_ceil(4))
        }
        _ => ("norm_tree", include_str!("../shaders/norm_tree.wgsl"), 1, 3 * each + 14),
    };
    let builder = if tier == Tier::Software {
        builder
    } else {
        let text = include_str!("../shaders/shared/sum_of_lanes.wgsl");
        builder.constant("LANES", lanes).part("sum_of_lanes", text)
    };
    builder
        .flag("CENTRED", desc.kind == NormKind::Layer)
        .size("all_rows", all_rows)
        .param("eps", ParamValue::F32(desc.eps))
        .part(name, text)
        .loop_iterations(iterations)
        .groups(all_rows.div_ceil(rows_per_group) as u64)
}
