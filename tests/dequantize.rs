//! Dequantize against its reference, and with quantize: round trips, order, and codes that come back.

use langevin::formats::e8m0::ScaleRounding;
use langevin::reference::generate::{self, Random};
use langevin::verify::{self, Dtype, Op, RunOptions, Tensor, Tensors, compare};
use langevin::{Dequantize, DequantizeDesc, Format, Gpu, Granularity, Overflow, QuantizeDesc, ScaleSource};
use langevin_testkit::{conform, conform_on, gpu};
use proptest::prelude::*;

const OUTPUTS: [Format; 3] = [Format::F32, Format::F16, Format::BF16];
/// The usual two first.
const GRANULARITIES: [Granularity; 6] = [
    Granularity::PerTensor,
    Granularity::PerRow,
    Granularity::PerColumn,
    Granularity::PerGroup(32),
    Granularity::PerBlock { rows: 16, columns: 8 },
    Granularity::PerBlock { rows: 5, columns: 1 },
];
/// The formats of codes, I8 also with zero points.
const CODES: [(Format, bool); 4] =
    [(Format::E4m3, false), (Format::E5m2, false), (Format::I8, false), (Format::I8, true)];
/// The unit roundoff of one f32 operation, rounded in any direction.
const UNIT: f64 = f32::EPSILON as f64;

fn per_row(shape: &[usize]) -> DequantizeDesc {
    DequantizeDesc { shape: shape.to_vec(), granularity: Granularity::PerRow, ..Default::default() }
}

fn f32s(shape: &[usize], values: &[f32]) -> Tensor {
    Tensor::from_f32(Format::F32, shape, values).unwrap()
}

fn tensors<const N: usize>(named: [(&str, Tensor); N]) -> Tensors {
    let mut tensors = Tensors::new();
    for (name, tensor) in named {
        tensors.insert(name, tensor);
    }
    tensors
}

fn run<D: langevin::Kernel>(gpu: &Gpu, desc: &D, inputs: &Tensors) -> Tensors {
    verify::run(gpu, desc, inputs, &RunOptions::default()).unwrap()
}

#[test]
fn shapes() {
    let Some(gpu) = gpu() else { return };
    for (i, width) in [1, 2, 3, 4, 5, 7, 31, 64, 255, 256, 257, 515].into_iter().enumerate() {
        for (j, granularity) in GRANULARITIES.into_iter().enumerate() {
            let rows = [1, 2, 5, 17, 64, 67][(i + j) % 6];
            conform(&gpu, &DequantizeDesc { granularity, ..per_row(&[rows, width]) }, i as u64);
        }
    }
    for shape in [&[][..], &[37], &[2, 3, 5], &[2, 21, 70], &[0], &[0, 5], &[5, 0]] {
        for granularity in GRANULARITIES {
            let desc = DequantizeDesc { granularity, ..per_row(shape) };
            if desc.validate().is_ok() {
                conform(&gpu, &desc, 3);
            }
        }
    }
}

/// A group longer than a row is the row, however long.
#[test]
fn groups_and_blocks_beyond_any_tensor() {
    let Some(gpu) = gpu() else { return };
    for size in [1 << 20, (1 << 32) - 4, (1 << 34) - 4, usize::MAX - 3] {
        let block = |rows, columns| Granularity::PerBlock { rows, columns };
        for granularity in [Granularity::PerGroup(size), block(size, size), block(size, 1), block(2, size)] {
            conform(&gpu, &DequantizeDesc { granularity, ..per_row(&[5, 70]) }, 1);
        }
        conform(&gpu, &DequantizeDesc { granularity: Granularity::PerGroup(size), ..per_row(&[3, 0]) }, 1);
    }
}

#[test]
fn every_format() {
    let Some(gpu) = gpu() else { return };
    for (i, q) in Format::ALL.into_iter().enumerate() {
        for (j, out) in OUTPUTS.into_iter().enumerate() {
            let granularity = GRANULARITIES[(i + j) % GRANULARITIES.len()];
            let zero_point = q == Format::I8 && j > 0;
            let desc = DequantizeDesc { q, out, granularity, zero_point, ..per_row(&[6, 43]) };
            conform(&gpu, &desc, (i * 3 + j) as u64);
        }
    }
}

