//! What is timed, each case named after its use. Adding one is one line.

use super::reduced::Reduced;
use super::subject::Subject;
use langevin::Format::{self, BF16, E4m3, E5m2, F16, F32, I8};
use langevin::{
    Activation, ActivationDesc, ActivationQuantizeDesc, Align, AttentionDesc, Boundary, Capabilities,
    CastDesc, ChangeDesc, Columns, CombineDesc, ConvDesc, ConvLayout, DequantizeDesc, Edge,
    GatedResidualDesc, Granularity, Heads, HeatDesc, HistogramDesc, LaplacianDesc, MatmulDesc, MergeDesc,
    Modulation, NormDesc, NormQuantizeDesc, Operand, PatchifyDesc, QuantizeDesc, RotaryDesc, Scheme, Stencil,
    UnpatchifyDesc, wgpu,
};
use serde::{Deserialize, Serialize};

/// What a case's rate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Unit {
    /// Floating-point operations.
    Flops,
    /// Bytes, each input and output once.
    Bytes,
}

/// One problem under its name.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) unit: Unit,
    pub(super) subject: Box<dyn Subject>,
    /// Too much for adapters that are not GPUs of their own.
    large: bool,
}

impl Case {
    fn flops(name: impl Into<String>, desc: impl Reduced) -> Self {
        Self { name: name.into(), unit: Unit::Flops, subject: Box::new(desc), large: false }
    }

    fn bytes(name: impl Into<String>, desc: impl Reduced) -> Self {
        Self { unit: Unit::Bytes, ..Self::flops(name, desc) }
    }

    fn large(self) -> Self {
        Self { large: true, ..self }
    }

    /// Whether it is a sensible size for the adapter.
    pub(super) fn suits(&self, capabilities: &Capabilities) -> bool {
        !self.large || capabilities.device_type == wgpu::DeviceType::DiscreteGpu
    }

    /// Whether it is done in a moment on any adapter.
    pub(super) fn is_quick(&self) -> bool {
        let cost = self.subject.cost();
        cost.flops <= 5e7 && cost.bytes_read + cost.bytes_written <= 1e7
    }
}

/// Tokens of DiT-XL/2 for pictures of 256 x 256: 32 x 32 latents in patches of 2.
const TOKENS: usize = 256;
/// The width of DiT-XL/2.
const WIDTH: usize = 1152;

/// Every case, by kernel.
pub(super) fn cases() -> Vec<Case> {
    [matmul(), attention(), stencils(), conv(), codecs(), transformer()].into_iter().flatten().collect()
}

fn matmul() -> Vec<Case> {
    let mut cases = vec![
        Case::flops("f32 256^3", product([256; 3], F32, F32, F32)),
        Case::flops("f32 512^3", product([512; 3], F32, F32, F32)),
        Case::flops("f32 1024^3", product([1024; 3], F32, F32, F32)),
        Case::flops("f32 4096^3", product([4096; 3], F32, F32, F32)).large(),
        Case::flops("f32 8192^3", product([8192; 3], F32, F32, F32)).large(),
        Case::flops("DiT-XL/2 qkv", product([TOKENS, WIDTH, 3 * WIDTH], F16, F16, F16)),
        Case::flops("DiT-XL/2 mlp up", product([TOKENS, WIDTH, 4 * WIDTH], F16, F16, F16)),
        Case::flops("DiT-XL/2 mlp down", product([TOKENS, 4 * WIDTH, WIDTH], F16, F16, F16)),
        Case::flops("FLUX mlp up, e4m3 weights", product([4096, 3072, 12288], F16, E4m3, F16)).large(),
    ];
    for b in [F16, BF16, E4m3, E5m2, I8] {
        cases.push(Case::flops(format!("f16 x {b} 1024^3"), product([1024; 3], F16, b, F16)));
    }
    cases.push(Case::flops("i8 x i8 1024^3", product([1024; 3], I8, I8, F32)));
    cases.push(Case::flops("i8 x i8 4096^3", product([4096; 3], I8, I8, F32)).large());
    for b in [F16, BF16, E4m3, I8] {
        cases.push(Case::flops(format!("f16 x {b} 4096^3"), product([4096; 3], F16, b, F16)).large());
        cases.push(Case::flops(format!("f16 x {b} 8192^3"), product([8192; 3], F16, b, F16)).large());
    }
    for b in [F16, E4m3, I8] {
        let long = product([1, 8192, 16_384], F16, b, F16);
        let long = MatmulDesc { b: Operand { transposed: true, ..long.b }, ..long };
        cases.push(Case::bytes(format!("LLM decode 8192 x 16384, {b} weights [n, k]"), long).large());
        let square = product([4096; 3], F16, b, F16);
        let square = MatmulDesc { b: Operand { transposed: true, ..square.b }, ..square };
        cases.push(Case::flops(format!("f16 x {b} [n, k] 4096^3"), square).large());
    }
    for b in [F32, F16, E4m3, I8] {
        let a = if b == F32 { F32 } else { F16 };
        let decode = product([1, 4096, 4096], a, b, a);
        let transposed = MatmulDesc { b: Operand { transposed: true, ..decode.b }, ..decode.clone() };
        cases.push(Case::bytes(format!("LLM decode 4096 x 4096, {b} weights [k, n]"), decode));
        cases.push(Case::bytes(format!("LLM decode 4096 x 4096, {b} weights [n, k]"), transposed));
    }
    cases
}

