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

proptest! {
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
