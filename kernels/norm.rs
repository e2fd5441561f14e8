use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder};
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

    fn recipe(&self, variant: Variant, _: &Capabilities) -> Recipe {
        let all_rows = if self.width == 0 { 0 } else { self.batch * self.rows };
        // Three passes over a row, four columns at a time, by one invocation or by 128.
        let (text, rows_per_group, iterations) = match variant.tier {
            Tier::Software => (include_str!("../shaders/norm_serial.wgsl"), 8, 3 * self.width.div_ceil(4)),
            _ => (include_str!("../shaders/norm_tree.wgsl"), 1, 3 * self.width.div_ceil(512) + 14),
        };
        let modulation = self.modulation.unwrap_or(Modulation { width: 0, shift: 0, scale: 0 });
        let builder = StageBuilder::new("norm", self)
            .flag("CENTRED", self.kind == NormKind::Layer)
            .flag("HAS_WEIGHT", self.weight)
            .flag("HAS_BIAS", self.bias)
            .flag("HAS_MODULATION", self.modulation.is_some())
            .size("rows", self.rows)
            .size("all_rows", all_rows)
            .size("width", self.width)
            .size("x_pitch", Dtype::from(self.x).padded_row_len(self.width))
            .size("out_pitch", Dtype::from(self.out).padded_row_len(self.width))
            .size("modulation_width", modulation.width)
            .size("shift", modulation.shift)
            .size("scale", modulation.scale)
            .param("eps", ParamValue::F32(self.eps));
        let stage = ["x", "weight", "bias", "modulation"]
            .into_iter()
            .fold(builder, StageBuilder::reads)
            .writes("out")
            .part("norm_row", include_str!("../shaders/shared/norm_row.wgsl"))
            .part(variant.name, text)
            .loop_iterations(iterations)
            .groups(all_rows.div_ceil(rows_per_group) as u64);
        Recipe::single(stage)
    }
}
