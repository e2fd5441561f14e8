//! A random descriptor of each kernel.

use super::{Draw, Random};
use crate::{
    ActivationDesc, ActivationQuantizeDesc, AttentionDesc, CastDesc, ChangeDesc, CombineDesc, ConvDesc,
    ConvLayout, DequantizeDesc, FaceMean, FakeQuantizeDesc, Format, GatedResidualDesc, Heads, HeatDesc,
    HistogramDesc, LaplacianDesc, MatmulDesc, MergeDesc, Modulation, NormDesc, NormKind, NormQuantizeDesc,
    Op, Operand, Pair, Pairing, PatchifyDesc, Positions, QuantizeDesc, RotaryDesc, Scheme, Stencil,
    UnpatchifyDesc, Window,
};

fn operand(draw: &mut Draw) -> Operand {
    let format = draw.format();
    Operand {
        format,
        transposed: draw.flag(),
        shared: draw.rarely(3),
        columns: if draw.rarely(5) { Some(draw.columns()) } else { None },
        scale: draw.some(Draw::granularity),
        zero: draw.rarely(if format == Format::I8 { 2 } else { 20 }),
    }
}

impl Random for MatmulDesc {
    fn random(draw: &mut Draw) -> Self {
        Self {
            batch: draw.count(),
            m: draw.size(),
            k: draw.size(),
            n: draw.size(),
            a: operand(draw),
            b: operand(draw),
            bias: draw.flag(),
            activation: draw.activation(),
            pair: draw.rarely(4).then(|| draw.one(&[Pair::GateFirst, Pair::GateLast])),
            gate: draw.rarely(5).then(|| draw.columns()),
            residual: draw.rarely(3),
            residual_shared: draw.rarely(5),
            out_scale: draw.rarely(4),
            out: draw.format(),
            overflow: draw.some(Draw::overflow),
            out_columns: draw.rarely(6).then(|| draw.columns()),
            batch_invariant: draw.rarely(4),
        }
    }
}

impl Random for AttentionDesc {
    fn random(draw: &mut Draw) -> Self {
        let kv_heads = draw.count();
        let heads = if draw.rarely(20) { draw.count() } else { kv_heads.saturating_mul(draw.count()) };
        let (batch, seq_q, seq_kv) = (draw.count(), draw.size(), draw.size());
        let (head_dim, v_dim) = (draw.size(), draw.size());
        let one = |draw: &mut Draw, full: [usize; 3], dim: usize| Heads {
            format: draw.format(),
            scale: draw.some(|draw| full.map(|extent| if draw.flag() { 1 } else { extent })),
            view: if draw.rarely(4) { Some(draw.view([full[1], full[2], dim])) } else { None },
        };
        let broadcast = |draw: &mut Draw| {
            draw.some(|draw| [batch, heads, seq_q, seq_kv].map(|n| if draw.flag() { 1 } else { n }))
        };
        Self {
            batch,
            heads,
            kv_heads,
            seq_q,
            seq_kv,
            head_dim,
            v_dim,
            q: one(draw, [batch, heads, seq_q], head_dim),
            k: one(draw, [batch, kv_heads, seq_kv], head_dim),
            v: one(draw, [batch, kv_heads, seq_kv], v_dim),
            out: draw.float(),
            out_view: if draw.rarely(5) { Some(draw.view([heads, seq_q, v_dim])) } else { None },
            scale: draw.some(|draw| draw.number() as f32),
            causal: draw.some(Draw::align),
            window: draw.rarely(3).then(|| Window {
                left: draw.some(Draw::size),
                right: draw.some(Draw::size),
                align: draw.align(),
            }),
            softcap: draw.rarely(3).then(|| draw.number() as f32),
            mask: broadcast(draw),
            bias: broadcast(draw),
            sinks: draw.rarely(3),
            sequences: draw.rarely(5).then(|| draw.count()),
            lse: draw.flag(),
            batch_invariant: draw.rarely(4),
        }
    }
}

impl Random for MergeDesc {
    fn random(draw: &mut Draw) -> Self {
        let (parts, rows, dim) = (draw.count(), draw.size(), draw.size());
        Self { parts, rows, dim, x: draw.format(), out: draw.float(), lse: draw.flag() }
    }
}

