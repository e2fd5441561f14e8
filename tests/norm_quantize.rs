//! A norm fused with a quantizer, against its reference and against the two kernels one after the other.

use langevin::formats::e8m0::ScaleRounding;
use langevin::reference::generate;
use langevin::verify::{self, Op, RunOptions, Tensor, Tensors, compare};
use langevin::{
    Format, Gpu, Granularity, Kernel, Modulation, NormDesc, NormKind, NormQuantize, NormQuantizeDesc,
    Overflow, PlanOptions, QuantizeDesc, Rounding, ScaleSource, Variant,
};
use langevin_testkit::{conform, conform_on, gpu};

fn norm(rows: usize, width: usize) -> NormDesc {
    NormDesc { rows, width, ..Default::default() }
}

fn per_row(q: Format) -> QuantizeDesc {
    QuantizeDesc { q, granularity: Granularity::PerRow, ..Default::default() }
}

/// Around units of four, the rows of a workgroup of either variant, and what a team takes at once.
#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    let widths = [1, 2, 3, 4, 5, 31, 33, 127, 128, 131, 257, 515, 1031];
    let rows = [1, 3, 7, 9, 17];
    for (i, &width) in widths.iter().enumerate() {
        let desc = NormQuantizeDesc::new(norm(rows[i % rows.len()], width), per_row(Format::E4m3));
        // A single column is zero when it is centred.
        let kind = if width == 1 { NormKind::Rms } else { NormKind::Layer };
        conform(&gpu, &NormQuantizeDesc { norm: NormDesc { kind, ..desc.norm }, ..desc }, i as u64);
    }
}

/// Every way to share scales, found or given, with every option of the norm and every format of codes at least once.
fn cases() -> Vec<NormQuantizeDesc> {
    let granularities = [
        Granularity::PerTensor,
        Granularity::PerRow,
        Granularity::PerColumn,
        Granularity::PerGroup(32),
        Granularity::PerBlock { rows: 4, columns: 8 },
        Granularity::PerBlock { rows: 5, columns: 1 },
    ];
    let formats = [(Format::E4m3, false), (Format::E5m2, false), (Format::I8, false), (Format::I8, true)];
    let mut cases = Vec::new();
    for (i, granularity) in granularities.into_iter().enumerate() {
        for (j, scale) in [ScaleSource::Dynamic, ScaleSource::Static].into_iter().enumerate() {
            let (q, asymmetric) = formats[(i + j) % formats.len()];
            let codes = QuantizeDesc { q, asymmetric, granularity, scale, ..Default::default() };
            let norm = NormDesc {
                batch: 2,
                kind: [NormKind::Layer, NormKind::Rms][(i + j) % 2],
                x: [Format::BF16, Format::F32, Format::F16][i % 3],
                weight: i % 2 == 0,
                bias: i % 3 == 0,
                modulation: (j == 1).then_some(Modulation { width: 150, shift: 3, scale: 80 }),
                ..norm(9, 70)
            };
            cases.push(NormQuantizeDesc::new(norm, codes));
        }
    }
    let mx = QuantizeDesc {
        granularity: Granularity::PerGroup(32),
        scale_rounding: Some(ScaleRounding::Rceil),
        ..Default::default()
    };
    cases.push(NormQuantizeDesc::new(norm(9, 150), mx));
    let random = QuantizeDesc { rounding: Rounding::Stochastic, ..per_row(Format::E5m2) };
    cases.push(NormQuantizeDesc::new(norm(9, 68), random));
    // The whole tensor is one row of whole units, counted through.
    let tensor = QuantizeDesc { q: Format::I8, ..Default::default() };
    cases.push(NormQuantizeDesc::new(NormDesc { kind: NormKind::Rms, ..norm(70, 64) }, tensor));
    cases
}

#[test]
fn every_granularity() {
    let Some(gpu) = gpu() else { return };
    for (i, desc) in cases().iter().enumerate() {
        conform(&gpu, desc, i as u64);
    }
}

fn run<D: Kernel>(gpu: &Gpu, desc: &D, inputs: &Tensors, variant: Variant) -> Tensors {
    let plan = PlanOptions { pick: variant.into(), ..Default::default() };
    verify::run(gpu, desc, inputs, &RunOptions { plan }).unwrap()
}

/// The bounds are narrow: of ordinary numbers nearly every code is known to the bit. And the codes are those of the norm's
/// own numbers, quantized by their own kernel, wherever one code is possible.
#[test]
fn codes_are_those_of_the_two_kernels_where_only_one_is_possible() {
    let Some(gpu) = gpu() else { return };
    // Each is three kernels to compile.
    for (i, desc) in cases().iter().enumerate().step_by(4) {
        let inputs = generate::inputs(desc, i as u64);
        let expected = &desc.evaluate(&inputs).unwrap()[0];
        let langevin::reference::Answer::Bounded { bound, .. } = &expected.answer else { panic!("a bound") };
        let open = bound.iter().filter(|&&bound| bound > 0.0).count();
        assert!(open * 50 <= bound.len(), "{desc:?}: {open} of {} codes are not known", bound.len());
        for variant in desc.variants(gpu.capabilities()) {
            let fused = run(&gpu, desc, &inputs, variant);
            let tier =
                desc.norm.variants(gpu.capabilities()).into_iter().find(|norm| norm.tier == variant.tier);
            let of_norm: Vec<_> = desc.norm.tensors().iter().map(|spec| spec.name).collect();
            let (mut normed, mut codes) = (Tensors::new(), Tensors::new());
            for (name, tensor) in inputs.iter() {
                let of = if of_norm.contains(&name) { &mut normed } else { &mut codes };
                of.insert(name, tensor.clone());
            }
            let numbers = run(&gpu, &desc.norm, &normed, tier.unwrap()).remove("out").unwrap();
            codes.insert("x", numbers);
            let apart = run(&gpu, &desc.codes, &codes, variant);
            let [fused, apart] = [fused, apart].map(|tensors| tensors.get("q").unwrap().to_f32());
            for ((fused, apart), bound) in fused.iter().zip(&apart).zip(bound) {
                assert!(*bound > 0.0 || fused == apart, "{desc:?}: {fused} {apart}");
            }
        }
    }
}

