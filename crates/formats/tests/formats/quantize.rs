//! Quantizing: golden file, definition in f64, special values.

use langevin_formats::i8::{self, Range};
use langevin_formats::{Format, Overflow, quantize, scale};
use proptest::prelude::*;

use crate::goldens::{hex, rows};

#[test]
fn quantizes_like_numpy_and_ml_dtypes() {
    let mut count = 0;
    for row in rows(include_str!("../../goldens/quantize.csv")) {
        let [value, inverse] = [row[0], row[1]].map(|field| f32::from_bits(hex(field)));
        let [zero, symmetric, full] = [row[2], row[3], row[4]].map(|field| field.parse::<i32>().unwrap());
        let what = format!("{value:e} * {inverse:e} + {zero}");
        assert_eq!(i32::from(i8::quantize(value, inverse, 0, Range::Symmetric)), symmetric, "{what}");
        assert_eq!(i32::from(i8::quantize(value, inverse, zero, Range::Full)), full, "{what}");
        assert_eq!(
            quantize(value, inverse, Format::I8, Overflow::Saturate),
            symmetric as u32 & 0xff,
            "{what}"
        );
        assert_eq!(quantize(value, inverse, Format::E4m3, Overflow::Saturate), hex(row[5]), "{what}");
        assert_eq!(quantize(value, inverse, Format::E5m2, Overflow::Saturate), hex(row[6]), "{what}");
        count += 1;
    }
    assert!(count >= 1000, "only {count} rows");
}

#[test]
fn special_values_of_i8() {
    let symmetric = |value| i8::quantize(value, 1.0, 0, Range::Symmetric);
    let full = |value, zero| i8::quantize(value, 1.0, zero, Range::Full);
    assert_eq!(
        [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.5, 0.5, 1.5].map(symmetric),
        [0, 127, -127, 0, 0, 2]
    );
    assert_eq!([full(f32::NAN, 7), full(f32::INFINITY, 7), full(f32::NEG_INFINITY, 7)], [7, 127, -128]);
    // Rounding comes before the zero point: 0.5 + 1 is 1, not round(1.5) = 2.
    assert_eq!(
        [full(0.5, 1), full(-128.4, 0), full(-1.0, i32::MIN), full(1.0, i32::MAX)],
        [1, -128, -128, 127]
    );
    assert_eq!(i8::quantize(f32::INFINITY, 0.0, 3, Range::Full), 3);
}

#[test]
fn subnormal_operands_count_as_zero() {
    let subnormal = f32::from_bits(0x007f_ffff);
    let huge = 2.0_f32.powi(126);
    for (value, inverse) in [(subnormal, huge), (huge, subnormal)] {
        // Without the flush the product would be almost 1.
        assert!(value * inverse > 0.99);
        assert_eq!(quantize(value, inverse, Format::E4m3, Overflow::Saturate), 0);
        assert_eq!(quantize(-value, inverse, Format::E4m3, Overflow::Saturate), 0x80);
        assert_eq!(i8::quantize(value, inverse, 0, Range::Symmetric), 0);
    }
}

#[test]
fn nan_products_keep_the_sign_of_the_value() {
    for (value, inverse) in
        [(f32::NAN, 1.0), (f32::INFINITY, 0.0), (0.0, f32::INFINITY), (1.0, f32::NAN), (1.0, -f32::NAN)]
    {
        for mode in [Overflow::Saturate, Overflow::NonSaturating] {
            assert_eq!(quantize(value, inverse, Format::E4m3, mode), 0x7f);
            assert_eq!(quantize(-value, inverse, Format::E5m2, mode), 0xff);
        }
    }
}

#[test]
fn overflow_follows_the_mode() {
    let codes =
        |mode| [Format::E4m3, Format::E5m2, Format::I8].map(|format| quantize(-1e5, 1e5, format, mode));
    assert_eq!(codes(Overflow::Saturate), [0xfe, 0xfb, 0x81]);
    assert_eq!(codes(Overflow::NonSaturating), [0xff, 0xfc, 0x81]);
}

#[test]
fn dequantizes_by_one_product() {
    assert_eq!(i8::dequantize(-128, 0.5, 127), -127.5);
    assert_eq!(i8::dequantize(5, 1e30, 5), 0.0);
    assert_eq!(i8::dequantize(127, 1.0, i32::MIN), 127.0 + 2.0_f32.powi(31));
}

fn normal_scale() -> impl Strategy<Value = f32> {
    (1_u32..=253, 0..1_u32 << 23).prop_map(|(exponent, fraction)| f32::from_bits(exponent << 23 | fraction))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(5000))]

    /// The product of two f32 is exact in f64, so its cast rounds once.
    #[test]
    fn i8_is_its_definition(value in -1e6_f32..1e6, inverse in 1e-6_f32..1e2, zero in -128..=127_i32) {
        let product = (f64::from(value) * f64::from(inverse)) as f32;
        let rounded = f64::from(product).round_ties_even();
        let expected = |zero: i32, min| (rounded + f64::from(zero)).clamp(min, 127.0);
        prop_assert_eq!(f64::from(i8::quantize(value, inverse, 0, Range::Symmetric)), expected(0, -127.0));
        prop_assert_eq!(f64::from(i8::quantize(value, inverse, zero, Range::Full)), expected(zero, -128.0));
    }

    #[test]
    fn quantizers_are_monotone(one in any::<f32>(), other in any::<f32>(), inverse in normal_scale()) {
        prop_assume!(!one.is_nan() && !other.is_nan());
        for format in [Format::E4m3, Format::E5m2, Format::I8] {
            let stored = |value| format.decode(quantize(value, inverse, format, Overflow::Saturate));
            prop_assert!(stored(one.min(other)) <= stored(one.max(other)));
        }
    }

    /// The largest magnitude takes the largest code and never overflows, unless the scale is clamped.
    #[test]
    fn amax_takes_the_largest_code(amax in normal_scale()) {
        for format in [Format::E4m3, Format::E5m2, Format::I8] {
            let scale = scale::symmetric(amax, format);
            let code = quantize(amax, scale::inverse(scale), format, Overflow::NonSaturating);
            let stored = f64::from(format.decode(code));
            prop_assert!(stored <= format.max_finite());
            let is_reached = scale == scale::MIN || stored == format.max_finite();
            prop_assert!(is_reached, "{} {:e}: {}", format, amax, stored);
        }
    }

    /// Every finite value comes back within half a step of the code, plus the roundings of scale, inverse and
    /// products.
    #[test]
    fn i8_round_trip_stays_within_half_a_step(values in proptest::collection::vec(-1e3_f32..1e3, 1..50)) {
        let scale = scale::symmetric(scale::amax(&values), Format::I8);
        let inverse = scale::inverse(scale);
        let roundings = 4.0 * Format::F32.unit_roundoff();
        for value in values {
            let back = i8::dequantize(i8::quantize(value, inverse, 0, Range::Symmetric), scale, 0);
            let error = (f64::from(back) - f64::from(value)).abs();
            let bound = f64::from(scale) * (0.5 + 128.0 * roundings);
            prop_assert!(error <= bound, "{} came back as {}", value, back);
        }
    }
}
