//! What the doctor checks: small and odd shapes, every format, every option at least once.
//!
//! Each set of formats and options is a shader to compile, 0.3 s on a software driver, so they are paired rather than
//! multiplied; other sizes cost nothing more.

use super::{Cases, Group};
use langevin::formats::e8m0::ScaleRounding;
use langevin::reference::random::{self, Random};
use langevin::reference::{Boundary, Edge, FaceMean, ScaleSource, Scheme, Stencil};
use langevin::{
    Activation, ActivationDesc, ActivationQuantizeDesc, Align, AttentionDesc, CastDesc, ChangeDesc, Columns,
    CombineDesc, ConvDesc, ConvLayout, DequantizeDesc, FakeQuantizeDesc, Format, GatedResidualDesc,
    Granularity, Heads, HeatDesc, HistogramDesc, Kernel, LaplacianDesc, MatmulDesc, MergeDesc, Modulation,
    NormDesc, NormKind, NormQuantizeDesc, Operand, Overflow, Pair, Pairing, PatchifyDesc, Positions,
    QuantizeDesc, RotaryDesc, UnpatchifyDesc, Window,
};

/// The formats that results of arithmetic are stored in.
const FLOATS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];

/// Every kernel's cases; with `random`, so many more of each that are drawn.
pub(super) fn groups(random: usize) -> Vec<Box<dyn Group>> {
    fn more<D: Kernel + Random + 'static>(chosen: Vec<D>, random: usize) -> Box<dyn Group> {
        Box::new(Cases { chosen, drawn: random::valid::<D>(random, 1, LARGEST, MOST_FLOPS) })
    }
    vec![
        more(matmul(), random),
        more(attention(), random),
        more(merge(), random),
        more(rotary(), random),
        more(conv(), random),
        more(laplacian(), random),
        more(heat(), random),
        more(quantize(), random),
        more(dequantize(), random),
        more(fake_quantize(), random),
        more(cast(), random),
        more(histogram(), random),
        more(norm_quantize(), random),
        more(activation_quantize(), random),
        more(norm(), random),
        more(activation(), random),
        more(gated_residual(), random),
        more(combine(), random),
        more(change(), random),
        more(patchify(), random),
        more(unpatchify(), random),
    ]
}

/// Bytes of a random case's tensor, and its arithmetic, at most: the reference's time, not the adapter's.
const LARGEST: u64 = 1 << 20;
const MOST_FLOPS: f64 = 3e7;

/// Each format with another, and a format of results.
fn formats() -> impl Iterator<Item = (Format, Format, Format)> {
    (0..6).map(|i| (Format::ALL[i], Format::ALL[(i + 3) % 6], FLOATS[i % 3]))
}

fn matmul() -> Vec<MatmulDesc> {
    let product = |m, k, n| MatmulDesc { m, k, n, ..Default::default() };
    let mut cases = vec![product(1, 1, 1), product(65, 33, 67), product(3, 131, 17)];
    cases.extend(formats().map(|(a, b, out)| MatmulDesc {
        a: a.into(),
        b: b.into(),
        out,
        batch: 2,
        ..product(19, 23, 37)
    }));
    let integers = Operand { zero: true, ..Format::I8.into() };
    let (a, b) = (integers.scaled(Granularity::PerRow), integers.scaled(Granularity::PerColumn));
    cases.push(MatmulDesc { a, b, activation: Activation::Relu, ..product(17, 70, 9) });
    let (bias, residual, gate) = (true, true, Some(Columns { start: 5, width: 41 }));
    let scaled = Operand::default().scaled(Granularity::PerTensor);
    let fused = MatmulDesc { bias, residual, gate, a: scaled, b: scaled, ..product(18, 20, 35) };
    let gelu = MatmulDesc { activation: Activation::GeluTanh, ..fused };
    // Without a summed axis the epilogue alone is left.
    cases.extend([MatmulDesc { k: 0, ..gelu.clone() }, MatmulDesc { batch: 2, ..gelu.clone() }]);
    let shared = Operand { shared: true, ..scaled };
    let silu = MatmulDesc { activation: Activation::Silu, b: shared, residual_shared: true, ..gelu };
    cases.push(MatmulDesc { batch: 2, ..silu });
    cases.extend(matmul_layouts());
    cases
}