impl Random for RotaryDesc {
    fn random(draw: &mut Draw) -> Self {
        let (batch, heads, seq) = (draw.count(), draw.count(), draw.size());
        let axes: Vec<usize> = (0..draw.axes())
            .map(|_| if draw.rarely(9) { draw.size() } else { 2 * (1 + draw.below(8)) })
            .collect();
        let turned = axes.iter().fold(0usize, |sum, &axis| sum.saturating_add(axis));
        let head_dim = if draw.rarely(9) { draw.size() } else { turned.saturating_add(4 * draw.below(3)) };
        let view = |draw: &mut Draw| draw.rarely(4).then(|| draw.view([heads, seq, head_dim]));
        Self {
            batch,
            heads,
            seq,
            head_dim,
            axes,
            pairing: draw.one(&[Pairing::HalfSplit, Pairing::Interleaved]),
            table_rows: draw.size(),
            positions: match draw.below(3) {
                0 => Positions::From(draw.count()),
                1 => Positions::Tokens,
                _ => Positions::ItemTokens,
            },
            norm: draw.some(|draw| draw.number() as f32),
            weight: draw.flag(),
            weight_rows: if draw.rarely(4) { draw.count() } else { 1 },
            x: draw.format(),
            x_view: view(draw),
            out: draw.float(),
            out_view: view(draw),
            in_place: draw.rarely(6),
        }
    }
}

impl Random for ConvDesc {
    fn random(draw: &mut Draw) -> Self {
        let axes = draw.axes();
        let groups = draw.count();
        let channels = |draw: &mut Draw| {
            if draw.rarely(12) { draw.size() } else { groups.saturating_mul(draw.size()) }
        };
        let transposed = draw.rarely(4);
        let often = |wanted: bool, draw: &mut Draw| wanted && !draw.rarely(10);
        Self {
            batch: draw.count(),
            in_channels: channels(draw),
            out_channels: channels(draw),
            spatial: draw.extents(axes),
            kernel: (0..axes).map(|_| draw.count()).collect(),
            layout: draw.one(&ConvLayout::ALL),
            x: draw.format(),
            w: draw.format(),
            out: draw.float(),
            groups,
            stride: draw.list(axes, Draw::count),
            dilation: draw.list(axes, Draw::count),
            padding: draw.list(axes, |draw| [draw.below(4), draw.count()]),
            boundary: if often(transposed, draw) { Vec::new() } else { draw.list(axes, Draw::boundary) },
            upsample: if often(transposed, draw) { Vec::new() } else { draw.list(axes, Draw::count) },
            transposed,
            output_padding: if often(!transposed, draw) {
                Vec::new()
            } else {
                draw.list(axes, |draw| draw.below(3))
            },
            x_scale: draw.rarely(3),
            w_scale: draw.rarely(3).then(|| draw.granularity()),
            bias: draw.flag(),
            activation: draw.activation(),
            residual: draw.rarely(3),
        }
    }
}

impl Random for LaplacianDesc {
    fn random(draw: &mut Draw) -> Self {
        let axes = draw.axes();
        Self {
            batch: draw.count(),
            spatial: draw.extents(axes),
            spacing: draw.list(axes, Draw::number),
            boundary: draw.list(axes, Draw::edges),
            stencil: draw.one(&Stencil::ALL),
            diffusivity: draw.number(),
            medium: draw.rarely(3).then(|| draw.float()),
            face_mean: draw.one(&[FaceMean::Arithmetic, FaceMean::Harmonic]),
            u: draw.float(),
            out: draw.float(),
        }
    }
}

impl Random for HeatDesc {
    fn random(draw: &mut Draw) -> Self {
        let grid = LaplacianDesc::random(draw);
        let desc = Self {
            batch: grid.batch,
            spatial: grid.spatial,
            spacing: grid.spacing,
            boundary: grid.boundary,
            stencil: grid.stencil,
            diffusivity: grid.diffusivity,
            medium: grid.medium,
            face_mean: grid.face_mean,
            source: draw.rarely(3).then(|| draw.float()),
            time_step: draw.number(),
            scheme: if draw.rarely(4) { Scheme::Rkl2 { stages: draw.count() } } else { Scheme::Euler },
            steps_per_dispatch: if draw.rarely(10) { draw.size() } else { 1 + draw.below(8) },
            u: grid.u,
            out: grid.out,
        };
        // Most steps are stable.
        if draw.rarely(6) { desc } else { Self { time_step: 0.9 * desc.stable_dt(), ..desc } }
    }
}

fn shape(draw: &mut Draw) -> Vec<usize> {
    let axes = draw.below(4);
    draw.extents(axes)
}

impl Random for QuantizeDesc {
    fn random(draw: &mut Draw) -> Self {
        let granularity = draw.granularity();
        Self {
            shape: shape(draw),
            x: draw.float(),
            q: draw.format_of(&[Format::E4m3, Format::E5m2, Format::I8]),
            granularity,
            scale: draw.scale_source(),
            asymmetric: draw.rarely(4),
            scale_rounding: draw.rarely(4).then(|| draw.scale_rounding()),
            rounding: draw.rounding(),
            overflow: draw.overflow(),
        }
    }
}