/// Every code with every power of two; NaN scales lose their block, and the least one is exact.
#[test]
fn power_scales() {
    let Some(gpu) = gpu() else { return };
    for (q, out) in [(Format::E4m3, Format::F32), (Format::E5m2, Format::BF16)] {
        let desc = DequantizeDesc {
            shape: vec![32, 256 * 64],
            q,
            out,
            granularity: Granularity::PerGroup(32),
            power_scales: true,
            zero_point: false,
        };
        // Block b of 8 neighbouring ones holds codes 32 b to 32 b + 31, all under one scale.
        let codes: Vec<u8> = (0..desc.shape.iter().product::<usize>()).map(|i| i as u8).collect();
        let scales: Vec<u8> = (0..codes.len() / 32).map(|block| (block / 8) as u8).collect();
        let inputs = tensors([
            ("q", Tensor::new(q, &desc.shape, codes.clone()).unwrap()),
            ("scale", Tensor::new(Dtype::E8m0, &[32, 512], scales.clone()).unwrap()),
        ]);
        let got = run(&gpu, &desc, &inputs).remove("out").unwrap().to_f32();
        for (i, got) in got.into_iter().enumerate() {
            let (code, scale) = (codes[i].into(), scales[i / 32]);
            let exact = f64::from(q.decode(code)) * 2.0_f64.powi(i32::from(scale) - 127);
            let stored = out.decode(out.encode(exact as f32, Overflow::NonSaturating));
            let want = if scale == 255 { f32::NAN } else { stored };
            let flushed = want.is_subnormal() && got == 0.0;
            let overflows = want.is_infinite() && exact.is_finite();
            let same = got == want || (got.is_nan() && want.is_nan()) || flushed || overflows;
            assert!(same, "{q} {code:#x} * 2^({scale} - 127): got {got:e}, expected {want:e}");
        }
        let small = DequantizeDesc { shape: vec![5, 150], ..desc };
        conform(&gpu, &small, 1);
    }
}

/// Every code, with scales that are powers of two: then nothing rounds but the output, and the codecs say how.
#[test]
fn every_code_is_exact() {
    let Some(gpu) = gpu() else { return };
    let scales = [1.0_f32, 0.125, -4.0];
    for q in [Format::E4m3, Format::E5m2, Format::I8, Format::F16, Format::BF16] {
        let count = 1 << q.bits();
        let codes: Vec<u8> =
            (0..count).flat_map(|code: u32| code.to_le_bytes()[..q.bytes()].to_vec()).collect();
        for out in OUTPUTS {
            let desc = DequantizeDesc { q, out, ..per_row(&[scales.len(), count as usize]) };
            let q_tensor = Tensor::new(q, &desc.shape, codes.repeat(scales.len())).unwrap();
            let outputs =
                run(&gpu, &desc, &tensors([("q", q_tensor), ("scale", f32s(&[scales.len()], &scales))]));
            let got = outputs.get("out").unwrap().to_f32();
            let codes_and_scales = scales.iter().flat_map(|&scale| (0..count).map(move |code| (code, scale)));
            for ((code, scale), got) in codes_and_scales.zip(got) {
                let value = q.decode(code);
                let value = if value.is_subnormal() { 0.0 } else { value };
                let want = out.decode(out.encode(value * scale, Overflow::NonSaturating));
                // A product that is a subnormal f32 may be flushed.
                let flushed = (value * scale).is_subnormal() && got == 0.0;
                let same = got == want || (got.is_nan() && want.is_nan()) || flushed;
                assert!(same, "{q} {code:#x} * {scale} in {out}: got {got}, expected {want}");
            }
        }
    }
}

/// NaN keeps its sign, infinity and zero take the scale's, in every output format.
#[test]
fn nan_infinity_and_zero_stay() {
    let Some(gpu) = gpu() else { return };
    for out in OUTPUTS {
        let desc = DequantizeDesc { q: Format::E5m2, out, ..per_row(&[2, 6]) };
        let row = [0x7f, 0xff, 0x7c, 0xfc, 0, 0x80];
        let codes = Tensor::new(Format::E5m2, &[2, 6], row.repeat(2)).unwrap();
        let outputs = run(&gpu, &desc, &tensors([("q", codes), ("scale", f32s(&[2], &[0.3, -0.3]))]));
        let got = outputs.get("out").unwrap().to_f32();
        for (row, sign) in [(&got[..6], 1.0), (&got[6..], -1.0)] {
            assert!(row[0].is_nan() && row[0].is_sign_positive(), "{out}: {row:?}");
            assert!(row[1].is_nan() && row[1].is_sign_negative(), "{out}: {row:?}");
            assert_eq!(row[2..4], [f32::INFINITY * sign, f32::NEG_INFINITY * sign], "{out}");
            assert_eq!(
                [row[4], row[5]].map(f32::to_bits),
                [0.0 * sign, -0.0 * sign].map(f32::to_bits),
                "{out}"
            );
        }
    }
}