/// Transposed and narrower operands, groups, pairs, 8-bit results, one row, and sums in slices.
fn matmul_layouts() -> Vec<MatmulDesc> {
    let product = |m, k, n| MatmulDesc { m, k, n, ..Default::default() };
    let turned = |format: Format| Operand { transposed: true, ..format.into() };
    let narrow = Operand { columns: Some(Columns { start: 4, width: 101 }), ..Format::F16.into() };
    let grouped = |format: Format, size| Operand::from(format).scaled(Granularity::PerGroup(size));
    let pair = |pair| MatmulDesc { pair: Some(pair), bias: true, ..product(9, 40, 36) };
    vec![
        MatmulDesc { a: turned(Format::F16), b: turned(Format::E4m3), ..product(21, 34, 19) },
        MatmulDesc { a: narrow, b: turned(Format::I8), ..product(40, 97, 33) },
        MatmulDesc { b: turned(Format::E5m2), ..product(1, 300, 50) },
        MatmulDesc { a: grouped(Format::E4m3, 32), b: grouped(Format::I8, 64), ..product(10, 150, 20) },
        MatmulDesc { b: grouped(Format::BF16, 128), out: Format::F16, ..product(2, 300, 20) },
        MatmulDesc { activation: Activation::Silu, ..pair(Pair::GateFirst) },
        MatmulDesc { activation: Activation::GeluErf, ..pair(Pair::GateLast) },
        MatmulDesc { out: Format::E4m3, out_scale: true, ..product(7, 30, 18) },
        MatmulDesc { out: Format::I8, out_scale: true, ..product(7, 30, 18) },
        MatmulDesc {
            a: Format::F16.into(),
            b: Format::F16.into(),
            out_columns: Some(Columns { start: 8, width: 40 }),
            ..product(33, 50, 21)
        },
        MatmulDesc { bias: true, ..product(9, 2100, 13) },
        MatmulDesc {
            a: Format::I8.into(),
            b: Format::I8.into(),
            batch_invariant: true,
            ..product(5, 2100, 13)
        },
    ]
}

fn attention() -> Vec<AttentionDesc> {
    let heads = |seq_q, seq_kv, head_dim, v_dim| AttentionDesc {
        heads: 2,
        seq_q,
        seq_kv,
        head_dim,
        v_dim,
        ..Default::default()
    };
    let mut cases = vec![heads(1, 1, 1, 1), heads(33, 65, 32, 32), heads(5, 131, 17, 67), heads(3, 0, 4, 4)];
    cases.extend(formats().map(|(q, k, out)| AttentionDesc {
        q: q.into(),
        k: k.into(),
        v: q.into(),
        out,
        ..heads(7, 19, 24, 10)
    }));
    let grouped = AttentionDesc { batch: 2, heads: 6, kv_heads: 2, lse: true, ..heads(35, 37, 16, 12) };
    for causal in [Align::TopLeft, Align::BottomRight, Align::Offset(-3)] {
        cases.push(AttentionDesc { causal: Some(causal), ..grouped.clone() });
    }
    let window = |left, right, align| Some(Window { left: Some(left), right, align });
    cases.push(AttentionDesc { window: window(5, Some(2), Align::BottomRight), ..grouped.clone() });
    // Three sequences, and few queries against many keys.
    let sequences = AttentionDesc { batch: 1, sequences: Some(3), ..grouped.clone() };
    cases.push(AttentionDesc { window: window(9, None, Align::TopLeft), ..sequences });
    cases.push(AttentionDesc { seq_q: 1, seq_kv: 1100, lse: true, ..heads(1, 1100, 20, 20) });
    // Several blocks of keys in what matrix units take.
    let [q, k, v] = [Format::F16, Format::E4m3, Format::F16].map(Heads::from);
    let causal = Some(Align::BottomRight);
    cases.push(AttentionDesc { q, k, v, causal, lse: true, ..heads(70, 97, 72, 40) });
    let masked = AttentionDesc { mask: Some([1, 6, 35, 37]), bias: Some([2, 1, 1, 37]), ..grouped.clone() };
    let scaled = |shape| Heads::from(Format::I8).scaled(shape);
    let (q, k, v) = (scaled([2, 1, 35]), scaled([1, 2, 1]), scaled([2, 2, 37]));
    let (scale, softcap) = (Some(0.02), Some(3.0));
    cases.extend([masked.clone(), AttentionDesc { q, k, v, scale, softcap, sinks: true, ..grouped }]);
    cases.push(AttentionDesc { q, k, v, scale, sinks: true, ..masked });
    cases
}

