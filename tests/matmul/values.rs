//! Values at the edge: overflow, zero and extreme scales, subnormal, infinite and missing numbers.

use super::{product, run};
use langevin::reference::generate;
use langevin::verify::{self, Tensors};
use langevin::{Format, Granularity, Kernel, MatmulDesc, Operand, Overflow};
use langevin_testkit::{conform_on, gpu};

/// Too large for `out`: infinity or the largest value, as asked.
#[test]
fn overflow_follows_its_mode() {
    let Some(gpu) = gpu() else { return };
    for out in [Format::F16, Format::BF16, Format::E4m3, Format::E5m2, Format::I8] {
        // What is usual for the format, and the other.
        let other = if out.bits() == 8 { Overflow::NonSaturating } else { Overflow::Saturate };
        for overflow in [None, Some(other)] {
            let desc = MatmulDesc { out, overflow, ..product(2, 1, 3) };
            let mut inputs = Tensors::new();
            let a = [3.4e38 / 4.0, -1.0];
            inputs.insert("a", verify::Tensor::from_f32(Format::F32, &[1, 2, 1], &a).unwrap());
            inputs.insert("b", verify::Tensor::from_f32(Format::F32, &[1, 1, 3], &[4.0, -4.0, 0.0]).unwrap());
            for variant in desc.variants(gpu.capabilities()) {
                let got = run(&gpu, &desc, &inputs, variant).to_f32();
                let saturates =
                    overflow.unwrap_or(desc.overflow_mode()) == Overflow::Saturate || out == Format::I8;
                let largest = if saturates { out.max_finite() as f32 } else { f32::INFINITY };
                let context = format!("{out} {overflow:?} by {}: {got:?}", variant.name);
                if out == Format::E4m3 && !saturates {
                    assert!(got[0].is_nan() && got[1].is_nan(), "{context}");
                } else {
                    assert_eq!(got[..2], [largest, -largest], "{context}");
                }
                assert_eq!((got[2].abs(), got[5].abs()), (0.0, 0.0), "{context}");
            }
        }
    }
}

/// A scale of the output that is zero counts as 2^-126: what is not zero overflows. Scales of groups multiply one after
/// the other, so that two small ones do not vanish together.
#[test]
fn extreme_scales() {
    let Some(gpu) = gpu() else { return };
    let f32s =
        |shape: &[usize], values: &[f32]| verify::Tensor::from_f32(Format::F32, shape, values).unwrap();
    let mut inputs = Tensors::new();
    inputs.insert("a", f32s(&[1, 1, 1], &[1.0]));
    inputs.insert("b", f32s(&[1, 1, 3], &[2.0, -3.0, 0.0]));
    inputs.insert("out_scale", f32s(&[], &[0.0]));
    let desc = MatmulDesc { out: Format::E4m3, out_scale: true, ..product(1, 1, 3) };
    for variant in desc.variants(gpu.capabilities()) {
        assert_eq!(run(&gpu, &desc, &inputs, variant).to_f32(), [448.0, -448.0, 0.0], "{}", variant.name);
    }
    let grouped = Operand::default().scaled(Granularity::PerGroup(32));
    let desc = MatmulDesc { a: grouped, b: grouped, ..product(1, 33, 1) };
    for (value, scale) in [(1e15, 1e-20), (1e-15, 1e20)] {
        let mut inputs = Tensors::new();
        inputs.insert("a", f32s(&[1, 1, 33], &[value; 33]));
        inputs.insert("b", f32s(&[1, 33, 1], &[value; 33]));
        inputs.insert("a_scale", f32s(&[1, 1, 2], &[scale; 2]));
        inputs.insert("b_scale", f32s(&[1, 2, 1], &[scale; 2]));
        conform_on(&gpu, &desc, &inputs);
    }
}

/// NaN in one batch item stays there, also where a tile reaches past the item's last depth.
#[test]
fn batch_items_are_apart() {
    let Some(gpu) = gpu() else { return };
    for (k, transposed) in [(1, false), (17, true), (18, false), (19, true)] {
        let stored = |rows, columns| if transposed { [2, columns, rows] } else { [2, rows, columns] };
        let operand = Operand { transposed, ..Format::F16.into() };
        let desc = MatmulDesc { batch: 2, a: operand, b: operand, ..product(3, k, 5) };
        let mut inputs = generate::inputs(&desc, 6);
        for (name, shape) in [("a", stored(3, k)), ("b", stored(k, 5))] {
            let mut values = inputs.get(name).unwrap().to_f32();
            let half = values.len() / 2;
            values[half..].fill(f32::NAN);
            inputs.insert(name, verify::Tensor::from_f32(Format::F16, &shape, &values).unwrap());
        }
        for variant in desc.variants(gpu.capabilities()) {
            let out = run(&gpu, &desc, &inputs, variant).to_f32();
            assert!(out[..15].iter().all(|value| value.is_finite()), "{} at k = {k}: {out:?}", variant.name);
        }
    }
}