/// A cast with scale 1 rounds as the codecs do, to the bit: every tie between neighbouring halves, and its neighbours.
#[test]
fn casts_round_ties_to_even() {
    let Some(gpu) = gpu() else { return };
    for out in [Format::F16, Format::BF16] {
        // Through 2^15 positive codes; F16's are a part of the range, BF16's below its subnormals are left out, since an
        // adapter may flush subnormals of f32.
        let decode = |code: u16| langevin::formats::decode(out, &code.to_le_bytes()).unwrap()[0];
        let first = if out == Format::BF16 { 0x80 } else { 0 };
        let last = if out == Format::BF16 { 0x7f7e } else { 0x7bfe };
        let ties =
            (first..last).map(|code| (decode(code) + (decode(code + 1) - decode(code)) * 0.5).to_bits());
        let values: Vec<f32> = ties
            .flat_map(|tie| [tie - 1, tie, tie + 1])
            .map(f32::from_bits)
            .filter(|value| *value >= f32::MIN_POSITIVE)
            .flat_map(|value| [value, -value])
            .collect();
        assert!(values.len() > 180_000);
        let desc = DequantizeDesc { shape: vec![values.len()], q: Format::F32, out, ..Default::default() };
        let inputs = tensors([("q", f32s(&[values.len()], &values)), ("scale", f32s(&[], &[1.0]))]);
        let expected = Tensor::from_f32(out, &[values.len()], &values).unwrap();
        let got = run(&gpu, &desc, &inputs);
        let got = got.get("out").unwrap();
        let wrong = (0..values.len()).find(|&i| got.bytes()[2 * i..][..2] != expected.bytes()[2 * i..][..2]);
        assert_eq!(wrong.map(|i| values[i]), None, "{out}: the first value that differs");
    }
}

#[test]
fn wrong_references_are_rejected() {
    let Some(gpu) = gpu() else { return };
    let desc = DequantizeDesc { q: Format::I8, zero_point: true, ..per_row(&[5, 33]) };
    let inputs = generate::inputs(&desc, 4);
    let outputs = run(&gpu, &desc, &inputs);
    let passes = |inputs: &Tensors| {
        let expected = desc.evaluate(inputs).unwrap();
        compare(&expected[0], outputs.get("out").unwrap()).passed()
    };
    assert!(passes(&inputs));
    let altered = |name: &str, tensor: Tensor| {
        let mut altered = inputs.clone();
        altered.insert(name, tensor);
        altered
    };
    let mut scales = inputs.get("scale").unwrap().to_f32();
    scales.rotate_left(1);
    let mut zeros: Vec<i32> =
        inputs.get("zero_point").unwrap().to_f32().iter().map(|&zero| zero as i32).collect();
    zeros[2] += 1;
    let mut codes = inputs.get("q").unwrap().bytes().to_vec();
    codes[164] ^= 1;
    let wrong = [
        altered("scale", f32s(&[5], &scales)),
        altered("zero_point", Tensor::from_i32(&[5], &zeros).unwrap()),
        altered("q", Tensor::new(Format::I8, &[5, 33], codes).unwrap()),
    ];
    assert_eq!(wrong.iter().filter(|inputs| !passes(inputs)).count(), wrong.len());
}

#[test]
fn errors_name_the_field_and_the_numbers() {
    let Some(gpu) = gpu() else { return };
    let error = |desc: &DequantizeDesc| Dequantize::new(gpu.device(), desc).unwrap_err().to_string();
    let wrong = DequantizeDesc { out: Format::E4m3, ..per_row(&[3, 5]) };
    assert_eq!(error(&wrong), "dequantize: `out` must be f32, f16 or bf16, got e4m3");
    let wrong = DequantizeDesc { granularity: Granularity::PerGroup(6), ..per_row(&[3, 5]) };
    assert_eq!(
        error(&wrong),
        "dequantize: `granularity` must be groups of a multiple of 4, got per_group of 6"
    );
}