fn conv() -> Vec<ConvDesc> {
    let conv = |spatial: &[usize], kernel: &[usize]| ConvDesc {
        spatial: spatial.to_vec(),
        kernel: kernel.to_vec(),
        ..Default::default()
    };
    let mut cases = vec![conv(&[1], &[1]), conv(&[131], &[7])];
    let channels =
        ConvDesc { batch: 2, in_channels: 6, out_channels: 10, bias: true, ..conv(&[9, 13], &[3, 2]) };
    cases.extend(formats().map(|(x, w, out)| ConvDesc { x, w, out, ..channels.clone() }));
    for boundary in Boundary::ALL {
        let padding = vec![[1, 1], [2, 0]];
        cases.push(ConvDesc { padding, boundary: vec![boundary], groups: 2, ..channels.clone() });
    }
    let strided =
        ConvDesc { stride: vec![2, 1, 3], dilation: vec![1, 2, 2], ..conv(&[7, 8, 17], &[2, 3, 3]) };
    cases.push(ConvDesc { padding: vec![[1, 1]], ..strided });
    let last = ConvDesc { layout: ConvLayout::ChannelsLast, padding: vec![[1, 1]], ..channels.clone() };
    let upsampled = ConvDesc { upsample: vec![2, 3], boundary: vec![Boundary::Reflect], ..last.clone() };
    let spread = ConvDesc { transposed: true, stride: vec![2, 3], bias: false, groups: 2, ..channels };
    for (spatial, kernel) in [(&[9, 13][..], &[3, 2][..]), (&[5, 6, 7], &[3, 1, 2])] {
        let depthwise = ConvDesc { in_channels: 6, out_channels: 6, groups: 6, ..conv(spatial, kernel) };
        cases.push(ConvDesc { batch: 2, bias: true, padding: vec![[1, 1]], ..depthwise });
    }
    let (x_scale, w_scale, residual) = (true, Some(Granularity::PerRow), true);
    let fused = ConvDesc { x_scale, w_scale, residual, activation: Activation::Silu, ..last.clone() };
    cases.extend([fused, upsampled, ConvDesc { layout: ConvLayout::ChannelsLast, ..spread.clone() }, spread]);
    cases.push(ConvDesc { x: Format::I8, w: Format::I8, in_channels: 70, out_channels: 36, ..last.clone() });
    // Several tiles of a product, and what is over.
    for layout in ConvLayout::ALL {
        let tiles =
            ConvDesc { in_channels: 21, out_channels: 140, spatial: vec![11, 13], layout, ..last.clone() };
        let (x, w) = (Format::F16, Format::E4m3);
        cases.push(ConvDesc { x, w, boundary: vec![Boundary::Constant(-0.5), Boundary::Circular], ..tiles });
    }
    cases
}

/// Grids of one, two and three axes with each kind of edge, and a format.
fn grids() -> [(Vec<usize>, Vec<[Edge; 2]>, Format); 5] {
    let [periodic, insulated] = [[Edge::Periodic; 2], [Edge::Neumann(0.0); 2]];
    let mixed = [Edge::Dirichlet(1.0), Edge::Neumann(0.5)];
    [
        (vec![1], vec![periodic], Format::F32),
        (vec![133], vec![mixed], Format::F16),
        (vec![33, 7], vec![periodic, [Edge::Fixed(0.25); 2]], Format::F32),
        (vec![5, 6, 7], vec![insulated, periodic, mixed], Format::BF16),
        (vec![35, 12], vec![mixed, periodic], Format::F32),
    ]
}