/// A product of `[m, k]` and `[k, n]`; the sizes are given as m, k, n.
fn product([m, k, n]: [usize; 3], a: Format, b: Format, out: Format) -> MatmulDesc {
    MatmulDesc { m, k, n, a: a.into(), b: b.into(), out, ..Default::default() }
}

fn attention() -> Vec<Case> {
    let whole = heads(2, 4096, 64, F32);
    vec![
        Case::flops("f32 8 heads 1024 x 64", heads(8, 1024, 64, F32)),
        Case::flops("f16 8 heads 1024 x 64", heads(8, 1024, 64, F16)),
        Case::flops("f32 2 heads 4096 x 64", whole.clone()),
        Case::flops("f32 2 heads 4096 x 64, causal", AttentionDesc { causal: Some(Align::TopLeft), ..whole }),
        Case::bytes("decode 32 heads over 4, 8192 keys of f32", decode(F32)),
        Case::bytes("decode 32 heads over 4, 8192 keys of e4m3", decode(E4m3)),
        Case::flops("DiT-XL/2 16 heads 256 x 72", heads(16, TOKENS, WIDTH / 16, F16)),
        Case::flops("f16 16 heads 4096 x 128", heads(16, 4096, 128, F16)).large(),
        Case::flops("f32 16 heads 4096 x 128", heads(16, 4096, 128, F32)).large(),
        Case::bytes("f32 16 heads 4096 x 128", turned(F32, None)),
        Case::bytes("f16 16 heads 4096 x 128, normalised", turned(F16, Some(1e-6))),
        Case::bytes("4 parts of 16 heads 4096 x 128", parts(F32)),
        Case::bytes("f16, 4 parts of 16 heads 4096 x 128", parts(F16)),
    ]
}

/// One new token of a language model against its cache, whose codes have a scale.
fn decode(cache: Format) -> AttentionDesc {
    let (kv_heads, dim) = (4, 128);
    let scaled = if cache == F32 { cache.into() } else { Heads::from(cache).scaled([1; 3]) };
    let sizes = AttentionDesc {
        heads: 32,
        kv_heads,
        seq_q: 1,
        seq_kv: 8192,
        head_dim: dim,
        v_dim: dim,
        ..Default::default()
    };
    AttentionDesc { k: scaled, v: scaled, causal: Some(Align::BottomRight), ..sizes }
}

/// All elements of a row turn, along one axis.
fn turned(format: Format, norm: Option<f32>) -> RotaryDesc {
    let (seq, head_dim) = (4096, 128);
    let sizes =
        RotaryDesc { heads: 16, seq, head_dim, axes: vec![head_dim], table_rows: seq, ..Default::default() };
    RotaryDesc { x: format, out: format, norm, weight: norm.is_some(), ..sizes }
}

fn parts(format: Format) -> MergeDesc {
    MergeDesc { parts: 4, rows: 16 * 4096, dim: 128, x: format, out: format, lse: true }
}

