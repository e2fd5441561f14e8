use crate::kernel::{Kernel, Variant, buffers, sealed};
use crate::recipe::{Recipe, StageBuilder};
use crate::{Activation, Capabilities, Columns, Granularity, MatmulDesc, Plan, Tier};
use langevin_reference::Dtype;

/// Matrix multiplication of any two storage formats, with its epilogue: see [`MatmulDesc`].
///
/// | variant | tier | for |
/// |---|---|---|
/// | `tiled` | portable | every GPU: 64 x 64 tiles staged in workgroup memory |
/// | `broadcast` | software | adapters that are CPUs: no barriers, one operand read by broadcast |
pub type Matmul = Plan<MatmulDesc>;

buffers! {
    /// Where the tensors of a [`MatmulDesc`] are.
    MatmulBuffers {
        required:
            /// The left operand.
            a,
            /// The right operand.
            b,
            /// The result.
            out;
        optional:
            /// With [`MatmulDesc::a_scale`].
            a_scale,
            /// With [`MatmulDesc::b_scale`].
            b_scale,
            /// With [`MatmulDesc::a_zero`].
            a_zero,
            /// With [`MatmulDesc::b_zero`].
            b_zero,
            /// With [`MatmulDesc::bias`].
            bias,
            /// With [`MatmulDesc::gate`].
            gate,
            /// With [`MatmulDesc::residual`].
            residual
    }
}

const TILED: Variant = Variant { name: "tiled", tier: Tier::Portable, reason: "runs everywhere" };

const BROADCAST: Variant = Variant {
    name: "broadcast",
    tier: Tier::Software,
    // Barriers spill every register there; see benches/matmul.rs.
    reason: "the adapter is a CPU, where barriers cost more than re-reading",
};

impl sealed::Sealed for MatmulDesc {}

impl Kernel for MatmulDesc {
    type Buffers<'a> = MatmulBuffers<'a>;

    fn variants(&self, capabilities: &Capabilities) -> Vec<Variant> {
        [BROADCAST, TILED].into_iter().filter(|variant| capabilities.has(variant.tier)).collect()
    }

    fn recipe(&self, variant: Variant, _: &Capabilities) -> Recipe {
        let Self { batch, m, k, n, .. } = *self;
        // Depths at a time: 4 by broadcast, and the rest one by one; 16 in a tile, whose inner loop is unrolled.
        let (text, tile_m, tile_n, iterations) = match variant.tier {
            Tier::Software => (include_str!("../shaders/matmul_broadcast.wgsl"), 16, 32, k / 4 + k % 4),
            _ => (include_str!("../shaders/matmul_tiled.wgsl"), 64, 64, k.div_ceil(16)),
        };
        let pitch = |dtype: Dtype, columns: usize| dtype.padded_row_len(columns);
        let (b_pitch, out_pitch) = (pitch(self.b.into(), n), pitch(self.out.into(), n));
        let gate = self.gate.unwrap_or(Columns::all(n));
        let (tiles_m, tiles_n) = (m.div_ceil(tile_m), n.div_ceil(tile_n));
        let builder = StageBuilder::new("matmul", self)
            .constant("A_SCALE", scale_code(self.a_scale))
            .constant("B_SCALE", scale_code(self.b_scale))
            .flag("A_HAS_ZERO", self.a_zero)
            .flag("B_HAS_ZERO", self.b_zero)
            .flag("HAS_BIAS", self.bias)
            .constant("ACTIVATION", activation_code(self.activation))
            .flag("HAS_GATE", self.gate.is_some())
            .flag("HAS_RESIDUAL", self.residual)
            .size("m", m)
            .size("k", k)
            .size("n", n)
            .size("a_pitch", pitch(self.a.into(), k))
            .size("b_pitch", b_pitch)
            .size("b_stride", if self.b_shared { 0 } else { k * b_pitch })
            .size("out_pitch", out_pitch)
            .size("residual_stride", if self.residual_shared { 0 } else { m * out_pitch })
            .size("gate_width", gate.width)
            .size("gate_start", gate.start)
            .size("tiles_m", tiles_m)
            .size("tiles_n", tiles_n);
        let inputs = ["a", "b", "a_scale", "b_scale", "a_zero", "b_zero", "bias", "gate", "residual"];
        let stage = inputs
            .into_iter()
            .fold(builder, StageBuilder::reads)
            .writes("out")
            .part("activation", include_str!("../shaders/shared/activation.wgsl"))
            .part("matmul_epilogue", include_str!("../shaders/shared/matmul_epilogue.wgsl"))
            .part(variant.name, text)
            .loop_iterations(iterations)
            .groups((batch * tiles_m * tiles_n) as u64);
        Recipe::single(stage)
    }
}

fn scale_code(scale: Option<Granularity>) -> u32 {
    match scale {
        None => 0,
        Some(Granularity::PerTensor) => 1,
        Some(_) => 2,
    }
}

/// The `ACTIVATION` of `shaders/shared/activation.wgsl`.
pub(crate) fn activation_code(activation: Activation) -> u32 {
    match activation {
        Activation::Relu => 1,
        Activation::GeluTanh => 2,
        Activation::Silu => 3,
        _ => 0,
    }
}