/// Every code of `q`, with one scale and perhaps one zero point.
fn all_codes(q: Format, scale: f32, zero: Option<i32>) -> (DequantizeDesc, Tensors) {
    let desc = DequantizeDesc { shape: vec![256], q, zero_point: zero.is_some(), ..Default::default() };
    let mut inputs = tensors([
        ("q", Tensor::new(q, &[256], (0..=255).collect()).unwrap()),
        ("scale", f32s(&[], &[scale])),
    ]);
    if let Some(zero) = zero {
        inputs.insert("zero_point", Tensor::from_i32(&[], &[zero]).unwrap());
    }
    (desc, inputs)
}

/// `quantize(dequantize(q)) == q` for every code, up to the NaN codes, which become one, and to the code -128 without a
/// zero point, which is decoded but never written.
#[test]
fn codes_come_back() {
    let Some(gpu) = gpu() else { return };
    for (q, asymmetric) in CODES {
        for scale in [1.0, 0.1, 3.7e-5, 2.0_f32.powi(-100), 1e30] {
            let (desc, inputs) = all_codes(q, scale, asymmetric.then_some(-37));
            let mut values = run(&gpu, &desc, &inputs);
            let mut back = inputs.clone();
            back.remove("q");
            back.insert("x", values.remove("out").unwrap());
            let desc = QuantizeDesc {
                shape: vec![256],
                q,
                asymmetric,
                scale: ScaleSource::Static,
                overflow: Overflow::NonSaturating,
                ..Default::default()
            };
            let codes = run(&gpu, &desc, &back);
            for (code, &got) in (0..=255).zip(codes.get("q").unwrap().bytes()) {
                let want = match q {
                    Format::I8 if code == 0x80 && !asymmetric => 0x81,
                    Format::E5m2 if code & 0x7f > 0x7c => code | 0x7f,
                    _ => code,
                };
                assert_eq!(got, want, "{q} {code:#x}, scale {scale}");
            }
        }
    }
}

/// The same of MX blocks, in blocks of 32: every code under scales with which all numbers are normal f32s.
#[test]
fn codes_of_blocks_come_back() {
    let Some(gpu) = gpu() else { return };
    let granularity = Granularity::PerGroup(32);
    let scales: Vec<u8> = (18..=236).step_by(29).flat_map(|scale| [scale; 8]).collect();
    let shape = vec![scales.len() / 8, 256];
    let scale = Tensor::new(Dtype::E8m0, &[shape[0], 8], scales).unwrap();
    for q in [Format::E4m3, Format::E5m2] {
        let every: Vec<u8> = (0..shape[0]).flat_map(|_| 0..=255_u8).collect();
        let codes = Tensor::new(q, &shape, every.clone()).unwrap();
        let desc = DequantizeDesc { q, granularity, power_scales: true, ..per_row(&shape) };
        let mut back = tensors([("scale", scale.clone())]);
        let values =
            run(&gpu, &desc, &tensors([("q", codes), ("scale", scale.clone())])).remove("out").unwrap();
        back.insert("x", values);
        let desc = QuantizeDesc {
            shape: shape.clone(),
            q,
            granularity,
            scale: ScaleSource::Static,
            scale_rounding: Some(ScaleRounding::Floor),
            overflow: Overflow::NonSaturating,
            ..Default::default()
        };
        let codes = run(&gpu, &desc, &back);
        for (code, &got) in every.into_iter().zip(codes.get("q").unwrap().bytes()) {
            let nan = q == Format::E5m2 && code & 0x7f > 0x7c;
            assert_eq!(got, if nan { code | 0x7f } else { code }, "{q} {code:#x}");
        }
    }
}