impl Random for DequantizeDesc {
    fn random(draw: &mut Draw) -> Self {
        Self {
            shape: shape(draw),
            q: draw.format(),
            out: draw.float(),
            granularity: draw.granularity(),
            power_scales: draw.rarely(4),
            zero_point: draw.rarely(4),
        }
    }
}

impl Random for FakeQuantizeDesc {
    fn random(draw: &mut Draw) -> Self {
        Self { codes: <QuantizeDesc as Random>::random(draw), out: draw.float() }
    }
}

impl Random for CastDesc {
    fn random(draw: &mut Draw) -> Self {
        Self { shape: shape(draw), x: draw.format(), out: draw.format(), overflow: draw.some(Draw::overflow) }
    }
}

impl Random for HistogramDesc {
    fn random(draw: &mut Draw) -> Self {
        Self { shape: shape(draw), x: draw.float() }
    }
}

impl Random for NormDesc {
    fn random(draw: &mut Draw) -> Self {
        let width = draw.size();
        Self {
            batch: draw.count(),
            rows: draw.size(),
            width,
            kind: draw.one(&[NormKind::Layer, NormKind::Rms]),
            eps: draw.number() as f32,
            x: draw.format(),
            out: draw.format(),
            weight: draw.flag(),
            bias: draw.flag(),
            modulation: draw.rarely(3).then(|| Modulation {
                width: if draw.rarely(8) { draw.size() } else { width.saturating_mul(6) },
                shift: if draw.rarely(8) { draw.size() } else { 0 },
                scale: if draw.rarely(8) { draw.size() } else { width },
            }),
        }
    }
}

impl Random for ActivationDesc {
    fn random(draw: &mut Draw) -> Self {
        let (rows, width, activation) = (draw.size(), draw.size(), draw.activation());
        Self { rows, width, activation, x: draw.format(), out: draw.format() }
    }
}

/// A quantizer of what a producer makes, mostly.
fn codes_of<P: Op>(producer: &P, draw: &mut Draw) -> QuantizeDesc {
    let codes = <QuantizeDesc as Random>::random(draw);
    if draw.rarely(8) {
        return codes;
    }
    let out = producer.tensors().into_iter().find(|spec| spec.name == "out");
    QuantizeDesc { shape: out.map(|spec| spec.shape).unwrap_or_default(), x: Format::F32, ..codes }
}

impl Random for NormQuantizeDesc {
    fn random(draw: &mut Draw) -> Self {
        let norm = NormDesc::random(draw);
        let norm = NormDesc { out: draw.format_of(&[Format::F32]), ..norm };
        let codes = codes_of(&norm, draw);
        Self { norm, codes }
    }
}

impl Random for ActivationQuantizeDesc {
    fn random(draw: &mut Draw) -> Self {
        let activation = ActivationDesc::random(draw);
        let activation = ActivationDesc { out: draw.format_of(&[Format::F32]), ..activation };
        let codes = codes_of(&activation, draw);
        Self { activation, codes }
    }
}

impl Random for GatedResidualDesc {
    fn random(draw: &mut Draw) -> Self {
        let (batch, rows, width) = (draw.count(), draw.size(), draw.size());
        Self { batch, rows, width, x: draw.format(), out: draw.format(), gate: draw.some(Draw::columns) }
    }
}

impl Random for CombineDesc {
    fn random(draw: &mut Draw) -> Self {
        Self { states: draw.count(), predictions: draw.count(), noise: draw.flag(), elements: draw.size() }
    }
}

impl Random for ChangeDesc {
    fn random(draw: &mut Draw) -> Self {
        Self { elements: draw.size() }
    }
}

impl Random for PatchifyDesc {
    fn random(draw: &mut Draw) -> Self {
        let patch = draw.count();
        let side = |draw: &mut Draw| {
            if draw.rarely(8) { draw.size() } else { patch.saturating_mul(draw.count()) }
        };
        let [height, width] = [side(draw), side(draw)];
        Self { batch: draw.count(), channels: draw.count(), height, width, patch, repeat: draw.count() }
    }
}

impl Random for UnpatchifyDesc {
    fn random(draw: &mut Draw) -> Self {
        let PatchifyDesc { batch, channels, height, width, patch, .. } = PatchifyDesc::random(draw);
        Self { batch, channels, height, width, patch }
    }
}