fn laplacian() -> Vec<LaplacianDesc> {
    let case = |(i, (spatial, boundary, format))| {
        let (u, out, spacing) = (format, format, vec![0.5]);
        let desc = LaplacianDesc { batch: 2, spatial, boundary, u, out, spacing, ..Default::default() };
        let stencil = if i % 2 == 0 { Stencil::Fourth } else { Stencil::Isotropic };
        let medium = LaplacianDesc { medium: Some(FLOATS[i % 3]), ..desc.clone() };
        [LaplacianDesc { stencil, ..desc.clone() }, medium, desc]
    };
    grids().into_iter().enumerate().flat_map(case).collect()
}

fn heat() -> Vec<HeatDesc> {
    let case = |(i, (spatial, boundary, format))| {
        let still = HeatDesc { batch: 2, spatial, boundary, u: format, out: format, ..Default::default() };
        // One periodic cell is stable whatever the step.
        let desc = HeatDesc { time_step: (0.5 * still.stable_dt()).min(1.0), ..still };
        let [many, most] =
            [2 + i, 8].map(|steps_per_dispatch| HeatDesc { steps_per_dispatch, ..desc.clone() });
        let (medium, source) = (Some(FLOATS[i % 3]), Some(FLOATS[(i + 1) % 3]));
        let face_mean = if i % 2 == 0 { FaceMean::Harmonic } else { FaceMean::Arithmetic };
        let stages = HeatDesc { scheme: Scheme::Rkl2 { stages: 3 + i }, ..desc.clone() };
        [HeatDesc { medium, source, face_mean, ..desc.clone() }, many, most, stages, desc]
    };
    grids().into_iter().enumerate().flat_map(case).collect()
}

fn quantize() -> Vec<QuantizeDesc> {
    let mut cases = Vec::new();
    let codes = [Format::E4m3, Format::E5m2, Format::I8];
    for (i, (x, q)) in FLOATS.into_iter().zip(codes).enumerate() {
        let desc = QuantizeDesc { x, q, asymmetric: q == Format::I8, ..Default::default() };
        let (tensor, row) = (Granularity::PerTensor, Granularity::PerRow);
        for (granularity, scale) in
            [(tensor, ScaleSource::Dynamic), (row, ScaleSource::Dynamic), (row, ScaleSource::Static)]
        {
            let overflow = [Overflow::Saturate, Overflow::NonSaturating][i % 2];
            let one = QuantizeDesc { granularity, scale, overflow, ..desc.clone() };
            cases.push(QuantizeDesc { shape: vec![3, 131], ..one.clone() });
            cases.push(QuantizeDesc { shape: vec![2, 5, 8], ..one });
        }
    }
    let symmetric = QuantizeDesc { q: Format::I8, shape: vec![1031], ..Default::default() };
    cases.extend([symmetric.clone(), QuantizeDesc { shape: vec![], ..symmetric }]);
    let of = |granularity| QuantizeDesc { shape: vec![2, 9, 70], granularity, ..Default::default() };
    cases.extend(parts().map(of));
    let scale_rounding = Some(ScaleRounding::Even);
    cases.push(QuantizeDesc { scale_rounding, ..of(Granularity::PerGroup(32)) });
    cases
}

fn fake_quantize() -> Vec<FakeQuantizeDesc> {
    let codes = quantize().into_iter().step_by(3);
    codes.zip(FLOATS.into_iter().cycle()).map(|(codes, out)| FakeQuantizeDesc { codes, out }).collect()
}

