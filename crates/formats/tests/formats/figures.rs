//! The figures, names and error bounds of the formats.

use langevin_formats::{Format, Overflow};

use crate::model::{Model, NARROW};

#[test]
fn figures_of_narrow_formats_follow_from_their_values() {
    for model in NARROW.map(Model::new) {
        let format = model.format;
        assert_eq!(format.max_finite(), model.magnitudes[model.largest as usize], "{format}");
        assert_eq!(format.min_positive(), model.magnitudes[1], "{format}");
        assert_eq!(format.min_normal(), model.magnitudes[1 << model.fraction_bits], "{format}");
        assert_eq!(format.unit_roundoff(), 0.5 / f64::from(1 << model.fraction_bits), "{format}");
        assert!(format.is_float());
    }
}

#[test]
fn figures_of_f32_and_i8() {
    let f32_figures = [f32::MAX, f32::MIN_POSITIVE, f32::from_bits(1), f32::EPSILON / 2.0].map(f64::from);
    let figures = |format: Format| {
        [format.max_finite(), format.min_normal(), format.min_positive(), format.unit_roundoff()]
    };
    assert_eq!(figures(Format::F32), f32_figures);
    assert_eq!(figures(Format::I8), [127.0, 1.0, 1.0, 0.0]);
    assert!(Format::F32.is_float() && !Format::I8.is_float());
}

#[test]
fn sizes_fit_a_word() {
    assert_eq!(Format::ALL.map(Format::bits), [32, 16, 16, 8, 8, 8]);
    assert_eq!(Format::ALL.map(Format::bytes), [4, 2, 2, 1, 1, 1]);
    assert_eq!(Format::ALL.map(Format::per_word), [1, 2, 2, 4, 4, 4]);
}

#[test]
fn names_parse_back_and_others_do_not() {
    for format in Format::ALL {
        assert_eq!(format.to_string().parse(), Ok(format));
    }
    assert_eq!(format!("[{:>5}]", Format::I8), "[   i8]");
    let error = "F16".parse::<Format>().unwrap_err();
    assert_eq!(
        error.to_string(),
        "number format: expected one of f32, f16, bf16, e4m3, e5m2, i8, got \"F16\""
    );
    assert_eq!([Format::default()], [Format::F32]);
    assert_eq!(Overflow::default(), Overflow::Saturate);
}

#[test]
fn rounding_errors_by_hand() {
    let e4m3 = |value| Format::E4m3.rounding_error(value);
    assert_eq!(e4m3(16.0), 1.0);
    assert_eq!(e4m3(-17.0), 17.0 / 16.0);
    assert_eq!([e4m3(0.0), e4m3(2.0_f64.powi(-9))], [2.0_f64.powi(-10); 2]);
    assert_eq!([e4m3(464.0), e4m3(464.0001), e4m3(f64::INFINITY)], [29.0, f64::INFINITY, f64::INFINITY]);
    assert!(e4m3(f64::NAN).is_nan());
    assert_eq!([3.3, -127.5, 127.6].map(|value| Format::I8.rounding_error(value)), [0.5, 0.5, f64::INFINITY]);
}

#[test]
fn rounding_errors_end_at_the_overflow_threshold() {
    let above_max = 2.0_f64.powi(127) * (2.0 - 2.0_f64.powi(-24));
    let thresholds = [(Format::F32, above_max), (Format::F16, 65520.0), (Format::E5m2, 61440.0)];
    let bf16 = (Format::BF16, 2.0_f64.powi(127) * (2.0 - 2.0_f64.powi(-8)));
    for (format, threshold) in thresholds.into_iter().chain([bf16]) {
        assert_eq!(format.rounding_error(-threshold), f64::INFINITY, "{format}");
        assert!(format.rounding_error(threshold.next_down()).is_finite(), "{format}");
    }
}

/// A bound that no value comes near would test nothing: midpoints reach at least `1 / (1 + u)` of it.
#[test]
fn rounding_errors_are_reached() {
    for model in NARROW.map(Model::new) {
        let reached = |code: u32| {
            let midpoint = model.midpoint(code);
            (midpoint - model.magnitudes[code as usize]) / model.format.rounding_error(midpoint)
        };
        let worst = (0..model.largest).map(reached).fold(0.0, f64::max);
        assert_eq!(worst, 1.0, "{}", model.format);
        // In the normal range, just above a power of two.
        let unit_roundoff = model.format.unit_roundoff();
        let one = (model.format.encode(1.0, Overflow::Saturate), 1.0 / (1.0 + unit_roundoff));
        assert!((reached(one.0) - one.1).abs() <= f64::EPSILON, "{}", model.format);
    }
}

#[test]
fn f32_rounding_error_bounds_the_cast() {
    for value in [0.1, 1.0 / 3.0, 1e-45, 1e-42, 3.4e38, 123_456_789.123] {
        let error = (f64::from(value as f32) - value).abs();
        assert!(error > 0.0 && error <= Format::F32.rounding_error(value), "{value:e}");
    }
}