/// The largest number of each row has the largest code, whatever the roundings before.
#[test]
fn dynamic_scales_reach_the_largest_code() {
    let Some(gpu) = gpu() else { return };
    for q in [Format::E4m3, Format::E5m2, Format::I8] {
        let desc = NormQuantizeDesc::new(NormDesc { x: Format::BF16, ..norm(33, 257) }, per_row(q));
        for variant in desc.variants(gpu.capabilities()) {
            let codes = run(&gpu, &desc, &generate::inputs(&desc, 5), variant).remove("q").unwrap();
            for row in codes.to_f32().chunks(257) {
                let largest = row.iter().map(|code| code.abs()).fold(0.0, f32::max);
                assert_eq!(f64::from(largest), q.max_finite());
            }
        }
    }
}

#[test]
fn special_values_and_empty_tensors() {
    let Some(gpu) = gpu() else { return };
    // NaN and infinity spoil their rows and no other; constant rows are zeros, and so are rows of zeros.
    let mut x = vec![0.0; 6 * 8];
    x[0] = f32::NAN;
    x[8..16].copy_from_slice(&[f32::INFINITY, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    x[24..32].fill(5.0);
    x[32..40].copy_from_slice(&[1.0, -1.0, 2.0, -2.0, 3.0, -3.0, 1e-40, 0.5]);
    x[40..].copy_from_slice(&[7.0, 1.0, 9.0, 3.0, -4.0, 5.0, 6.0, 2.0]);
    for overflow in [Overflow::Saturate, Overflow::NonSaturating] {
        let desc = NormQuantizeDesc::new(norm(6, 8), QuantizeDesc { overflow, ..per_row(Format::E4m3) });
        let mut inputs = Tensors::new();
        inputs.insert("x", Tensor::from_f32(Format::F32, &[1, 6, 8], &x).unwrap());
        conform_on(&gpu, &desc, &inputs);
    }
    for (rows, width) in [(0, 5), (5, 0)] {
        for granularity in [Granularity::PerRow, Granularity::PerTensor, Granularity::PerColumn] {
            for scale in [ScaleSource::Dynamic, ScaleSource::Static] {
                let codes = QuantizeDesc { granularity, scale, ..Default::default() };
                conform(&gpu, &NormQuantizeDesc::new(norm(rows, width), codes), 1);
            }
        }
    }
}

#[test]
fn wrong_references_are_rejected() {
    let Some(gpu) = gpu() else { return };
    let desc = NormQuantizeDesc::new(NormDesc { weight: true, ..norm(7, 50) }, per_row(Format::E4m3));
    let inputs = generate::inputs(&desc, 2);
    let variant = desc.variants(gpu.capabilities())[0];
    let outputs = run(&gpu, &desc, &inputs, variant);
    let passes = |other: &NormQuantizeDesc| {
        let expected = other.evaluate(&inputs).unwrap();
        expected.iter().map(|e| compare(e, outputs.get(e.name).unwrap()).passed()).collect::<Vec<_>>()
    };
    assert_eq!(passes(&desc), [true, true]);
    let rms = NormDesc { kind: NormKind::Rms, ..desc.norm.clone() };
    assert_eq!(passes(&NormQuantizeDesc { norm: rms, ..desc.clone() }), [false, false]);
    let eps = NormDesc { eps: 1e-2, ..desc.norm.clone() };
    assert!(!passes(&NormQuantizeDesc { norm: eps, ..desc.clone() })[1]);
    let other = QuantizeDesc { q: Format::E5m2, ..desc.codes.clone() };
    assert_eq!(passes(&NormQuantizeDesc { codes: other, ..desc }), [false, false]);
}

#[test]
fn errors_name_the_field_and_the_tensor() {
    let Some(gpu) = gpu() else { return };
    let desc = NormQuantizeDesc::new(norm(2, 8), per_row(Format::I8));
    let wrong =
        NormQuantizeDesc { norm: NormDesc { out: Format::BF16, ..desc.norm.clone() }, ..desc.clone() };
    let error = NormQuantize::new(gpu.device(), &wrong).unwrap_err().to_string();
    assert!(error.starts_with("norm_quantize: `out` must be f32"), "{error}");
    assert_eq!(NormQuantize::new(gpu.device(), &desc).unwrap().scratch_bytes(), 0);
    // Groups need the statistics of their row.
    let groups = QuantizeDesc { granularity: Granularity::PerGroup(4), ..desc.codes };
    let plan = NormQuantize::new(gpu.device(), &NormQuantizeDesc::new(desc.norm, groups)).unwrap();
    assert_eq!(plan.scratch_bytes(), 2 * 3 * 4);
    let buffers: Vec<_> = (0..3).map(|_| gpu.empty("buffer", 256).unwrap()).collect();
    let [x, q, scale] = [0, 1, 2].map(|i| buffers[i].as_entire_buffer_binding());
    let error = plan.bind(gpu.device(), langevin::NormQuantizeBuffers::new(x, q, scale)).unwrap_err();
    assert_eq!(error.to_string(), "norm_quantize: no buffer for `scratch`, which the descriptor uses");
}