/// Half a step of the code, times the scale, of every way to share scales; of MX blocks without clipping too.
#[test]
fn every_granularity_loses_at_most_half_a_step() {
    let Some(gpu) = gpu() else { return };
    let shape = vec![21, 70];
    let mut random = Random::new(6);
    let x: Vec<f32> = (0..21 * 70).map(|_| random.uniform(-1.0, 1.0).powi(5) * 300.0).collect();
    let block = |rows, columns| Granularity::PerBlock { rows, columns };
    let granularities = [Granularity::PerColumn, Granularity::PerGroup(32), block(4, 8), block(5, 1)];
    for (i, granularity) in granularities.into_iter().enumerate() {
        for scale_rounding in [None, Some(ScaleRounding::Rceil)] {
            let q = [Format::E4m3, Format::E5m2, Format::I8][i % 3];
            let desc =
                QuantizeDesc { shape: shape.clone(), q, granularity, scale_rounding, ..Default::default() };
            if desc.validate().is_err() {
                continue;
            }
            let codes = run(&gpu, &desc, &tensors([("x", f32s(&shape, &x))]));
            let scales = codes.get("scale").unwrap().to_f32();
            let power_scales = scale_rounding.is_some();
            let numbers = DequantizeDesc { q, granularity, power_scales, ..per_row(&shape) };
            let back = run(&gpu, &numbers, &codes).remove("out").unwrap().to_f32();
            for (element, (&x, &back)) in x.iter().zip(&back).enumerate() {
                let scale = f64::from(scales[desc.scale_index(element)]);
                let (x, back) = (f64::from(x), f64::from(back));
                let step = q.rounding_error((x / scale).abs().min(q.max_finite())) * scale;
                let bound = step + 1.5 * UNIT * x.abs() + UNIT * back.abs();
                assert!((x - back).abs() <= bound, "{desc:?}: {x} comes back as {back}, bound {bound}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..Default::default() })]

    #[test]
    fn any_dequantization_is_within_its_bound(
        (rows, width) in (1usize..40, 1usize..90),
        (q, out) in (0usize..6, 0usize..3),
        flags in any::<u8>(),
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let q = Format::ALL[q];
        let granularity = GRANULARITIES[usize::from(flags & 1)];
        let zero_point = q == Format::I8 && flags & 2 != 0;
        let desc = DequantizeDesc { q, out: OUTPUTS[out], granularity, zero_point, ..per_row(&[rows, width]) };
        conform(&gpu, &desc, seed);
    }

    /// The documented bound: half a step of the code, times the scale, and the f32 roundings.
    #[test]
    fn a_round_trip_is_within_half_a_step(
        (rows, width) in (1usize..20, 1usize..70),
        code in 0usize..4,
        row in any::<bool>(),
        exponent in -60..60,
        seed in any::<u64>(),
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let (q, asymmetric) = CODES[code];
        let granularity = GRANULARITIES[usize::from(row)];
        let shape = vec![rows, width];
        let mut random = Random::new(seed);
        let factor = 2.0_f32.powi(exponent);
        let x: Vec<f32> = (0..rows * width).map(|_| random.uniform(-1.0, 1.5) * factor).collect();
        let desc = QuantizeDesc { shape: shape.clone(), q, asymmetric, granularity, ..Default::default() };
        let codes = run(&gpu, &desc, &tensors([("x", f32s(&shape, &x))]));
        let scales = codes.get("scale").unwrap().to_f32();
        let desc = DequantizeDesc { q, granularity, zero_point: asymmetric, ..per_row(&shape) };
        conform_on(&gpu, &desc, &codes);
        let back = run(&gpu, &desc, &codes).remove("out").unwrap().to_f32();
        for (i, (&x, &back)) in x.iter().zip(&back).enumerate() {
            let scale = f64::from(scales[if row { i / width } else { 0 }]);
            let (x, back) = (f64::from(x), f64::from(back));
            // The value in the format's own range: rounding may have moved the largest one just beyond.
            let inside = (x / scale).abs().min(q.max_finite());
            let clamped = asymmetric && [0x80, 0x7f].contains(&codes.get("q").unwrap().bytes()[i]);
            let half_steps = if clamped { 2.0 } else { 1.0 };
            let step = half_steps * q.rounding_error(inside) * scale;
            // Inverse and product round to nearest, the product back in any direction.
            let bound = step + 1.5 * UNIT * x.abs() + UNIT * back.abs();
            prop_assert!((x - back).abs() <= bound, "{q}: {x} comes back as {back}, bound {bound}");
        }
    }

    /// Larger values never have smaller codes.
    #[test]
    fn quantization_is_monotone(
        mut x in proptest::collection::vec(-1e4f32..1e4, 1..200),
        code in 0usize..4,
    ) {
        let Some(gpu) = gpu() else { return Ok(()) };
        let (q, asymmetric) = CODES[code];
        x.sort_by(f32::total_cmp);
        let desc = QuantizeDesc { shape: vec![x.len()], q, asymmetric, ..Default::default() };
        let codes = run(&gpu, &desc, &tensors([("x", f32s(&[x.len()], &x))]));
        let values = codes.get("q").unwrap().to_f32();
        prop_assert!(values.is_sorted(), "{q}: {x:?} gives {values:?}");
    }
}