fn heads(heads: usize, seq: usize, head_dim: usize, format: Format) -> AttentionDesc {
    let (seq_q, seq_kv, v_dim) = (seq, seq, head_dim);
    let sizes =
        AttentionDesc { heads, kv_heads: heads, seq_q, seq_kv, head_dim, v_dim, ..Default::default() };
    AttentionDesc { q: format.into(), k: format.into(), v: format.into(), out: format, ..sizes }
}

fn stencils() -> Vec<Case> {
    let several = |steps_per_dispatch| HeatDesc { steps_per_dispatch, ..heat(&[4096; 2], F32) };
    let laplacian = LaplacianDesc { spatial: vec![1024; 2], ..Default::default() };
    let (stencil, scheme) = (Stencil::Fourth, Scheme::Rkl2 { stages: 9 });
    vec![
        Case::bytes("f32 1024^2", heat(&[1024; 2], F32)),
        Case::bytes("f16 1024^2", heat(&[1024; 2], F16)),
        Case::bytes("f32 4096^2", several(1)),
        Case::bytes("f32 4096^2, 2 steps", several(2)),
        Case::bytes("f32 4096^2, 4 steps", several(4)),
        Case::bytes("f32 4096^2, 8 steps", several(8)),
        Case::bytes("f32 8192^2", heat(&[8192; 2], F32)).large(),
        Case::bytes("f32 8192^2, 4 steps", HeatDesc { steps_per_dispatch: 4, ..heat(&[8192; 2], F32) })
            .large(),
        Case::bytes("f32 8192^2, 8 steps", HeatDesc { steps_per_dispatch: 8, ..heat(&[8192; 2], F32) })
            .large(),
        Case::bytes("f32 128^3", heat(&[128; 3], F32)),
        Case::bytes("f32 1024^2, 9 stages", HeatDesc { scheme, ..heat(&[1024; 2], F32) }),
        Case::bytes("f32 1024^2", laplacian.clone()),
        Case::bytes("f32 1024^2 fourth order", LaplacianDesc { stencil, ..laplacian }),
    ]
}

/// A step of half the stable length on a grid with insulated edges.
fn heat(spatial: &[usize], format: Format) -> HeatDesc {
    let boundary = vec![[Edge::Neumann(0.0); 2]];
    let still =
        HeatDesc { spatial: spatial.to_vec(), boundary, u: format, out: format, ..Default::default() };
    HeatDesc { time_step: still.stable_dt() / 2.0, ..still }
}

fn conv() -> Vec<Case> {
    let last = ConvDesc { layout: ConvLayout::ChannelsLast, ..filter(256, 128, F16) };
    vec![
        Case::bytes("blur 3x3, 1 channel 1024^2", filter(1, 1024, F32)),
        Case::flops("3x3, 64 to 64 channels 64^2", filter(64, 64, F32)),
        Case::bytes("3x3, depthwise 64 channels 64^2", ConvDesc { groups: 64, ..filter(64, 64, F32) }),
        Case::flops("f16 3x3, 320 to 320 channels 64^2", filter(320, 64, F16)).large(),
        Case::flops("f16 3x3, 256 to 256 channels 128^2", filter(256, 128, F16)).large(),
        Case::flops("f16 3x3, 256 to 256 channels 128^2, last", last).large(),
    ]
}

fn filter(channels: usize, extent: usize, format: Format) -> ConvDesc {
    let (spatial, kernel, padding) = (vec![extent; 2], vec![3; 2], vec![[1, 1]]);
    let boundary = vec![Boundary::Zero];
    let sizes =
        ConvDesc { in_channels: channels, out_channels: channels, spatial, kernel, ..Default::default() };
    ConvDesc { padding, boundary, x: format, w: format, out: format, ..sizes }
}

