//! Scales and their inverses.

use langevin_formats::{Format, scale};
use proptest::prelude::*;

#[test]
fn amax_looks_at_finite_values_only() {
    assert_eq!(scale::amax(&[]), 0.0);
    assert_eq!(scale::amax(&[f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY]), 0.0);
    assert_eq!(scale::amax(&[0.5, -4.0, f32::NAN, f32::INFINITY, 3.0]), 4.0);
    assert_eq!(scale::amax(&[f32::MIN]), f32::MAX);
}

#[test]
fn amax_counts_subnormals_as_zero() {
    let largest_subnormal = f32::from_bits(0x007f_ffff);
    assert_eq!(scale::amax(&[largest_subnormal, -largest_subnormal, -0.0]).to_bits(), 0);
    assert_eq!(scale::amax(&[largest_subnormal, -f32::MIN_POSITIVE]), f32::MIN_POSITIVE);
}

#[test]
fn symmetric_scales_by_hand() {
    assert_eq!(scale::symmetric(448.0, Format::E4m3), 1.0);
    assert_eq!(scale::symmetric(57344.0 * 0.25, Format::E5m2), 0.25);
    assert_eq!(scale::symmetric(127.0, Format::I8), 1.0);
    assert_eq!(scale::symmetric(1.0, Format::I8), 1.0 / 127.0);
}

#[test]
fn degenerate_ranges_have_a_defined_scale() {
    for format in [Format::E4m3, Format::E5m2, Format::I8] {
        for nothing in [0.0, -0.0, f32::from_bits(0x007f_ffff), f32::NAN] {
            assert_eq!(scale::symmetric(nothing, format), 1.0, "{format} {nothing:e}");
        }
        assert_eq!(scale::symmetric(f32::MIN_POSITIVE, format), scale::MIN);
        assert_eq!(scale::symmetric(-2.0, format), scale::symmetric(2.0, format));
        assert_eq!(scale::symmetric(f32::INFINITY, format), scale::symmetric(f32::MAX, format));
        assert!(scale::inverse(scale::symmetric(f32::MAX, format)).is_normal());
    }
}

#[test]
fn inverses_are_finite() {
    assert_eq!([0.5, -4.0, scale::MIN].map(scale::inverse), [2.0, -0.25, 2.0_f32.powi(126)]);
    assert_eq!(
        [0.0, -0.0, 1e-45].map(scale::inverse),
        [2.0_f32.powi(126), -(2.0_f32.powi(126)), 2.0_f32.powi(126)]
    );
    assert_eq!(scale::inverse(f32::INFINITY), 0.0);
    assert!(scale::inverse(f32::NAN).is_nan());
}

#[test]
fn ranges_contain_zero_and_leave_out_what_is_not_finite() {
    assert_eq!(scale::range(&[]), (0.0, 0.0));
    assert_eq!(scale::range(&[-3.0, -5.0, f32::NAN, f32::NEG_INFINITY]), (-5.0, 0.0));
    assert_eq!(scale::range(&[1e-40, -1e-40, f32::MAX, f32::MIN]), (f32::MIN, f32::MAX));
}

#[test]
fn asymmetric_scales_by_hand() {
    assert_eq!(scale::asymmetric(0.0, 0.0), (1.0, -128));
    assert_eq!(scale::asymmetric(-255.0, 0.0), (1.0, 127));
    assert_eq!(scale::asymmetric(-127.5, 127.5), (1.0, 0));
    assert_eq!(scale::asymmetric(-128.5, 126.5), (1.0, 0));
    assert_eq!(scale::asymmetric(0.0, f32::MIN_POSITIVE), (scale::MIN, -128));
    assert_eq!(scale::asymmetric(f32::MIN, f32::MAX), ((f64::from(f32::MAX) * 2.0 / 255.0) as f32, 0));
}

proptest! {
    /// Both ends are at most one step off, 0 not at all, and the zero point is a code.
    #[test]
    fn asymmetric_codes_cover_the_range(low in 0.0_f32..1e30, high in 0.0_f32..1e30, exponent in -100..20) {
        let factor = 2.0_f32.powi(exponent);
        let (low, high) = (-low * factor, high * factor);
        let (scale, zero) = scale::asymmetric(low, high);
        prop_assert!((-128..=127).contains(&zero));
        let inverse = scale::inverse(scale);
        for value in [low, 0.0, high] {
            let code = langevin_formats::i8::quantize(value, inverse, zero, langevin_formats::i8::Range::Full);
            let back = langevin_formats::i8::dequantize(code, scale, zero);
            let error = (f64::from(back) - f64::from(value)).abs();
            // Half a step of the code, half a step where the zero point was rounded, and the roundings in between.
            let steps = if value == 0.0 { 0.0 } else { 1.0 + 1e-4 };
            prop_assert!(error <= steps * f64::from(scale), "{value} gives {back}, scale {scale}");
        }
    }

    /// A quotient of two f32, rounded to f64 and then to f32, is rounded correctly: 53 >= 2 * 24 + 2 bits.
    #[test]
    fn scales_and_inverses_are_correctly_rounded(bits in 0x0080_0000_u32..0x7f00_0000) {
        let amax = f32::from_bits(bits);
        prop_assert_eq!(scale::inverse(amax), (1.0 / f64::from(amax)) as f32);
        for format in [Format::E4m3, Format::E5m2, Format::I8] {
            let expected = (f64::from(amax) / format.max_finite()) as f32;
            prop_assert_eq!(scale::symmetric(amax, format), expected.max(scale::MIN));
        }
    }

    #[test]
    fn amax_is_the_largest_magnitude(values in proptest::collection::vec(any::<f32>(), 0..40)) {
        let usable = |value: &&f32| value.is_normal();
        let expected = values.iter().filter(usable).map(|value| value.abs()).fold(0.0, f32::max);
        prop_assert_eq!(scale::amax(&values), expected);
    }
}