/// Subnormal codes count as what they are, also where the adapter's own f16 decodes them.
#[test]
fn subnormals_are_kept() {
    let Some(gpu) = gpu() else { return };
    for (format, smallest) in
        [(Format::F16, 2f32.powi(-24)), (Format::E5m2, 2f32.powi(-16)), (Format::E4m3, 2f32.powi(-9))]
    {
        let desc = MatmulDesc { a: format.into(), b: Format::F16.into(), ..product(2, 3, 2) };
        let mut inputs = Tensors::new();
        let values = [1.0, 2.0, 3.0, -1.0, 0.0, 1.0].map(|codes| codes * smallest);
        inputs.insert("a", verify::Tensor::from_f32(format, &[1, 2, 3], &values).unwrap());
        let ones = verify::Tensor::from_f32(Format::F16, &[1, 3, 2], &[1024.0; 6]).unwrap();
        inputs.insert("b", ones);
        for variant in desc.variants(gpu.capabilities()) {
            let expected = [6.0, 6.0, 0.0, 0.0].map(|sum| sum * smallest * 1024.0);
            assert_eq!(run(&gpu, &desc, &inputs, variant).to_f32(), expected, "{format} by {}", variant.name);
        }
    }
}

/// A scale of zero makes zeros, of rows, columns and groups alike; the others stay right.
#[test]
fn scales_may_be_zero() {
    let Some(gpu) = gpu() else { return };
    for granularity in [None, Some(Granularity::PerGroup(32))] {
        let [own_a, own_b] = [Granularity::PerRow, Granularity::PerColumn];
        let a = Operand::from(Format::E4m3).scaled(granularity.unwrap_or(own_a));
        let b = Operand::from(Format::I8).scaled(granularity.unwrap_or(own_b));
        let desc = MatmulDesc { a, b, ..product(7, 70, 9) };
        let mut inputs = generate::inputs(&desc, 3);
        for name in ["a_scale", "b_scale"] {
            let scale = inputs.get(name).unwrap();
            let zeroed: Vec<f32> =
                scale.to_f32().iter().enumerate().map(|(i, s)| if i % 3 == 1 { 0.0 } else { *s }).collect();
            let zeroed = verify::Tensor::from_f32(Format::F32, scale.shape(), &zeroed);
            inputs.insert(name, zeroed.unwrap());
        }
        conform_on(&gpu, &desc, &inputs);
        if granularity.is_none() {
            for variant in desc.variants(gpu.capabilities()) {
                let out = run(&gpu, &desc, &inputs, variant).to_f32();
                let zero = |i: &usize| i / 9 % 3 == 1 || i % 9 % 3 == 1;
                assert!((0..63).all(|i| (out[i] == 0.0) == zero(&i)), "{}: {out:?}", variant.name);
            }
        }
    }
}

/// NaN and infinity reach the row or the column they stand in, and no other: the rest keeps its bits, also where tiles
/// reach past the last row, column and depth.
#[test]
fn what_is_not_finite_stays_in_its_row_and_column() {
    let Some(gpu) = gpu() else { return };
    let (m, k, n) = (37, 41, 45);
    for (a, b, transposed) in [(Format::F32, Format::BF16, true), (Format::E5m2, Format::E4m3, false)] {
        let b = Operand { transposed, ..b.into() };
        let desc = MatmulDesc { a: a.into(), b, ..product(m, k, n) };
        let clean = generate::inputs(&desc, 9);
        let mut spoilt = clean.clone();
        for (name, at, value) in
            [("a", 36 * k + 40, f32::NAN), ("a", 5 * k, f32::INFINITY), ("b", 0, f32::NAN)]
        {
            let tensor = spoilt.get(name).unwrap();
            let (format, shape, mut values) = (tensor.dtype(), tensor.shape().to_vec(), tensor.to_f32());
            values[at] = value;
            let langevin::verify::Dtype::Number(format) = format else { panic!("{format}") };
            spoilt.insert(name, verify::Tensor::from_f32(format, &shape, &values).unwrap());
        }
        for variant in desc.variants(gpu.capabilities()) {
            let [clean, spoilt] = [&clean, &spoilt].map(|inputs| run(&gpu, &desc, inputs, variant).to_f32());
            for (i, (clean, spoilt)) in clean.iter().zip(&spoilt).enumerate() {
                let reached = [5, 36].contains(&(i / n)) || i % n == 0;
                let same = clean.to_bits() == spoilt.to_bits();
                assert!(reached || same, "{} at {}, {}: {clean} became {spoilt}", variant.name, i / n, i % n);
            }
        }
    }
}