fn codecs() -> Vec<Case> {
    let mut cases = Vec::new();
    for (q, granularity) in
        [(E4m3, Granularity::PerRow), (I8, Granularity::PerRow), (E4m3, Granularity::PerTensor)]
    {
        let by = if granularity == Granularity::PerRow { "rows" } else { "tensor" };
        let desc = QuantizeDesc { shape: vec![8192, 4096], x: BF16, q, granularity, ..Default::default() };
        cases.push(Case::bytes(format!("bf16 to {q} by {by}, 8192 x 4096"), desc));
    }
    let desc = QuantizeDesc { shape: vec![16_384, 4096], ..Default::default() };
    cases.push(Case::bytes("f32 to e4m3 by tensor, 64 M", desc));
    for q in [E4m3, I8] {
        let granularity = Granularity::PerRow;
        let desc =
            DequantizeDesc { shape: vec![8192, 4096], q, out: BF16, granularity, ..Default::default() };
        cases.push(Case::bytes(format!("{q} to bf16 by rows, 8192 x 4096"), desc));
    }
    for (x, out) in [(F32, BF16), (F16, E4m3)] {
        let desc = CastDesc { shape: vec![8192, 4096], x, out, ..Default::default() };
        cases.push(Case::bytes(format!("{x} to {out}, 8192 x 4096"), desc));
    }
    cases.push(Case::bytes("bf16, 8192 x 4096", HistogramDesc { shape: vec![8192, 4096], x: BF16 }));
    cases
}

fn transformer() -> Vec<Case> {
    // Of the six columns of a block's modulation: shift, scale and gate of its first half.
    let [shift, scale, gate] = [0, WIDTH, 2 * WIDTH];
    let modulation = Some(Modulation { width: 6 * WIDTH, shift, scale });
    let gate = Some(Columns { start: gate, width: 6 * WIDTH });
    let (x, out, activation) = (F16, F16, Activation::GeluTanh);
    let norm = NormDesc { rows: TOKENS, width: WIDTH, x, out, ..Default::default() };
    let (batch, rows, width) = (1, TOKENS, WIDTH);
    let codes = QuantizeDesc { granularity: Granularity::PerRow, ..Default::default() };
    let gelu = ActivationDesc { rows, width: 4 * WIDTH, activation, x, out };
    let rms = NormDesc { rows: 4096, width: 4096, weight: true, ..norm.clone() };
    let (channels, height, wide, patch) = (4, 32, 32, 2);
    let elements = 8 * channels * height * wide;
    vec![
        Case::bytes("DiT-XL/2 adaLN 256 x 1152", NormDesc { modulation, ..norm.clone() }),
        Case::bytes(
            "DiT-XL/2 adaLN to e4m3 256 x 1152",
            NormQuantizeDesc::new(NormDesc { modulation, ..norm }, codes.clone()),
        ),
        Case::bytes("LLM RMS 4096 x 4096", rms.clone()),
        Case::bytes("LLM RMS to e4m3 4096 x 4096", NormQuantizeDesc::new(rms, codes.clone())),
        Case::bytes("DiT-XL/2 gelu 256 x 4608", gelu.clone()),
        Case::bytes("DiT-XL/2 gelu to e4m3 256 x 4608", ActivationQuantizeDesc::new(gelu, codes)),
        Case::bytes("DiT-XL/2 gate 256 x 1152", GatedResidualDesc { batch, rows, width, x, out, gate }),
        Case::bytes("DiT-XL/2 step, guided", CombineDesc { predictions: 2, elements, ..Default::default() }),
        Case::bytes("DiT-XL/2 cache, guided", ChangeDesc { elements: 2 * TOKENS * WIDTH }),
        Case::bytes(
            "DiT-XL/2 in",
            PatchifyDesc { batch: 8, channels, height, width: wide, patch, repeat: 2 },
        ),
        Case::bytes("DiT-XL/2 out", UnpatchifyDesc { batch: 8, channels, height, width: wide, patch }),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_within_a_kernel_and_descriptors_are_valid() {
        let mut seen = std::collections::BTreeSet::new();
        for case in cases() {
            assert!(seen.insert((case.subject.kernel(), case.name.clone())), "{} twice", case.name);
            assert_eq!(case.subject.validate(), Ok(()), "{}", case.name);
        }
    }

    #[test]
    fn some_cases_are_quick_and_every_kernel_has_one_for_every_adapter() {
        let cases = cases();
        assert!(cases.iter().any(Case::is_quick));
        for case in &cases {
            let same = |other: &&Case| other.subject.kernel() == case.subject.kernel();
            assert!(
                cases.iter().filter(same).any(|case| case.suits(&Capabilities::minimal())),
                "{}",
                case.name
            );
        }
    }
}