fn cast() -> Vec<CastDesc> {
    // Rows of whole units are read by larger words.
    let case = |(i, (x, out, _))| CastDesc { shape: vec![3, 2, 35 + i % 2], x, out, ..Default::default() };
    let overflow = Some(Overflow::Saturate);
    let halves = [(Format::F32, Format::F16), (Format::F16, Format::BF16), (Format::E5m2, Format::E4m3)];
    let saturating = halves.map(|(x, out)| CastDesc { x, out, overflow, shape: vec![68] });
    let again = formats().enumerate().map(|(i, formats)| (i + 1, formats));
    formats().enumerate().chain(again).map(case).chain(saturating).collect()
}

fn histogram() -> Vec<HistogramDesc> {
    let shapes = [vec![3, 7, 35], vec![5, 9, 701], vec![70_003]];
    FLOATS.into_iter().zip(shapes).map(|(x, shape)| HistogramDesc { shape, x }).collect()
}

/// Granularities finer than a row, or across rows.
fn parts() -> [Granularity; 4] {
    let block = |rows, columns| Granularity::PerBlock { rows, columns };
    [Granularity::PerColumn, Granularity::PerGroup(32), block(4, 16), block(4, 1)]
}

fn dequantize() -> Vec<DequantizeDesc> {
    let case = |(width, (q, _, out))| {
        let per_row = out != Format::F16;
        let granularity = if per_row { Granularity::PerRow } else { Granularity::PerTensor };
        let zero_point = q == Format::I8;
        DequantizeDesc { shape: vec![3, 2, width], q, out, granularity, zero_point, ..Default::default() }
    };
    let q = Format::E4m3;
    let of = |granularity| DequantizeDesc { shape: vec![2, 9, 70], q, granularity, ..Default::default() };
    let widths = [35, 36].into_iter().flat_map(|width| formats().map(move |formats| (width, formats)));
    let mut cases: Vec<_> = widths.map(case).collect();
    cases.extend(parts().map(of));
    cases.push(DequantizeDesc { power_scales: true, ..of(Granularity::PerGroup(32)) });
    cases
}

fn norm() -> Vec<NormDesc> {
    let rows = |rows, width| NormDesc { batch: 2, rows, width, ..Default::default() };
    let mut cases = vec![rows(1, 1), rows(9, 67), rows(3, 1031)];
    cases[0].eps = 1.0;
    for (i, (x, _, out)) in formats().enumerate() {
        let kind = [NormKind::Layer, NormKind::Rms][i % 2];
        let modulation = Some(Modulation { width: 100, shift: 3, scale: 50 });
        let desc = NormDesc { x, out, kind, weight: true, bias: i % 2 == 0, ..rows(5, 37) };
        cases.push(NormDesc { modulation: modulation.filter(|_| i % 3 == 0), ..desc });
    }
    cases
}

/// How activations are quantized: by token, by tensor, in MX blocks, by a given scale.
fn quantizers() -> [QuantizeDesc; 4] {
    let per_row = QuantizeDesc { granularity: Granularity::PerRow, ..Default::default() };
    let mx = QuantizeDesc {
        granularity: Granularity::PerGroup(32),
        scale_rounding: Some(ScaleRounding::Rceil),
        ..Default::default()
    };
    [
        per_row.clone(),
        QuantizeDesc { q: Format::I8, asymmetric: true, ..Default::default() },
        mx,
        QuantizeDesc { q: Format::E5m2, scale: ScaleSource::Static, ..per_row },
    ]
}

fn norm_quantize() -> Vec<NormQuantizeDesc> {
    let norms = norm().into_iter().skip(1);
    norms
        .zip(quantizers().into_iter().cycle())
        .map(|(norm, codes)| NormQuantizeDesc::new(norm, codes))
        .collect()
}

fn activation_quantize() -> Vec<ActivationQuantizeDesc> {
    let quantizers = quantizers().into_iter().cycle();
    activation()
        .into_iter()
        .zip(quantizers)
        .map(|(function, codes)| ActivationQuantizeDesc::new(function, codes))
        .collect()
}

fn activation() -> Vec<ActivationDesc> {
    let functions = Activation::ALL.into_iter().cycle();
    let case = |((x, _, out), activation)| ActivationDesc { rows: 3, width: 35, activation, x, out };
    formats().zip(functions).map(case).collect()
}

fn merge() -> Vec<MergeDesc> {
    let case = |(x, _, out)| MergeDesc { parts: 3, rows: 5, dim: 35, x, out, lse: true };
    let mut cases: Vec<_> = formats().map(case).collect();
    cases.extend([1, 0, 21].map(|parts| MergeDesc { parts, ..cases[0].clone() }));
    cases[1].lse = false;
    cases
}

/// Both pairings, one axis and several, with and without a norm, in place and not.
fn rotary() -> Vec<RotaryDesc> {
    let axes = [vec![70], vec![32, 16], vec![6, 2, 10, 4], vec![]];
    let positions = [Positions::From(3), Positions::Tokens, Positions::ItemTokens];
    let pairings = [Pairing::HalfSplit, Pairing::Interleaved];
    let case = |(i, (x, _, out)): (usize, (Format, Format, Format))| RotaryDesc {
        batch: 2,
        heads: 4,
        seq: 5,
        head_dim: 70 + i,
        axes: axes[i % 4].clone(),
        pairing: pairings[i / 2 % 2],
        table_rows: 9,
        positions: positions[i % 3],
        norm: (i % 4 != 1).then_some(1e-5),
        weight: i % 2 == 0,
        weight_rows: if i % 2 == 0 { [2, 1, 4][i / 2 % 3] } else { 1 },
        x,
        out,
        ..Default::default()
    };
    let mut cases: Vec<_> = formats().enumerate().map(case).collect();
    let in_place = |case: &RotaryDesc| RotaryDesc { x: case.out, in_place: true, ..case.clone() };
    cases.extend([in_place(&cases[1]), in_place(&cases[2])]);
    cases
}

fn gated_residual() -> Vec<GatedResidualDesc> {
    let gate = Some(Columns { start: 6, width: 50 });
    let case = |(x, _, out)| GatedResidualDesc { batch: 2, rows: 3, width: 35, x, out, gate };
    let mut cases: Vec<_> = formats().map(case).collect();
    cases[1].gate = None;
    cases
}

fn combine() -> Vec<CombineDesc> {
    let case = |(states, predictions, noise)| CombineDesc { states, predictions, noise, elements: 203 };
    [(1, 1, false), (1, 2, true), (4, 2, false)].map(case).to_vec()
}

fn change() -> Vec<ChangeDesc> {
    [3, 4099, 600_001].map(|elements| ChangeDesc { elements }).to_vec()
}

fn patchify() -> Vec<PatchifyDesc> {
    let case = |patch, repeat| PatchifyDesc { batch: 2, channels: 3, height: 6, width: 12, patch, repeat };
    vec![case(2, 2), case(3, 1), case(1, 1)]
}

fn unpatchify() -> Vec<UnpatchifyDesc> {
    [1, 2, 3].map(|patch| UnpatchifyDesc { batch: 2, channels: 3, height: 6, width: 12, patch }).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;
    use langevin::verify::Op;

    fn all_are_valid<D: Op>(cases: Vec<D>) {
        for case in cases {
            assert_eq!(case.validate(), Ok(()), "{case:?}");
        }
    }

    #[test]
    fn every_case_is_valid() {
        all_are_valid(matmul());
        all_are_valid(attention());
        all_are_valid(conv());
        all_are_valid(laplacian());
        all_are_valid(heat());
        all_are_valid(quantize());
        all_are_valid(dequantize());
        all_are_valid(fake_quantize());
        all_are_valid(cast());
        all_are_valid(histogram());
        all_are_valid(norm_quantize());
        all_are_valid(activation_quantize());
        all_are_valid(merge());
        all_are_valid(rotary());
        all_are_valid(norm());
        all_are_valid(activation());
        all_are_valid(gated_residual());
        all_are_valid(combine());
        all_are_valid(change());
        all_are_valid(patchify());
        all_are_valid(unpatchify());
    }
}
